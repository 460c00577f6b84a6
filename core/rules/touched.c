/*
 * touched.c - the set of dossiers that a transaction touched.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

/* Ids are random or hashes in their last bytes, so those serve as they are. */
static size_t slot_of(const struct mg_touched *touched, const uint8_t dossier[MG_ID_LEN])
{
    uint64_t key;
    memcpy(&key, dossier + 8, sizeof key);
    size_t mask = touched->slot_count - 1, at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask;
    while (touched->slots[at] != 0 && memcmp(touched->items[touched->slots[at] - 1].dossier, dossier, MG_ID_LEN) != 0)
        at = (at + 1) & mask;
    return at;
}

bool mg_touched_find(const struct mg_touched *touched, const uint8_t dossier[MG_ID_LEN], size_t *index)
{
    if (touched->count == 0) return false;
    uint32_t found = touched->slots[slot_of(touched, dossier)];
    *index = found - 1;
    return found != 0;
}

static void grow(struct mg_touched *touched)
{
    touched->room = touched->room > 0 ? 2 * touched->room : 64;
    touched->slot_count = 2 * touched->room;
    touched->items = realloc(touched->items, touched->room * sizeof *touched->items);
    free(touched->slots);
    touched->slots = calloc(touched->slot_count, sizeof *touched->slots);
    mg_assert(touched->items != NULL && touched->slots != NULL);
    for (size_t i = 0; i < touched->count; i++)
        touched->slots[slot_of(touched, touched->items[i].dossier)] = (uint32_t)(i + 1);
}

void mg_touched_put(struct mg_touched *touched, const uint8_t dossier[MG_ID_LEN], int64_t ord)
{
    size_t index;
    if (mg_touched_find(touched, dossier, &index)) {
        touched->items[index].ord = ord;
        return;
    }
    if (touched->count == touched->room) grow(touched);
    struct mg_touch *item = &touched->items[touched->count];
    memcpy(item->dossier, dossier, MG_ID_LEN);
    item->ord = ord;
    touched->slots[slot_of(touched, dossier)] = (uint32_t)++touched->count;
}

void mg_touched_clear(struct mg_touched *touched)
{
    if (touched->count > 0) memset(touched->slots, 0, touched->slot_count * sizeof *touched->slots);
    touched->count = 0;
}

void mg_touched_free(struct mg_touched *touched)
{
    free(touched->items);
    free(touched->slots);
    memset(touched, 0, sizeof *touched);
}
