/*
 * msg_receipt.c - the hub's signed answer to a batch, as opaque bytes. [P 5.4]
 */
#include "proto/fields.h"

void mg_put_receipt(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_receipt *receipt = &message->as.receipt;
    mg_assert(receipt->receipt.len > 0 && receipt->receipt.len <= MG_RECEIPT_MAX);
    mg_mp_put_bin(out, receipt->receipt.data, receipt->receipt.len);
}

void mg_get_receipt(struct mg_mp_reader *in, struct mg_message *message)
{
    message->as.receipt.receipt = mg_mp_get_bin(in, MG_RECEIPT_MAX);
    if (message->as.receipt.receipt.len == 0) mg_mp_refuse(in, "empty receipt");
}
