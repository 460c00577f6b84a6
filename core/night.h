/*
 * night.h - when this node calls its hub by itself: settings, kept in the store.
 *
 * Only the values. When to run follows from them in sync/night.h, and maillaged does it.
 * On the hub the window only says when a night begins (`hub night`).
 */
#ifndef MG_CORE_NIGHT_H
#define MG_CORE_NIGHT_H

#include "core/store.h"

enum { MG_DAY_MINUTES = 24 * 60 };

struct mg_night_settings {
    bool off;               /* no run by itself */
    int start_min, end_min; /* the window, local minutes of the day; an end before the start is on the next day */
    int64_t max_bytes;      /* of one session, both ways together; 0: no budget */
    int64_t max_seconds;    /* of one session; 0: no budget */
};

enum { MG_NIGHT_START_MIN = 2 * 60, MG_NIGHT_END_MIN = 5 * 60 };

/* As set, or the defaults. Reads. */
mg_status mg_night_get(struct mg_store *store, struct mg_night_settings *settings, struct mg_error *err) MG_MUST_CHECK;

/* Its own transaction. MG_USAGE: a window without length, or a minute that is none. */
mg_status mg_night_set(struct mg_store *store, const struct mg_night_settings *settings, struct mg_error *err) MG_MUST_CHECK;

/* Reads "02:00-05:00" into the window; MG_USAGE with what is wrong. */
mg_status mg_night_window_parse(const char *text, struct mg_night_settings *settings, struct mg_error *err) MG_MUST_CHECK;

#endif
