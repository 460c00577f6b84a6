/*
 * msg_compare.c - the node asks for a scope's verdicts one by one, because their sum is not its own. [P 5.14]
 */
#include "proto/fields.h"

void mg_put_compare(struct mg_buf *out, const struct mg_message *message)
{
    mg_put_text(out, message->as.compare.scope);
    mg_mp_put_bin(out, message->as.compare.after, MG_ID_LEN);
}

void mg_get_compare(struct mg_mp_reader *in, struct mg_message *message)
{
    mg_get_text(in, message->as.compare.scope, MG_SCOPE_MAX);
    mg_mp_get_bin_exact(in, message->as.compare.after, MG_ID_LEN);
}
