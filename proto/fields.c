/*
 * fields.c - positions, histories and texts, written once and read with suspicion.
 */
#include "proto/fields.h"

#include <stdlib.h>
#include <string.h>

uint64_t mg_get_number(struct mg_mp_reader *in, uint64_t max)
{
    uint64_t value = mg_mp_get_uint(in);
    if (value <= max) return value;
    mg_mp_refuse(in, "number over its limit");
    return 0;
}

void mg_put_position(struct mg_buf *out, const struct mg_position *position)
{
    mg_mp_put_array(out, 2);
    mg_mp_put_uint(out, position->history);
    mg_mp_put_uint(out, position->n);
}

void mg_get_position(struct mg_mp_reader *in, struct mg_position *position)
{
    mg_mp_expect_array(in, 2);
    position->history = mg_get_number(in, MG_NUMBER_MAX);
    position->n = mg_get_number(in, MG_NUMBER_MAX);
    if (position->history == 0 && position->n != 0) {
        mg_mp_refuse(in, "position without a history");
    }
}

void mg_put_histories(struct mg_buf *out, const struct mg_history *histories, int count)
{
    mg_assert(count >= 0 && count <= MG_HISTORIES_MAX);
    mg_mp_put_array(out, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        mg_mp_put_array(out, 3);
        mg_mp_put_uint(out, histories[i].id);
        mg_mp_put_uint(out, histories[i].parent);
        mg_mp_put_uint(out, histories[i].fork);
    }
}

static void get_history(struct mg_mp_reader *in, struct mg_history *history)
{
    mg_mp_expect_array(in, 3);
    history->id = mg_get_number(in, MG_NUMBER_MAX);
    history->parent = mg_get_number(in, MG_NUMBER_MAX);
    history->fork = mg_get_number(in, MG_NUMBER_MAX);
    if (history->id == 0 || history->id == history->parent) {
        mg_mp_refuse(in, "history that is its own parent or none");
    }
    if (history->parent == 0 && history->fork != 0) {
        mg_mp_refuse(in, "history that continues nothing at a number");
    }
}

void mg_get_histories(struct mg_mp_reader *in, struct mg_history **histories, int *count)
{
    *count = 0;
    uint32_t announced = mg_mp_get_array(in, MG_HISTORIES_MAX);
    if (announced == 0) return;
    struct mg_history *list = calloc(announced, sizeof *list);
    if (list == NULL) {
        mg_mp_refuse(in, "no memory for the histories");
        return;
    }
    for (uint32_t i = 0; i < announced; i++) get_history(in, &list[i]);
    *histories = list;
    *count = (int)announced;
}

void mg_put_text(struct mg_buf *out, const char *text)
{
    mg_mp_put_str(out, text, strlen(text));
}

void mg_get_text(struct mg_mp_reader *in, char *out, size_t max)
{
    struct mg_bytes text = mg_mp_get_str(in, max);
    if (text.len > 0) memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}
