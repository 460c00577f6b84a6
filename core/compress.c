/*
 * compress.c - the frame header is read here first, and by zstd only when it is modest.
 *
 * zstd's own window limit is no help to us: it holds for streaming only, and not even
 * there when the output is given whole. The header is ten lines of RFC 8878, so they
 * are written here, and what zstd says afterwards is compared with them.
 */
#include "core/compress.h"

#include <zstd.h>

enum {
    HEADER_FIXED = 5, /* magic number and descriptor */
    DICTIONARY_FLAG = 0x03,
    RESERVED_BIT = 0x08,
    SINGLE_SEGMENT = 0x20,
    WINDOW_MAX = 1 << MG_ZSTD_WINDOW_LOG_MAX
};

static const uint8_t MAGIC[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878, 3.1.1 */

/* Our own numbers: a refusal is a bug here, not a matter of data. */
static void set(ZSTD_CCtx *compressor, ZSTD_cParameter parameter, int value)
{
    mg_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor, parameter, value)));
}

mg_status mg_zstd_init(struct mg_zstd *zstd)
{
    zstd->compressor = ZSTD_createCCtx();
    zstd->decompressor = ZSTD_createDCtx();
    if (zstd->compressor == NULL || zstd->decompressor == NULL) {
        mg_zstd_free(zstd);
        return MG_FAILED;
    }
    set(zstd->compressor, ZSTD_c_windowLog, MG_ZSTD_WINDOW_LOG_MAX);
    set(zstd->compressor, ZSTD_c_contentSizeFlag, 1);
    set(zstd->compressor, ZSTD_c_checksumFlag, 0); /* Noise and signatures do better */
    return MG_OK;
}

void mg_zstd_free(struct mg_zstd *zstd)
{
    (void)ZSTD_freeCCtx(zstd->compressor);
    (void)ZSTD_freeDCtx(zstd->decompressor);
    *zstd = (struct mg_zstd){0};
}

mg_status mg_zstd_compress(struct mg_zstd *zstd, struct mg_bytes in, int level, struct mg_buf *out)
{
    mg_assert(out->len <= out->max);
    size_t before = out->len;
    size_t bound = ZSTD_compressBound(in.len);
    size_t room = bound < out->max - before ? bound : out->max - before;
    uint8_t *to = mg_buf_extend(out, room);
    if (to == NULL) return MG_FAILED;

    /* A call that failed for want of room leaves its frame half written in the context, and zstd
     * lets parameters be set between frames only. */
    mg_assert(!ZSTD_isError(ZSTD_CCtx_reset(zstd->compressor, ZSTD_reset_session_only)));
    set(zstd->compressor, ZSTD_c_compressionLevel, level);
    size_t size = ZSTD_compress2(zstd->compressor, to, room, in.data, in.len);
    out->len = before + (ZSTD_isError(size) ? 0 : size);
    return ZSTD_isError(size) ? MG_FAILED : MG_OK;
}

/* The Frame_Content_Size field; what it says depends on its width
 * (RFC 8878, 3.1.1.1.4). */
static uint64_t content_size(const uint8_t *field, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) value |= (uint64_t)field[i] << (8 * i);
    return width == 2 ? value + 256 : value;
}

/* RFC 8878, 3.1.1.1.2: exponent in five bits, eighths in three. */
static uint64_t window_size(uint8_t descriptor)
{
    uint64_t base = UINT64_C(1) << (10 + (descriptor >> 3));
    return base + base / 8 * (descriptor & 7U);
}

static bool has_our_magic(struct mg_bytes in)
{
    for (size_t i = 0; i < sizeof MAGIC; i++) {
        if (in.data[i] != MAGIC[i]) return false;
    }
    return true;
}

/* Reads the header; true, with the content's size, when it keeps our rules. */
static bool read_header(struct mg_bytes in, size_t max_out, size_t *size)
{
    if (in.len < HEADER_FIXED || !has_our_magic(in)) return false;
    uint8_t descriptor = in.data[sizeof MAGIC];
    if ((descriptor & (DICTIONARY_FLAG | RESERVED_BIT)) != 0) return false;

    bool single = (descriptor & SINGLE_SEGMENT) != 0;
    size_t width = (size_t)1 << (descriptor >> 6);
    if (width == 1 && !single) return false; /* no content size in this header */
    size_t window_bytes = single ? 0 : 1;
    if (in.len - HEADER_FIXED < window_bytes + width) return false;

    uint64_t content = content_size(in.data + HEADER_FIXED + window_bytes, width);
    uint64_t window = single ? content : window_size(in.data[HEADER_FIXED]);
    if (window > WINDOW_MAX || content > max_out) return false;
    *size = (size_t)content;
    return true;
}

mg_status mg_zstd_decompress(struct mg_zstd *zstd, struct mg_bytes in, size_t max_out,
                             struct mg_buf *out)
{
    size_t size = 0;
    if (!read_header(in, max_out, &size)) return MG_BAD_BYTES;
    /* Exactly one frame: zstd itself would go on with a second one, or with a skippable one. */
    if (ZSTD_findFrameCompressedSize(in.data, in.len) != in.len) return MG_BAD_BYTES;

    size_t before = out->len;
    uint8_t *to = mg_buf_extend(out, size);
    if (to == NULL) return MG_FAILED;
    if (ZSTD_decompressDCtx(zstd->decompressor, to, size, in.data, in.len) == size) return MG_OK;
    out->len = before;
    return MG_BAD_BYTES;
}
