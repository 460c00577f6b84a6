/*
 * manifest.c - its bytes, its signature, its id.
 */
#include "core/snapshot/manifest.h"

#include <stdlib.h>
#include <string.h>

void mg_manifest_free(struct mg_manifest *manifest)
{
    free(manifest->histories);
    manifest->histories = NULL;
    manifest->history_count = 0;
}

void mg_manifest_info(const struct mg_manifest *manifest, struct mg_snapshot_info *info)
{
    memset(info, 0, sizeof *info);
    memcpy(info->id, manifest->id, sizeof info->id);
    info->at = manifest->at;
    info->hub_time = manifest->hub_time;
    info->blocks = manifest->blocks;
    info->rows = manifest->rows;
    info->commits = manifest->commits;
    info->bytes = manifest->bytes;
}

static int by_bytes(const void *a, const void *b) { return strcmp(a, b); }

void mg_scopes_sort(const char scopes[][MG_SCOPE_MAX + 1], int count, char sorted[][MG_SCOPE_MAX + 1])
{
    if (count > 0) memcpy(sorted, scopes, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_bytes);
}

void mg_scopes_join(const char sorted[][MG_SCOPE_MAX + 1], int count, char text[MG_SCOPES_TEXT_MAX])
{
    size_t len = 0;
    text[0] = '\0';
    for (int i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, MG_SCOPES_TEXT_MAX - len, i == 0 ? "%s" : " %s", sorted[i]);
}

void mg_blocks_hash_start(struct mg_hasher *hasher) { mg_hash_start(hasher, "maillage blocks v1", MG_HASH_LEN); }

void mg_blocks_hash_add(struct mg_hasher *hasher, struct mg_bytes block)
{
    uint8_t hash[MG_HASH_LEN];
    mg_hash("maillage block v1", block.data, block.len, hash, sizeof hash);
    mg_hash_add(hasher, hash, sizeof hash);
}

/* What is signed; the id is its beginning. */
static void body_hash(struct mg_bytes body, uint8_t hash[MG_HASH_LEN])
{
    mg_hash("maillage snapshot v1", body.data, body.len, hash, MG_HASH_LEN);
}

static void put_text(struct mg_buf *out, const char *text) { mg_mp_put_str(out, text, strlen(text)); }

static void write_body(const struct mg_manifest *manifest, struct mg_buf *out)
{
    mg_mp_put_array(out, 13);
    mg_mp_put_array(out, (uint32_t)manifest->scope_count);
    for (int i = 0; i < manifest->scope_count; i++) put_text(out, manifest->scopes[i]);
    mg_mp_put_uint(out, manifest->at.history);
    mg_mp_put_uint(out, manifest->at.n);
    mg_mp_put_uint(out, (uint64_t)manifest->hub_time);
    mg_mp_put_uint(out, (uint64_t)manifest->schema_version);
    mg_mp_put_array(out, (uint32_t)manifest->digest_count);
    for (int i = 0; i < manifest->digest_count; i++) {
        mg_mp_put_array(out, 2);
        put_text(out, manifest->digests[i].scope);
        mg_mp_put_bin(out, manifest->digests[i].digest, MG_DIGEST_LEN);
    }
    mg_mp_put_uint(out, manifest->rows);
    mg_mp_put_uint(out, manifest->commits);
    mg_mp_put_uint(out, manifest->blocks);
    mg_mp_put_uint(out, manifest->bytes);
    mg_mp_put_array(out, manifest->history_count);
    for (uint32_t i = 0; i < manifest->history_count; i++) {
        mg_mp_put_array(out, 3);
        mg_mp_put_uint(out, manifest->histories[i].id);
        mg_mp_put_uint(out, manifest->histories[i].parent);
        mg_mp_put_uint(out, manifest->histories[i].fork);
    }
    mg_mp_put_array(out, (uint32_t)manifest->tail_count);
    for (int i = 0; i < manifest->tail_count; i++) {
        mg_mp_put_array(out, 2);
        mg_mp_put_uint(out, manifest->tails[i].history);
        mg_mp_put_uint(out, manifest->tails[i].n);
    }
    mg_mp_put_bin(out, manifest->hash, MG_HASH_LEN);
}

void mg_manifest_write(struct mg_manifest *manifest, const uint8_t secret[MG_SIGN_SECRET_LEN], struct mg_buf *out)
{
    struct mg_buf body;
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN];
    mg_buf_init(&body, MG_BLOCK_MAX);
    write_body(manifest, &body);
    mg_assert(!body.failed);
    body_hash(mg_buf_bytes(&body), hash);
    memcpy(manifest->id, hash, sizeof manifest->id);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, secret);
    mg_mp_put_array(out, 2);
    mg_buf_put(out, body.data, body.len);
    mg_mp_put_bin(out, signature, sizeof signature);
    mg_buf_free(&body);
}

/* --- reading --- */

static uint64_t get_number(struct mg_mp_reader *in, uint64_t max)
{
    uint64_t number = mg_mp_get_uint(in);
    if (number <= max) return number;
    mg_mp_refuse(in, "a number is out of range");
    return 0;
}

static void get_path(struct mg_mp_reader *in, char path[MG_SCOPE_MAX + 1])
{
    struct mg_bytes text = mg_mp_get_str(in, MG_SCOPE_MAX);
    if (text.len > 0) memcpy(path, text.data, text.len);
    path[text.len] = '\0';
}

static void get_scopes(struct mg_mp_reader *in, struct mg_manifest *manifest)
{
    manifest->scope_count = (int)mg_mp_get_array(in, MG_SCOPES_MAX);
    for (int i = 0; i < manifest->scope_count; i++) {
        get_path(in, manifest->scopes[i]);
        if (i > 0 && strcmp(manifest->scopes[i - 1], manifest->scopes[i]) >= 0) mg_mp_refuse(in, "scopes are out of order");
    }
}

static void get_digests(struct mg_mp_reader *in, struct mg_manifest *manifest)
{
    manifest->digest_count = (int)mg_mp_get_array(in, 3 * MG_SCOPES_MAX);
    for (int i = 0; i < manifest->digest_count; i++) {
        struct mg_scope_digest *digest = &manifest->digests[i];
        mg_mp_expect_array(in, 2);
        get_path(in, digest->scope);
        mg_mp_get_bin_exact(in, digest->digest, MG_DIGEST_LEN);
        if (i > 0 && strcmp(manifest->digests[i - 1].scope, digest->scope) >= 0) mg_mp_refuse(in, "digests are out of order");
        if (!mg_scopes_read(manifest->scopes, manifest->scope_count, digest->scope)) mg_mp_refuse(in, "a digest of a scope that nobody asked for");
    }
}

static void get_histories(struct mg_mp_reader *in, struct mg_manifest *manifest)
{
    uint32_t count = mg_mp_get_array(in, MG_HISTORIES_MAX);
    manifest->histories = calloc((size_t)count + 1, sizeof *manifest->histories);
    mg_assert(manifest->histories != NULL);
    manifest->history_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct mg_history *history = &manifest->histories[i];
        mg_mp_expect_array(in, 3);
        history->id = get_number(in, INT64_MAX);
        history->parent = get_number(in, INT64_MAX);
        history->fork = get_number(in, INT64_MAX);
        if (history->id == 0 || history->id == history->parent) mg_mp_refuse(in, "a history is its own parent");
    }
}

static void get_body(struct mg_mp_reader *in, struct mg_manifest *manifest)
{
    mg_mp_expect_array(in, 13);
    get_scopes(in, manifest);
    manifest->at.history = get_number(in, INT64_MAX);
    manifest->at.n = get_number(in, INT64_MAX);
    manifest->hub_time = (int64_t)get_number(in, INT64_MAX);
    manifest->schema_version = (int)get_number(in, INT32_MAX);
    get_digests(in, manifest);
    manifest->rows = get_number(in, UINT32_MAX);
    manifest->commits = get_number(in, UINT32_MAX);
    manifest->blocks = (uint32_t)get_number(in, MG_BLOCKS_MAX);
    manifest->bytes = get_number(in, INT64_MAX);
    get_histories(in, manifest);
    manifest->tail_count = (int)mg_mp_get_array(in, MG_SEEN_MAX);
    for (int i = 0; i < manifest->tail_count; i++) {
        mg_mp_expect_array(in, 2);
        manifest->tails[i] = (struct mg_position){.history = get_number(in, INT64_MAX)};
        manifest->tails[i].n = get_number(in, INT64_MAX);
    }
    mg_mp_get_bin_exact(in, manifest->hash, MG_HASH_LEN);
    if (manifest->at.history == 0 || manifest->at.n == 0 || manifest->blocks == 0 || manifest->scope_count == 0)
        mg_mp_refuse(in, "it is of nothing");
}

mg_status mg_manifest_read(struct mg_bytes bytes, const uint8_t hub[MG_KEY_LEN], struct mg_manifest *manifest, struct mg_error *err)
{
    struct mg_mp_reader in;
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN];
    memset(manifest, 0, sizeof *manifest);
    mg_mp_read(&in, bytes.data, bytes.len);
    mg_mp_expect_array(&in, 2);
    size_t from = in.pos;
    if (in.error == NULL) get_body(&in, manifest);
    struct mg_bytes body = {bytes.data + from, in.pos - from};
    mg_mp_get_bin_exact(&in, signature, sizeof signature);
    mg_status status = MG_OK;
    if (!mg_mp_done(&in)) status = mg_fail(err, MG_BAD_BYTES, "a snapshot's manifest is damaged: %s", in.error);
    else {
        body_hash(body, hash);
        memcpy(manifest->id, hash, sizeof manifest->id);
        if (crypto_sign_verify_detached(signature, hash, sizeof hash, hub) != 0)
            status = mg_fail(err, MG_BAD_BYTES, "a snapshot is not signed by the hub");
    }
    if (status != MG_OK) mg_manifest_free(manifest);
    return status;
}
