/*
 * msg_block.c - a part of a snapshot, as opaque bytes; number 0 is its manifest. [P 5.17]
 */
#include "proto/fields.h"

void mg_put_block(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_block *block = &message->as.block;
    mg_assert(block->number <= MG_BLOCKS_MAX && block->bytes.len <= MG_BLOCK_MAX && (block->number == 0 || block->bytes.len > 0));
    mg_mp_put_uint(out, block->number);
    mg_mp_put_bin(out, block->bytes.data, block->bytes.len);
}

void mg_get_block(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_block *block = &message->as.block;
    block->number = mg_get_number(in, MG_BLOCKS_MAX);
    block->bytes = mg_mp_get_bin(in, MG_BLOCK_MAX);
    if (block->number > 0 && block->bytes.len == 0) mg_mp_refuse(in, "empty block");
}
