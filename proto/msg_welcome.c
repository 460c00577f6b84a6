/*
 * msg_welcome.c - what the hub knows of the node, and where its sequence goes on. [P 5.2]
 */
#include "proto/fields.h"

enum { LINEAGE_WANTED = 1, REFILL = 2, SNAPSHOT = 4, ALL_FLAGS = 7 };

void mg_put_welcome(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_welcome *welcome = &message->as.welcome;
    const struct mg_welcome *state = &welcome->state;
    mg_assert(state->hub_time >= 0);
    mg_mp_put_uint(out, welcome->protocol);
    mg_mp_put_uint(out, state->known_seq);
    mg_mp_put_bin(out, state->known_hash, sizeof state->known_hash);
    mg_mp_put_uint(out, (state->lineage_wanted ? LINEAGE_WANTED : 0u) | (state->refill ? REFILL : 0u) | (state->snapshot ? SNAPSHOT : 0u));
    mg_mp_put_uint(out, state->resume);
    mg_mp_put_uint(out, (uint64_t)state->hub_time);
    mg_mp_put_uint(out, state->runs);
    mg_put_histories(out, state->histories, state->history_count);
}

void mg_get_welcome(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_welcome *welcome = &message->as.welcome;
    struct mg_welcome *state = &welcome->state;
    welcome->protocol = mg_get_number(in, MG_NUMBER_MAX);
    state->known_seq = mg_get_number(in, MG_NUMBER_MAX);
    mg_mp_get_bin_exact(in, state->known_hash, sizeof state->known_hash);
    uint64_t flags = mg_get_number(in, ALL_FLAGS);
    state->lineage_wanted = flags & LINEAGE_WANTED;
    state->refill = flags & REFILL;
    state->snapshot = flags & SNAPSHOT;
    state->resume = mg_get_number(in, MG_NUMBER_MAX);
    state->hub_time = (int64_t)mg_get_number(in, MG_NUMBER_MAX);
    state->runs = mg_get_number(in, MG_NUMBER_MAX);
    mg_get_histories(in, &message->histories, &state->history_count);
    state->histories = message->histories;
}
