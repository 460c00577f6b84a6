/*
 * sizer.c - double while the result is below half the ceiling, halve when it is above.
 *
 * Between half the ceiling and the ceiling nothing changes, so that data of even
 * compressibility settles after a few messages and nothing is loaded twice.
 */
#include "sync/sizer.h"

void mg_sizer_init(struct mg_sizer *sizer, size_t wire_max, size_t most)
{
    /* An eighth is what edits compress to, a third new rows. Too much is loaded twice, too little is a message more. */
    size_t ask = wire_max < most / 8 ? wire_max * 8 : most;
    *sizer = (struct mg_sizer){.ask = ask < wire_max ? wire_max : ask, .most = most, .wire_max = wire_max};
}

bool mg_sizer_fits(struct mg_sizer *sizer, size_t raw, size_t wire)
{
    if (wire > sizer->wire_max && sizer->ask > sizer->wire_max) {
        sizer->ask /= 2;
        if (sizer->ask < sizer->wire_max) sizer->ask = sizer->wire_max;
        return false;
    }
    /* RAW well below what was asked for says that there was no more, and nothing about size. */
    if (wire <= sizer->wire_max / 2 && raw > sizer->ask / 2) {
        sizer->ask = sizer->ask > sizer->most / 2 ? sizer->most : sizer->ask * 2;
    }
    return true;
}
