/*
 * manifest.h - what the hub signs of a snapshot. [P 4.9]
 *
 *   manifest = [body, signature]
 *   body     = [scopes, history, n, hub_time, schema, digests, rows, commits, blocks, bytes, histories, tails, hash]
 */
#ifndef MG_CORE_SNAPSHOT_MANIFEST_H
#define MG_CORE_SNAPSHOT_MANIFEST_H

#include "core/engine.h"
#include "core/snapshot/snapshot.h"

struct mg_manifest {
    char scopes[MG_SCOPES_MAX][MG_SCOPE_MAX + 1]; /* granted to its readers, in the order of their bytes */
    int scope_count;
    struct mg_position at;
    int64_t hub_time;
    int schema_version;
    /* Of every scope that its readers read; blocks name a scope by its place here. Verdicts are not said. */
    struct mg_scope_digest digests[3 * MG_SCOPES_MAX];
    int digest_count;
    uint64_t rows, commits, bytes;
    uint32_t blocks;
    struct mg_history *histories; /* owned; parent 0: the first, or known by name only; blocks name a history by its place here */
    uint32_t history_count;
    struct mg_position tails[MG_SEEN_MAX]; /* of lost histories: how far authors of what is in it had read them */
    int tail_count;
    uint8_t hash[MG_HASH_LEN]; /* over the blocks' hashes */
    uint8_t id[MG_SNAPSHOT_ID_LEN]; /* of the signed bytes */
};

void mg_manifest_free(struct mg_manifest *manifest);
/* Signs and appends; sets id. */
void mg_manifest_write(struct mg_manifest *manifest, const uint8_t secret[MG_SIGN_SECRET_LEN], struct mg_buf *out);
/* MG_BAD_BYTES: damaged, or not signed with HUB's key. Gives what it owns on MG_OK. */
mg_status mg_manifest_read(struct mg_bytes bytes, const uint8_t hub[MG_KEY_LEN], struct mg_manifest *manifest, struct mg_error *err) MG_MUST_CHECK;
void mg_manifest_info(const struct mg_manifest *manifest, struct mg_snapshot_info *info);

/* SCOPES in the order of their bytes, separated by a space: the same set is the same text. */
enum { MG_SCOPES_TEXT_MAX = MG_SCOPES_MAX * (MG_SCOPE_MAX + 1) };
void mg_scopes_sort(const char scopes[][MG_SCOPE_MAX + 1], int count, char sorted[][MG_SCOPE_MAX + 1]);
void mg_scopes_join(const char sorted[][MG_SCOPE_MAX + 1], int count, char text[MG_SCOPES_TEXT_MAX]);

/* Adds block NUMBER to the hash over all blocks. */
void mg_blocks_hash_start(struct mg_hasher *hasher);
void mg_blocks_hash_add(struct mg_hasher *hasher, struct mg_bytes block);

#endif
