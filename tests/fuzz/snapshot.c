/*
 * snapshot.c - snapshots of a hub that lies, or whose disk does. [P 4.9]
 *
 * Input: a byte that says how, then
 *   0, 1   items, two a block: the bits of its ids, and its content before compression. The manifest is the true one, with the
 *          hash of these blocks, signed with the hub's own key; a node that holds nothing (0) or much, some of it unsent (1), takes it
 *   2      the body of a manifest, signed here: what is read is, written again, the same
 *
 * A node takes a snapshot, and then its rows have the digests that the hub signed; or it says why not, and then nothing has
 * changed. Memory does not depend on what a block says of itself.
 */
#include <stdio.h>
#include <string.h>

#include "core/engine.h"
#include "core/snapshot/manifest.h"
#include "tests/support/fuzzing.h"
#include "tests/support/world.h"

#define MDFJ "martigues/mdfj"

enum { ANNE = 1, BASTIEN = 2, CHLOE = 3, BLOCKS = 4, DIGESTS = 3 * MG_SCOPES_MAX, LEVEL = 1 };

static struct world world, *const w = &world;
static struct mg_manifest truth; /* of what the hub holds */
static struct mg_buf blocks[BLOCKS];
static struct mg_zstd zstd;

/* --- manifests --- */

static void read_and_write(struct mg_bytes body)
{
    const struct mg_identity *hub = mg_store_identity(world_store(w, HUB));
    struct mg_buf bytes, again;
    struct mg_manifest manifest;
    struct mg_error err = {""};
    uint8_t hash[MG_HASH_LEN], signature[MG_SIGN_LEN];
    mg_buf_init(&bytes, MG_BLOCK_MAX);
    mg_buf_init(&again, MG_BLOCK_MAX);
    mg_hash("maillage snapshot v1", body.data, body.len, hash, sizeof hash);
    crypto_sign_detached(signature, NULL, hash, sizeof hash, hub->sign_secret);
    mg_mp_put_array(&bytes, 2);
    mg_buf_put(&bytes, body.data, body.len);
    mg_mp_put_bin(&bytes, signature, sizeof signature);
    mg_status status = mg_manifest_read(mg_buf_bytes(&bytes), hub->sign_public, &manifest, &err);
    FUZZ_HOLDS(status == MG_OK || (status == MG_BAD_BYTES && err.text[0] != '\0'));
    if (status == MG_OK) {
        mg_manifest_write(&manifest, hub->sign_secret, &again);
        FUZZ_HOLDS(again.len == bytes.len && memcmp(again.data, bytes.data, bytes.len) == 0);
        mg_manifest_free(&manifest);
    }
    mg_buf_free(&bytes);
    mg_buf_free(&again);
}

/* --- blocks --- */

static void digests_now(struct mg_store *store, struct mg_scope_digest digests[DIGESTS])
{
    memset(digests, 0, DIGESTS * sizeof *digests);
    (void)mg_digests_of(&store->remote, store->id.scopes, store->id.scope_count, false, MG_SCHEMA_BASE, digests);
}

static void put_block(struct mg_bytes ids, struct mg_bytes content, struct mg_buf *out)
{
    struct mg_buf packed;
    mg_buf_init(&packed, 4 * MG_BLOCK_RAW_MAX);
    FUZZ_HOLDS(mg_zstd_compress(&zstd, content, LEVEL, &packed) == MG_OK);
    mg_buf_clear(out);
    mg_mp_put_array(out, 2);
    mg_mp_put_bin(out, ids.data, ids.len);
    mg_mp_put_bin(out, packed.data, packed.len);
    mg_buf_free(&packed);
}

static void stage(struct mg_store *store, uint32_t count)
{
    struct mg_manifest manifest = truth;
    struct mg_hasher hasher;
    struct mg_buf bytes;
    struct mg_error err = {""};
    mg_buf_init(&bytes, MG_BLOCK_MAX);
    manifest.blocks = count;
    mg_blocks_hash_start(&hasher);
    for (uint32_t k = 0; k < count; k++) mg_blocks_hash_add(&hasher, mg_buf_bytes(&blocks[k]));
    mg_hash_end(&hasher, manifest.hash);
    mg_manifest_write(&manifest, mg_store_identity(world_store(w, HUB))->sign_secret, &bytes);
    FUZZ_HOLDS(mg_stage_put(store, 0, mg_buf_bytes(&bytes), &err) == MG_OK);
    for (uint32_t k = 0; k < count; k++) FUZZ_HOLDS(mg_stage_put(store, k + 1, mg_buf_bytes(&blocks[k]), &err) == MG_OK);
    mg_buf_free(&bytes);
}

static bool take(int node, uint32_t count)
{
    static struct mg_scope_digest before[DIGESTS], after[DIGESTS];
    struct mg_store *store = world_store(w, node);
    struct mg_snapshot_info info;
    struct mg_error err = {""}, why = {""};
    bool applied;
    FUZZ_HOLDS(mg_apply_begin(store, &err) == MG_OK);
    digests_now(store, before);
    stage(store, count);
    mg_status status = mg_stage_apply(store, &info, &applied, &why, &err);
    if (status != MG_OK) fprintf(stderr, "%s (%d)\n", err.text, status);
    FUZZ_HOLDS(status == MG_OK && applied == (why.text[0] == '\0'));
    digests_now(store, after);
    if (!applied) FUZZ_HOLDS(memcmp(before, after, sizeof before) == 0);
    mg_apply_rollback(store);
    return applied;
}

static bool take_input(struct fuzz_input *input, int node)
{
    struct mg_bytes ids, content;
    uint32_t count = 0;
    for (; count < BLOCKS && fuzz_item(input, &ids) && fuzz_item(input, &content); count++) put_block(ids, content, &blocks[count]);
    return count > 0 && take(node, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    switch (fuzz_byte(&input)) {
    case 0: (void)take_input(&input, CHLOE); break;
    case 1: (void)take_input(&input, ANNE); break;
    case 2: read_and_write(input.rest); break;
    default: break;
    }
    return 0;
}

/* --- the world, and seeds --- */

static void build_world(void)
{
    char p[MG_ID_TEXT_LEN + 1], q[MG_ID_TEXT_LEN + 1], parent[64];
    world_open(w, 1);
    /* Little territory: a block is to be small. */
    world_sql(w, HUB, "DELETE FROM commune WHERE insee <> '13056'; DELETE FROM antenna WHERE code NOT LIKE 'martigues/m%%'");
    FUZZ_HOLDS(world_join(w, "anne", MDFJ) == ANNE && world_join(w, "bastien", MDFJ) == BASTIEN && world_join(w, "chloe", MDFJ) == CHLOE);
    world_sync(w, ANNE);
    world_sync(w, BASTIEN);
    world_add(w, ANNE, "participant", p, "family_name=Disputé", "level=V", "commune=13056", NULL);
    world_add(w, ANNE, "participant", q, "family_name=Parti", NULL);
    snprintf(parent, sizeof parent, "participant=%s", p);
    world_add(w, ANNE, "step", NULL, parent, "kind=training", "hours=12", "starts_on=2020-02-03", NULL);
    world_add(w, ANNE, "interview", NULL, parent, "note=À rappeler", NULL);
    world_sync(w, ANNE);
    world_sync(w, BASTIEN);
    world_set(w, ANNE, "participant", p, "level", "IV");
    world_set(w, BASTIEN, "participant", p, "level", "III");
    world_remove(w, ANNE, "participant", q);
    world_set(w, BASTIEN, "participant", q, "phone", "0442");
    world_sync(w, ANNE);
    world_sync(w, BASTIEN);
    world_set(w, ANNE, "participant", p, "given_name", "Zoé"); /* unsent */
}

static void fetch_truth(struct mg_buf *manifest, struct mg_buf *block, uint32_t number)
{
    static const uint8_t nothing[MG_SNAPSHOT_ID_LEN];
    struct mg_store *hub = world_store(w, HUB);
    const struct mg_identity *chloe = mg_store_identity(world_store(w, CHLOE));
    struct mg_snapshot_info info;
    struct mg_error err = {""};
    mg_buf_init(manifest, MG_BLOCK_MAX);
    mg_buf_init(block, MG_BLOCK_MAX);
    FUZZ_HOLDS(mg_snapshot_offer(hub, chloe->scopes, chloe->scope_count, 0, nothing, &info, manifest, &err) == MG_OK);
    FUZZ_HOLDS(info.blocks == 1);
    FUZZ_HOLDS(mg_snapshot_block(hub, info.id, number, block, &err) == MG_OK);
}

static void seeds(void)
{
    struct mg_buf manifest, block, seed, content;
    struct mg_mp_reader in;
    fetch_truth(&manifest, &block, 1);
    mg_buf_init(&seed, 4 * MG_BLOCK_MAX);
    mg_buf_init(&content, MG_BLOCK_RAW_MAX);
    mg_mp_read(&in, block.data, block.len);
    mg_mp_expect_array(&in, 2);
    struct mg_bytes ids = mg_mp_get_bin(&in, SIZE_MAX), packed = mg_mp_get_bin(&in, SIZE_MAX);
    FUZZ_HOLDS(mg_mp_done(&in) && mg_zstd_decompress(&zstd, packed, MG_BLOCK_RAW_MAX, &content) == MG_OK);
    for (uint8_t how = 0; how < 2; how++) {
        mg_buf_clear(&seed);
        mg_buf_put_u8(&seed, how);
        fuzz_put_item(&seed, ids);
        fuzz_put_item(&seed, mg_buf_bytes(&content));
        struct fuzz_input input = {{seed.data + 1, seed.len - 1}};
        FUZZ_HOLDS(take_input(&input, how == 0 ? CHLOE : ANNE)); /* so a good one is taken */
        fuzz_seed(mg_buf_bytes(&seed));
    }
    mg_buf_clear(&seed);
    mg_buf_put_u8(&seed, 2);
    mg_buf_put(&seed, manifest.data + 1, manifest.len - 1 - 2 - MG_SIGN_LEN); /* array(2), body, bin8 */
    fuzz_seed(mg_buf_bytes(&seed));
    mg_buf_free(&manifest);
    mg_buf_free(&block);
    mg_buf_free(&seed);
    mg_buf_free(&content);
}


int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct mg_buf manifest, block;
    struct mg_error err = {""};
    (void)argc, (void)argv;
    FUZZ_HOLDS(sodium_init() >= 0 && mg_zstd_init(&zstd) == MG_OK);
    build_world();
    for (int k = 0; k < BLOCKS; k++) mg_buf_init(&blocks[k], MG_BLOCK_MAX);
    fetch_truth(&manifest, &block, 1);
    FUZZ_HOLDS(mg_manifest_read(mg_buf_bytes(&manifest), mg_store_identity(world_store(w, HUB))->sign_public, &truth, &err) == MG_OK);
    mg_buf_free(&manifest);
    mg_buf_free(&block);
    fuzz_begin(seeds);
    return 0;
}
