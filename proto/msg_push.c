/*
 * msg_push.c - a batch of the node's commits, as opaque signed bytes. [P 5.3]
 */
#include "proto/fields.h"

void mg_put_push(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_push *push = &message->as.push;
    mg_assert(push->run < MG_RUNS_MAX && push->batch.len <= MG_BATCH_MAX);
    mg_assert(push->last || push->batch.len > 0);
    mg_mp_put_uint(out, push->run);
    mg_mp_put_bool(out, push->last);
    mg_mp_put_bool(out, push->refill);
    mg_mp_put_bin(out, push->batch.data, push->batch.len);
}

void mg_get_push(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_push *push = &message->as.push;
    push->run = mg_get_number(in, MG_RUNS_MAX - 1);
    push->last = mg_mp_get_bool(in);
    push->refill = mg_mp_get_bool(in);
    push->batch = mg_mp_get_bin(in, MG_BATCH_MAX);
    if (push->batch.len == 0 && !push->last) mg_mp_refuse(in, "empty batch that is not the last");
}
