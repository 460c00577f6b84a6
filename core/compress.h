/*
 * compress.h - zstd, with every ceiling set before a byte is believed.
 *
 * What we accept is a small part of RFC 8878: exactly one frame, its content size
 * in the header, a window of at most 1 MiB, no dictionary; no skippable frame, no
 * older format, no byte after the frame. So the header alone says what a message
 * will cost, and a bomb is refused for the price of reading 18 bytes.
 *
 * The contexts (the greater part of zstd's memory) are made once and lent to every
 * call. The same bytes, level and zstd version give the same frame; another version
 * may give another, so nothing that is hashed or signed is a compressed form.
 */
#ifndef MG_CORE_COMPRESS_H
#define MG_CORE_COMPRESS_H

#include "core/buf.h"
#include "core/status.h"

enum { MG_ZSTD_WINDOW_LOG_MAX = 20 };

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct mg_zstd {
    struct ZSTD_CCtx_s *compressor;
    struct ZSTD_DCtx_s *decompressor;
};

/* Allocates both contexts; MG_FAILED when memory runs out. */
mg_status mg_zstd_init(struct mg_zstd *zstd) MG_MUST_CHECK;
void mg_zstd_free(struct mg_zstd *zstd);

/* Appends IN as one frame to OUT. MG_FAILED, and OUT as before, when OUT's ceiling is too low. */
mg_status mg_zstd_compress(struct mg_zstd *zstd, struct mg_bytes in, int level,
                           struct mg_buf *out) MG_MUST_CHECK;

/* Appends the content of the one frame IN, at most MAX_OUT bytes, to OUT. MG_BAD_BYTES for a frame
 * that is not as above, MG_FAILED when OUT's ceiling is too low; OUT is then as before. IN must not
 * lie in OUT. */
mg_status mg_zstd_decompress(struct mg_zstd *zstd, struct mg_bytes in, size_t max_out,
                             struct mg_buf *out) MG_MUST_CHECK;

#endif
