/*
 * msg_fork.c - the hub holds other commits under the node's incarnation. [P 5.5]
 */
#include "proto/fields.h"

void mg_put_fork(struct mg_buf *out, const struct mg_message *message)
{
    mg_assert(message->as.fork.run < MG_RUNS_MAX);
    mg_mp_put_uint(out, message->as.fork.run);
    mg_mp_put_uint(out, message->as.fork.base_seq);
}

void mg_get_fork(struct mg_mp_reader *in, struct mg_message *message)
{
    message->as.fork.run = mg_get_number(in, MG_RUNS_MAX - 1);
    message->as.fork.base_seq = mg_get_number(in, MG_NUMBER_MAX);
}
