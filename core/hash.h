/*
 * hash.h - BLAKE2b with a purpose: every hash says in its first bytes what it is of,
 * so that one kind of thing can never be passed off as another. [P 4]
 */
#ifndef MG_CORE_HASH_H
#define MG_CORE_HASH_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

struct mg_hasher {
    crypto_generichash_blake2b_state state;
    size_t len;
};

/* OUT_LEN: 16 to 64 bytes. PURPOSE: a constant text; its NUL is hashed as well. */
void mg_hash_start(struct mg_hasher *hasher, const char *purpose, size_t out_len);
void mg_hash_add(struct mg_hasher *hasher, const void *data, size_t len);
void mg_hash_add_u64(struct mg_hasher *hasher, uint64_t value); /* 8 bytes, big-endian */
void mg_hash_end(struct mg_hasher *hasher, uint8_t *out);

/* One buffer at once. */
void mg_hash(const char *purpose, const void *data, size_t len, uint8_t *out, size_t out_len);

/* The id of a row whose table has a natural key: a UUID of version 8 from the key. [P 4.6] */
struct mg_value;
void mg_id_derive(const char *table, const char *scope, const struct mg_value *keys, int key_count, uint8_t id[16]);

/* A UUIDv7 (RFC 9562, 5.7) from a time and 10 random bytes. */
void mg_id_v7(int64_t ms, const uint8_t random[10], uint8_t id[16]);

#endif
