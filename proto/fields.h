/*
 * fields.h - the few shapes that several messages share. [P 5]
 *
 * Private to proto/. Readers are sticky, like mp.h.
 */
#ifndef MG_PROTO_FIELDS_H
#define MG_PROTO_FIELDS_H

#include "proto/messages.h"

/* [P 2.3] A number below 2^63: what SQLite and a signed integer can hold. */
uint64_t mg_get_number(struct mg_mp_reader *in, uint64_t max);
#define MG_NUMBER_MAX ((uint64_t)INT64_MAX)

/* [P 5] position = [history, n]; without a history, n is 0. */
void mg_put_position(struct mg_buf *out, const struct mg_position *position);
void mg_get_position(struct mg_mp_reader *in, struct mg_position *position);

/* [P 5] histories = [[id, parent, fork], ...]. Gives *HISTORIES (NULL when there is none). */
void mg_put_histories(struct mg_buf *out, const struct mg_history *histories, int count);
void mg_get_histories(struct mg_mp_reader *in, struct mg_history **histories, int *count);

/* Text into an array of MAX + 1 bytes, NUL at the end. */
void mg_put_text(struct mg_buf *out, const char *text);
void mg_get_text(struct mg_mp_reader *in, char *out, size_t max);

#endif
