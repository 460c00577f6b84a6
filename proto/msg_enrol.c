/*
 * msg_enrol.c - a new device shows its signing key. [P 5.11]
 */
#include "proto/fields.h"

void mg_put_enrol(struct mg_buf *out, const struct mg_message *message)
{
    mg_mp_put_uint(out, message->as.enrol.protocol);
    mg_mp_put_bin(out, message->as.enrol.sign_public, MG_KEY_LEN);
}

void mg_get_enrol(struct mg_mp_reader *in, struct mg_message *message)
{
    message->as.enrol.protocol = mg_get_number(in, MG_NUMBER_MAX);
    mg_mp_get_bin_exact(in, message->as.enrol.sign_public, MG_KEY_LEN);
}
