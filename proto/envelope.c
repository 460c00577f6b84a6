/*
 * envelope.c - flags, parts and compression; every rule of [P 3.3] has its line in mg_envelope_add.
 */
#include "proto/envelope.h"

enum { PART_COST = 1 + MG_NOISE_TAG + MG_FRAME_HEADER };

mg_status mg_envelope_pack(struct mg_zstd *zstd, struct mg_bytes message, struct mg_buf *scratch,
                           struct mg_parcel *parcel)
{
    mg_assert(message.len > 0 && message.len <= MG_MESSAGE_MAX);
    *parcel = (struct mg_parcel){.body = message};
    if (message.len < MG_COMPRESS_FROM) return MG_OK;

    mg_buf_clear(scratch);
    int level = message.len <= MG_COMPRESS_SMALL ? MG_COMPRESS_LEVEL_SMALL : MG_COMPRESS_LEVEL;
    mg_status status = mg_zstd_compress(zstd, message, level, scratch);
    if (status != MG_OK) return status;
    if (scratch->len < message.len) {
        *parcel = (struct mg_parcel){.compressed = true, .body = mg_buf_bytes(scratch)};
    }
    return MG_OK;
}

size_t mg_parcel_wire_size(const struct mg_parcel *parcel)
{
    size_t parts = (parcel->body.len + MG_PART_MAX - 1) / MG_PART_MAX;
    return parcel->body.len + parts * PART_COST;
}

bool mg_parcel_next(struct mg_parcel *parcel, struct mg_buf *out)
{
    size_t left = parcel->body.len;
    bool more = left > MG_PART_MAX;
    size_t len = more ? MG_PART_MAX : left;
    mg_buf_put_u8(out, (uint8_t)((parcel->compressed ? MG_PART_ZSTD : 0) | (more ? MG_PART_MORE : 0)));
    mg_buf_put(out, parcel->body.data, len);
    parcel->body = (struct mg_bytes){.data = parcel->body.data + len, .len = left - len};
    return more;
}

void mg_envelope_init(struct mg_envelope *envelope)
{
    *envelope = (struct mg_envelope){.open = false};
    mg_buf_init(&envelope->body, MG_MESSAGE_MAX);
}

void mg_envelope_free(struct mg_envelope *envelope)
{
    mg_buf_free(&envelope->body);
}

mg_status mg_envelope_add(struct mg_envelope *envelope, struct mg_bytes part, bool *whole)
{
    *whole = false;
    if (part.len < 2 || part.data[0] > (MG_PART_ZSTD | MG_PART_MORE)) return MG_BAD_BYTES;
    bool compressed = (part.data[0] & MG_PART_ZSTD) != 0;
    bool more = (part.data[0] & MG_PART_MORE) != 0;
    size_t len = part.len - 1;
    if (more && len != MG_PART_MAX) return MG_BAD_BYTES;
    if (envelope->open && compressed != envelope->compressed) return MG_BAD_BYTES;

    if (!envelope->open) mg_buf_clear(&envelope->body);
    if (len > MG_MESSAGE_MAX - envelope->body.len) return MG_BAD_BYTES;
    mg_buf_put(&envelope->body, part.data + 1, len);
    if (envelope->body.failed) return MG_FAILED;
    envelope->open = more;
    envelope->compressed = compressed;
    *whole = !more;
    return MG_OK;
}

mg_status mg_envelope_open(struct mg_envelope *envelope, struct mg_zstd *zstd, struct mg_buf *out,
                           struct mg_bytes *message)
{
    mg_assert(!envelope->open && envelope->body.len > 0);
    *message = mg_buf_bytes(&envelope->body);
    if (!envelope->compressed) return MG_OK;
    mg_buf_clear(out);
    mg_status status = mg_zstd_decompress(zstd, *message, MG_MESSAGE_MAX, out);
    *message = mg_buf_bytes(out);
    return status;
}
