/*
 * msg_verdicts.c - the hub's answer to COMPARE: who has which verdict, as hashes. [P 5.15]
 */
#include "proto/fields.h"

void mg_put_verdicts(struct mg_buf *out, const struct mg_message *message)
{
    mg_mp_put_bool(out, message->as.verdicts.last);
    mg_mp_put_bin(out, message->as.verdicts.page.data, message->as.verdicts.page.len);
}

void mg_get_verdicts(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_verdicts *verdicts = &message->as.verdicts;
    verdicts->last = mg_mp_get_bool(in);
    verdicts->page = mg_mp_get_bin(in, (size_t)MG_VERDICTS_A_PAGE * MG_VERDICT_ENTRY_LEN);
    if (verdicts->page.len % MG_VERDICT_ENTRY_LEN != 0 || (verdicts->page.len == 0 && !verdicts->last))
        mg_mp_refuse(in, "a page of verdicts is no whole one");
}
