/*
 * msg_error.c - why this side ends the session, for the other side's people. [P 5.10]
 */
#include "proto/fields.h"

#include <string.h>

void mg_put_error(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_error *error = &message->as.error;
    mg_assert(error->code != MG_ERROR_NONE && error->seconds <= MG_RETRY_SECONDS_MAX);
    mg_mp_put_uint(out, error->code);
    mg_mp_put_uint(out, error->seconds);
    /* The sentence may quote data of doubtful origin: better none than an unreadable message. */
    mg_put_text(out, mg_mp_is_text(error->text, strlen(error->text)) ? error->text : "");
}

void mg_get_error(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_error *error = &message->as.error;
    error->code = mg_get_number(in, UINT8_MAX);
    error->seconds = mg_get_number(in, MG_RETRY_SECONDS_MAX);
    mg_get_text(in, error->text, MG_ERROR_TEXT_MAX);
    if (error->code == MG_ERROR_NONE) mg_mp_refuse(in, "error without a code");
}
