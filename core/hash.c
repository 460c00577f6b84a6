/* hash.c - see hash.h. */
#include "core/hash.h"

#include <string.h>

#include "core/engine.h"

void mg_hash_start(struct mg_hasher *hasher, const char *purpose, size_t out_len)
{
    mg_assert(out_len >= crypto_generichash_blake2b_BYTES_MIN && out_len <= crypto_generichash_blake2b_BYTES_MAX);
    hasher->len = out_len;
    mg_assert(crypto_generichash_blake2b_init(&hasher->state, NULL, 0, out_len) == 0);
    mg_hash_add(hasher, purpose, strlen(purpose) + 1);
}

void mg_hash_add(struct mg_hasher *hasher, const void *data, size_t len)
{
    if (len > 0) mg_assert(crypto_generichash_blake2b_update(&hasher->state, data, len) == 0);
}

void mg_hash_add_u64(struct mg_hasher *hasher, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    mg_hash_add(hasher, bytes, sizeof bytes);
}

void mg_hash_end(struct mg_hasher *hasher, uint8_t *out)
{
    mg_assert(crypto_generichash_blake2b_final(&hasher->state, out, hasher->len) == 0);
}

void mg_hash(const char *purpose, const void *data, size_t len, uint8_t *out, size_t out_len)
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, purpose, out_len);
    mg_hash_add(&hasher, data, len);
    mg_hash_end(&hasher, out);
}

void mg_id_derive(const char *table, const char *scope, const struct mg_value *keys, int key_count, uint8_t id[16])
{
    struct mg_buf bytes;
    mg_buf_init(&bytes, 64 * 1024);
    mg_mp_put_array(&bytes, (uint32_t)key_count + 2);
    mg_mp_put_str(&bytes, table, strlen(table));
    mg_mp_put_str(&bytes, scope, strlen(scope));
    for (int i = 0; i < key_count; i++) mg_value_put(&bytes, &keys[i]);
    mg_assert(!bytes.failed);
    mg_hash("maillage key v1", bytes.data, bytes.len, id, 16);
    mg_buf_free(&bytes);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x80);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

void mg_id_v7(int64_t ms, const uint8_t random[10], uint8_t id[16])
{
    uint64_t stamp = ms > 0 ? (uint64_t)ms : 0;
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(stamp >> (40 - 8 * i));
    memcpy(id + 6, random, 10);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x70);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}
