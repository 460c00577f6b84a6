/*
 * sizer.h - how many raw bytes to ask the store for, so that they fit compressed.
 */
#ifndef MG_SYNC_SIZER_H
#define MG_SYNC_SIZER_H

#include <stdbool.h>
#include <stddef.h>

struct mg_sizer {
    size_t ask;      /* raw bytes to ask for next */
    size_t most;     /* never more than this */
    size_t wire_max; /* what must not be passed on the wire, where it can be helped */
};

void mg_sizer_init(struct mg_sizer *sizer, size_t wire_max, size_t most);

/* RAW bytes became WIRE bytes. False: too many, load again with the smaller `ask`; never so when
 * what was asked for was no more than the ceiling, because then it is one commit that is so large. */
bool mg_sizer_fits(struct mg_sizer *sizer, size_t raw, size_t wire);

#endif
