/*
 * msg_lineage.c - where the node's cursor comes from, for a hub that does not know. [P 5.13]
 */
#include "proto/fields.h"

void mg_put_lineage(struct mg_buf *out, const struct mg_message *message)
{
    mg_put_histories(out, message->as.lineage.histories, message->as.lineage.history_count);
}

void mg_get_lineage(struct mg_mp_reader *in, struct mg_message *message)
{
    mg_get_histories(in, &message->histories, &message->as.lineage.history_count);
    message->as.lineage.histories = message->histories;
}
