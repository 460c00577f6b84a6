/*
 * msg_ack.c - a chunk is durable on the node; its end position says which. [P 5.7]
 */
#include "proto/fields.h"

void mg_put_ack(struct mg_buf *out, const struct mg_message *message)
{
    mg_put_position(out, &message->as.ack.cursor);
}

void mg_get_ack(struct mg_mp_reader *in, struct mg_message *message)
{
    mg_get_position(in, &message->as.ack.cursor);
}
