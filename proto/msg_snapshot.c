/*
 * msg_snapshot.c - what the node has staged of a snapshot: where to go on, and what arrived. [P 5.16]
 */
#include "proto/fields.h"

void mg_put_snapshot(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_snapshot *snapshot = &message->as.snapshot;
    mg_assert(snapshot->block <= MG_BLOCKS_MAX);
    mg_mp_put_bin(out, snapshot->id, sizeof snapshot->id);
    mg_mp_put_uint(out, snapshot->block);
}

void mg_get_snapshot(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_snapshot *snapshot = &message->as.snapshot;
    mg_mp_get_bin_exact(in, snapshot->id, sizeof snapshot->id);
    snapshot->block = mg_get_number(in, MG_BLOCKS_MAX);
}
