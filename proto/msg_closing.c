/*
 * msg_closing.c - the last message of a bundle: how many came before it. [P 5.18]
 */
#include "proto/fields.h"

void mg_put_closing(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_closing *closing = &message->as.closing;
    mg_mp_put_uint(out, closing->messages);
    mg_mp_put_uint(out, closing->number);
    mg_put_position(out, &closing->refilled);
}

void mg_get_closing(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_closing *closing = &message->as.closing;
    closing->messages = mg_get_number(in, MG_NUMBER_MAX);
    closing->number = mg_get_number(in, MG_NUMBER_MAX);
    mg_get_position(in, &closing->refilled);
}
