/*
 * night.c - the settings of the nightly run, among the single values of the store.
 */
#include "core/night.h"

#include "core/engine.h"

static mg_status check(const struct mg_night_settings *settings, struct mg_error *err)
{
    bool minutes = settings->start_min >= 0 && settings->start_min < MG_DAY_MINUTES && settings->end_min >= 0 && settings->end_min < MG_DAY_MINUTES;
    if (!minutes) return mg_fail(err, MG_USAGE, "a time of the window is none: write it as 02:00-05:00");
    if (settings->start_min == settings->end_min) return mg_fail(err, MG_USAGE, "the window ends where it begins: give it some minutes, as in 02:00-05:00");
    return MG_OK;
}

mg_status mg_night_get(struct mg_store *store, struct mg_night_settings *settings, struct mg_error *err)
{
    struct mg_conn *conn = &store->user;
    int64_t off, start, end;
    mg_status status = mg_meta_int(conn, "night_off", &off, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "night_start", &start, MG_NIGHT_START_MIN, err);
    if (status == MG_OK) status = mg_meta_int(conn, "night_end", &end, MG_NIGHT_END_MIN, err);
    if (status == MG_OK) status = mg_meta_int(conn, "night_bytes", &settings->max_bytes, 0, err);
    if (status == MG_OK) status = mg_meta_int(conn, "night_seconds", &settings->max_seconds, 0, err);
    if (status != MG_OK) return status;
    settings->off = off != 0;
    settings->start_min = (int)start;
    settings->end_min = (int)end;
    return check(settings, NULL) == MG_OK ? MG_OK : mg_fail(err, MG_STORAGE, "the settings of the night are damaged: set them again with `maillage night --window 02:00-05:00`");
}

static mg_status write(struct mg_conn *conn, const struct mg_night_settings *settings, struct mg_error *err)
{
    mg_status status = mg_meta_set_int(conn, "night_off", settings->off, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "night_start", settings->start_min, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "night_end", settings->end_min, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "night_bytes", settings->max_bytes, err);
    if (status == MG_OK) status = mg_meta_set_int(conn, "night_seconds", settings->max_seconds, err);
    return status;
}

mg_status mg_night_set(struct mg_store *store, const struct mg_night_settings *settings, struct mg_error *err)
{
    mg_status status = check(settings, err);
    if (status == MG_OK) status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = write(&store->remote, settings, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

/* "02:00" at *TEXT, which moves behind it; -1: it is none. */
static int parse_time(const char **text)
{
    int digits[4], count = 0;
    const char *at = *text;
    for (; count < 4; at++) {
        if (count == 2 && *at == ':') continue;
        if (*at < '0' || *at > '9') return -1;
        digits[count++] = *at - '0';
    }
    int hour = digits[0] * 10 + digits[1], minute = digits[2] * 10 + digits[3];
    bool well = at - *text == 5 && (*text)[2] == ':';
    *text = at;
    return well && hour < 24 && minute < 60 ? hour * 60 + minute : -1;
}

mg_status mg_night_window_parse(const char *text, struct mg_night_settings *settings, struct mg_error *err)
{
    const char *at = text;
    struct mg_night_settings window = *settings;
    window.start_min = parse_time(&at);
    window.end_min = window.start_min >= 0 && *at == '-' ? (at++, parse_time(&at)) : -1;
    if (window.end_min < 0 || *at != '\0')
        return mg_fail(err, MG_USAGE, "\"%.40s\" is not a window: write it as 02:00-05:00, in this machine's local time", text);
    mg_status status = check(&window, err);
    if (status == MG_OK) *settings = window;
    return status;
}
