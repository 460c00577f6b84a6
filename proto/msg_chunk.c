/*
 * msg_chunk.c - what is new for the node, as opaque bytes with their end position. [P 5.6]
 */
#include "proto/fields.h"

void mg_put_chunk(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_chunk *chunk = &message->as.chunk;
    mg_assert(chunk->chunk.len > 0 && chunk->chunk.len <= MG_CHUNK_RAW_MAX);
    mg_mp_put_bin(out, chunk->chunk.data, chunk->chunk.len);
}

void mg_get_chunk(struct mg_mp_reader *in, struct mg_message *message)
{
    message->as.chunk.chunk = mg_mp_get_bin(in, MG_CHUNK_RAW_MAX);
    if (message->as.chunk.chunk.len == 0) mg_mp_refuse(in, "empty chunk");
}
