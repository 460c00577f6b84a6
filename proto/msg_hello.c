/*
 * msg_hello.c - what a node says of itself when it calls. [P 5.1]
 */
#include "proto/fields.h"

void mg_put_hello(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_hello *hello = &message->as.hello;
    const struct mg_hello *state = &hello->state;
    mg_assert(state->schema_version >= 0 && state->acked_seq <= state->last_seq);
    mg_mp_put_uint(out, hello->protocol);
    mg_mp_put_uint(out, (uint64_t)state->schema_version);
    mg_mp_put_uint(out, state->incarnation);
    mg_put_position(out, &state->cursor);
    mg_mp_put_uint(out, state->acked_seq);
    mg_mp_put_uint(out, state->last_seq);
    mg_mp_put_bin(out, state->acked_hash, sizeof state->acked_hash);
    mg_mp_put_uint(out, hello->window);
    mg_mp_put_uint(out, hello->chunk_units);
    mg_mp_put_bool(out, hello->by_name);
}

void mg_get_hello(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_hello *hello = &message->as.hello;
    struct mg_hello *state = &hello->state;
    hello->protocol = mg_get_number(in, MG_NUMBER_MAX);
    state->schema_version = (int)mg_get_number(in, INT32_MAX);
    state->incarnation = mg_get_number(in, MG_NUMBER_MAX);
    mg_get_position(in, &state->cursor);
    state->acked_seq = mg_get_number(in, MG_NUMBER_MAX);
    state->last_seq = mg_get_number(in, MG_NUMBER_MAX);
    mg_mp_get_bin_exact(in, state->acked_hash, sizeof state->acked_hash);
    hello->window = mg_get_number(in, MG_WINDOW_CHUNKS);
    hello->chunk_units = mg_get_number(in, MG_CHUNK_UNITS_MAX);
    hello->by_name = mg_mp_get_bool(in);
    if (state->acked_seq > state->last_seq) mg_mp_refuse(in, "more receipts than commits");
    if (hello->window == 0 || hello->chunk_units == 0) mg_mp_refuse(in, "no room for a chunk");
}
