/*
 * msg_bye.c - the node's last word: how far it got, whether digests and verdicts agreed, how it went. [P 5.9]
 */
#include "proto/fields.h"

void mg_put_bye(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_bye *bye = &message->as.bye;
    mg_put_position(out, &bye->cursor);
    mg_mp_put_bool(out, bye->complete);
    mg_mp_put_bool(out, bye->digests_agree);
    mg_mp_put_bool(out, bye->verdicts_agree);
    mg_mp_put_uint(out, bye->waiting);
    mg_mp_put_bin(out, bye->reports.data, bye->reports.len);
}

void mg_get_bye(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_bye *bye = &message->as.bye;
    mg_get_position(in, &bye->cursor);
    bye->complete = mg_mp_get_bool(in);
    bye->digests_agree = mg_mp_get_bool(in);
    bye->verdicts_agree = mg_mp_get_bool(in);
    bye->waiting = mg_get_number(in, MG_NUMBER_MAX);
    bye->reports = mg_mp_get_bin(in, MG_REPORTS_MAX);
}
