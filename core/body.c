/*
 * body.c - the content of a commit as the log keeps it: compressed where that is worth it.
 *
 * A body is a canonical array [P 4.1], so its first byte is never that of a zstd frame; what is kept says by itself
 * which of the two it is. Nothing that is hashed or sent is the compressed form.
 */
#include "core/compress.h"
#include "core/engine.h"

enum {
    OWN_FROM = 256,    /* bytes; below, ids are most of it */
    OTHER_FROM = 2048, /* what others wrote comes in thousands at once, and a small body costs as much to compress as to merge */
    LEVEL = 1,         /* each transaction of a person waits for it */
    FRAME_BYTE = 0x28,
};

static struct mg_zstd *packer(struct mg_conn *conn)
{
    if (conn->zstd != NULL) return conn->zstd;
    struct mg_zstd *zstd = malloc(sizeof *zstd);
    if (zstd == NULL || mg_zstd_init(zstd) != MG_OK) {
        free(zstd);
        return NULL;
    }
    return conn->zstd = zstd;
}

void mg_body_bind(struct mg_conn *conn, sqlite3_stmt *stmt, int index, struct mg_bytes body, bool own)
{
    struct mg_buf *packed = &conn->packed;
    struct mg_zstd *zstd = body.len >= (own ? OWN_FROM : OTHER_FROM) ? packer(conn) : NULL;
    mg_buf_clear(packed);
    bool good = zstd != NULL && mg_zstd_compress(zstd, body, LEVEL, packed) == MG_OK && packed->len < body.len - body.len / 8;
    if (good) sqlite3_bind_blob64(stmt, index, packed->data, packed->len, SQLITE_STATIC);
    else if (body.data != NULL) sqlite3_bind_blob64(stmt, index, body.data, body.len, SQLITE_STATIC);
    else sqlite3_bind_null(stmt, index);
}

static bool is_body(struct mg_bytes bytes)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, bytes.data, bytes.len);
    if (mg_mp_peek(&in) != MG_MP_ARRAY) return false;
    mg_mp_skip(&in);
    return mg_mp_done(&in);
}

mg_status mg_body_column(struct mg_conn *conn, sqlite3_stmt *stmt, int index, struct mg_bytes *body, bool *damaged, struct mg_error *err)
{
    *body = (struct mg_bytes){sqlite3_column_blob(stmt, index), (size_t)sqlite3_column_bytes(stmt, index)};
    *damaged = sqlite3_column_type(stmt, index) != SQLITE_NULL && (body->len == 0 || (body->data[0] != FRAME_BYTE && !is_body(*body)));
    if (body->len == 0 || body->data[0] != FRAME_BYTE) return MG_OK;
    struct mg_zstd *zstd = packer(conn);
    if (zstd == NULL) return mg_fail(err, MG_STORAGE, "out of memory for a commit");
    mg_buf_clear(&conn->unpacked);
    mg_status status = mg_zstd_decompress(zstd, *body, conn->unpacked.max, &conn->unpacked);
    if (status == MG_FAILED) return mg_fail(err, MG_STORAGE, "out of memory for a commit");
    *damaged = status != MG_OK || !is_body(mg_buf_bytes(&conn->unpacked));
    if (!*damaged) *body = mg_buf_bytes(&conn->unpacked);
    return MG_OK;
}

void mg_body_free(struct mg_conn *conn)
{
    if (conn->zstd != NULL) mg_zstd_free(conn->zstd);
    free(conn->zstd);
    conn->zstd = NULL;
    mg_buf_free(&conn->packed);
    mg_buf_free(&conn->unpacked);
}
