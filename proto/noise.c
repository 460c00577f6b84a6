/*
 * noise.c - a handshake is a list of tokens, run on a copy of the state that is kept
 * only when all of them succeeded.
 *
 * The three layers are those of the specification (Noise rev 34, 5): a cipher (key and
 * nonce), a symmetric state (chaining key, hash, cipher), and the tokens of a message,
 * which mix keys into it. Working on a copy is what makes a failed read harmless: a
 * wrong message changes nothing, and the right one can still be read after it.
 */
#include "proto/noise.h"

#include <sodium.h>
#include <string.h>

_Static_assert(crypto_scalarmult_curve25519_BYTES == MG_NOISE_KEY, "25519");
_Static_assert(crypto_scalarmult_curve25519_SCALARBYTES == MG_NOISE_KEY, "25519");
_Static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == MG_NOISE_KEY, "ChaChaPoly");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == MG_NOISE_TAG, "ChaChaPoly");
_Static_assert(crypto_generichash_blake2b_BYTES_MAX == MG_NOISE_HASH, "BLAKE2b");

enum { BLAKE2B_BLOCK = 128 };

/* ---- hash functions: Noise rev 34, 4.3 and 12.8 ---- */

typedef crypto_generichash_blake2b_state blake2b;

static void blake2b_start(blake2b *state)
{
    mg_assert(crypto_generichash_blake2b_init(state, NULL, 0, MG_NOISE_HASH) == 0);
}

static void blake2b_add(blake2b *state, const void *data, size_t len)
{
    mg_assert(crypto_generichash_blake2b_update(state, data, len) == 0);
}

static void blake2b_end(blake2b *state, uint8_t out[MG_NOISE_HASH])
{
    mg_assert(crypto_generichash_blake2b_final(state, out, MG_NOISE_HASH) == 0);
}

/* One block of KEY, zeros after it, every byte xored with PAD [RFC 2104, 2]. */
static void blake2b_start_padded(blake2b *state, const uint8_t key[MG_NOISE_HASH], uint8_t pad)
{
    uint8_t block[BLAKE2B_BLOCK];
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (uint8_t)((i < MG_NOISE_HASH ? key[i] : 0) ^ pad);
    }
    blake2b_start(state);
    blake2b_add(state, block, sizeof block);
    sodium_memzero(block, sizeof block);
}

/* HMAC-BLAKE2b of A then B. libsodium has none, and BLAKE2b's own keyed mode is not what Noise
 * wants. */
static void hmac(uint8_t out[MG_NOISE_HASH], const uint8_t key[MG_NOISE_HASH], struct mg_bytes a,
                 struct mg_bytes b)
{
    blake2b state;
    uint8_t inner[MG_NOISE_HASH];
    blake2b_start_padded(&state, key, 0x36);
    blake2b_add(&state, a.data, a.len);
    blake2b_add(&state, b.data, b.len);
    blake2b_end(&state, inner);
    blake2b_start_padded(&state, key, 0x5c);
    blake2b_add(&state, inner, sizeof inner);
    blake2b_end(&state, out);
    sodium_memzero(inner, sizeof inner);
    sodium_memzero(&state, sizeof state);
}

/* Noise rev 34, 4.3: COUNT (1 to 3) outputs of HASHLEN. */
static void hkdf(uint8_t out[][MG_NOISE_HASH], uint8_t count, const uint8_t chaining[MG_NOISE_HASH],
                 struct mg_bytes input)
{
    uint8_t temp[MG_NOISE_HASH];
    hmac(temp, chaining, input, (struct mg_bytes){0});
    struct mg_bytes previous = {0};
    for (uint8_t i = 0; i < count; i++) {
        uint8_t number = (uint8_t)(i + 1);
        hmac(out[i], temp, previous, (struct mg_bytes){&number, 1});
        previous = (struct mg_bytes){out[i], MG_NOISE_HASH};
    }
    sodium_memzero(temp, sizeof temp);
}

/* ---- cipher: Noise rev 34, 5.1 ---- */

static void set_key(struct mg_noise_cipher *cipher, const uint8_t key[MG_NOISE_HASH])
{
    memcpy(cipher->key, key, sizeof cipher->key); /* the first 32 bytes of 64: 5.2, MixKey */
    cipher->nonce = 0;
}

/* Noise rev 34, 12.3: 32 bits of zeros, then the nonce in little-endian. */
static void nonce_bytes(uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t nonce)
{
    memset(out, 0, 4);
    for (size_t i = 0; i < 8; i++) out[4 + i] = (uint8_t)(nonce >> (8 * i));
}

/* Appends the sealed PLAIN to OUT and counts the nonce. 2^64 - 1 is reserved (5.1). */
static mg_status seal(struct mg_noise_cipher *cipher, struct mg_bytes ad, struct mg_bytes plain,
                      struct mg_buf *out)
{
    if (cipher->nonce == UINT64_MAX) return MG_REFUSED;
    uint8_t *to = mg_buf_extend(out, plain.len + MG_NOISE_TAG);
    if (to == NULL) return MG_FAILED;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_bytes(nonce, cipher->nonce++);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(to, NULL, plain.data, plain.len, ad.data,
                                                    ad.len, NULL, nonce, cipher->key);
    return MG_OK;
}

/* Appends the opened SEALED to OUT and counts the nonce; neither changes when it is wrong. */
static mg_status unseal(struct mg_noise_cipher *cipher, struct mg_bytes ad, struct mg_bytes sealed,
                        struct mg_buf *out)
{
    if (sealed.len < MG_NOISE_TAG) return MG_BAD_BYTES;
    if (cipher->nonce == UINT64_MAX) return MG_REFUSED;
    size_t before = out->len;
    uint8_t *to = mg_buf_extend(out, sealed.len - MG_NOISE_TAG);
    if (to == NULL) return MG_FAILED;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_bytes(nonce, cipher->nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(to, NULL, NULL, sealed.data, sealed.len, ad.data,
                                                  ad.len, nonce, cipher->key) != 0) {
        out->len = before;
        return MG_BAD_BYTES;
    }
    cipher->nonce++;
    return MG_OK;
}

/* ---- symmetric state: Noise rev 34, 5.2 ---- */

static void mix_hash(struct mg_noise *noise, struct mg_bytes data)
{
    blake2b state;
    blake2b_start(&state);
    blake2b_add(&state, noise->hash, sizeof noise->hash);
    blake2b_add(&state, data.data, data.len);
    blake2b_end(&state, noise->hash);
}

static void mix_key(struct mg_noise *noise, struct mg_bytes input)
{
    uint8_t out[2][MG_NOISE_HASH];
    hkdf(out, 2, noise->chaining, input);
    memcpy(noise->chaining, out[0], sizeof noise->chaining);
    set_key(&noise->handshake, out[1]);
    noise->has_key = true;
    sodium_memzero(out, sizeof out);
}

static void mix_key_and_hash(struct mg_noise *noise, struct mg_bytes input)
{
    uint8_t out[3][MG_NOISE_HASH];
    hkdf(out, 3, noise->chaining, input);
    memcpy(noise->chaining, out[0], sizeof noise->chaining);
    mix_hash(noise, (struct mg_bytes){out[1], MG_NOISE_HASH});
    set_key(&noise->handshake, out[2]);
    noise->has_key = true;
    sodium_memzero(out, sizeof out);
}

/* Our patterns have a key before the first encryption (message 1 mixes es before its payload),
 * so the specification's plaintext branch would be code that nothing reaches. */
static mg_status encrypt_and_hash(struct mg_noise *noise, struct mg_bytes plain, struct mg_buf *out)
{
    mg_assert(noise->has_key);
    size_t before = out->len;
    struct mg_bytes ad = {noise->hash, sizeof noise->hash};
    mg_status status = seal(&noise->handshake, ad, plain, out);
    if (status == MG_OK) {
        mix_hash(noise, (struct mg_bytes){out->data + before, out->len - before});
    }
    return status;
}

static mg_status decrypt_and_hash(struct mg_noise *noise, struct mg_bytes sealed,
                                  struct mg_buf *out)
{
    mg_assert(noise->has_key);
    struct mg_bytes ad = {noise->hash, sizeof noise->hash};
    mg_status status = unseal(&noise->handshake, ad, sealed, out);
    if (status == MG_OK) mix_hash(noise, sealed);
    return status;
}

/* ---- tokens: Noise rev 34, 5.3 and 7 ---- */

enum token { END, E, S, EE, ES, SE, SS, PSK };

enum { TOKENS_MAX = 4 };

static const struct pattern {
    const char *name;
    int count;
    enum token messages[MG_NOISE_MESSAGES][TOKENS_MAX];
} patterns[] = {
    [MG_NOISE_XK] = {"Noise_XK_25519_ChaChaPoly_BLAKE2b", 3, {{E, ES}, {E, EE}, {S, SE}}},
    [MG_NOISE_XKPSK3] = {"Noise_XKpsk3_25519_ChaChaPoly_BLAKE2b", 3, {{E, ES}, {E, EE}, {S, SE, PSK}}},
    [MG_NOISE_X] = {"Noise_X_25519_ChaChaPoly_BLAKE2b", 1, {{E, ES, S, SS}}},
};

static struct mg_bytes key_bytes(const uint8_t key[MG_NOISE_KEY])
{
    return (struct mg_bytes){key, MG_NOISE_KEY};
}

/* Noise rev 34, 9.2: with a psk in the pattern, an ephemeral is also mixed into the key. */
static void mix_ephemeral(struct mg_noise *noise, const uint8_t key[MG_NOISE_KEY])
{
    mix_hash(noise, key_bytes(key));
    if (noise->pattern == MG_NOISE_XKPSK3) mix_key(noise, key_bytes(key));
}

/* The first letter of es, se and ss is the initiator's key, the second the responder's. */
static mg_status mix_dh(struct mg_noise *noise, enum token token)
{
    bool own_static = token == SS || token == (noise->initiator ? SE : ES);
    bool remote_static = token == SS || token == (noise->initiator ? ES : SE);
    mg_assert(!remote_static || noise->has_remote_static);
    uint8_t shared[MG_NOISE_KEY];
    /* libsodium says no to an all-zero result: a key of small order, which would let anybody know
     * the secret. Noise rev 34, 9.1 lets us refuse. */
    int refused = crypto_scalarmult_curve25519(
        shared, own_static ? noise->static_private : noise->ephemeral_private,
        remote_static ? noise->remote_static : noise->remote_ephemeral);
    if (refused == 0) mix_key(noise, key_bytes(shared));
    sodium_memzero(shared, sizeof shared);
    return refused == 0 ? MG_OK : MG_BAD_BYTES;
}

static mg_status write_token(struct mg_noise *noise, enum token token, struct mg_buf *out)
{
    switch (token) {
    case E:
        mg_buf_put(out, noise->ephemeral_public, MG_NOISE_KEY);
        mix_ephemeral(noise, noise->ephemeral_public);
        return out->failed ? MG_FAILED : MG_OK;
    case S: return encrypt_and_hash(noise, key_bytes(noise->static_public), out);
    case EE:
    case ES:
    case SE:
    case SS: return mix_dh(noise, token);
    case PSK:
        mg_assert(noise->has_psk);
        mix_key_and_hash(noise, key_bytes(noise->psk));
        return MG_OK;
    case END:
    default: return MG_OK;
    }
}

/* Cuts LEN bytes off the front of REST. */
static bool cut(struct mg_bytes *rest, size_t len, struct mg_bytes *front)
{
    if (len > rest->len) return false;
    *front = (struct mg_bytes){rest->data, len};
    *rest = (struct mg_bytes){rest->data + len, rest->len - len};
    return true;
}

static mg_status read_static(struct mg_noise *noise, struct mg_bytes sealed)
{
    struct mg_buf opened;
    mg_buf_init(&opened, MG_NOISE_KEY);
    mg_status status = decrypt_and_hash(noise, sealed, &opened);
    if (status == MG_OK) {
        memcpy(noise->remote_static, opened.data, MG_NOISE_KEY);
        noise->has_remote_static = true;
    }
    mg_buf_free(&opened);
    return status;
}

static mg_status read_token(struct mg_noise *noise, enum token token, struct mg_bytes *rest)
{
    struct mg_bytes front;
    switch (token) {
    case E:
        if (!cut(rest, MG_NOISE_KEY, &front)) return MG_BAD_BYTES;
        memcpy(noise->remote_ephemeral, front.data, MG_NOISE_KEY);
        mix_ephemeral(noise, noise->remote_ephemeral);
        return MG_OK;
    case S:
        if (!cut(rest, MG_NOISE_KEY + MG_NOISE_TAG, &front)) return MG_BAD_BYTES;
        return read_static(noise, front);
    case EE:
    case ES:
    case SE:
    case SS: return mix_dh(noise, token);
    case PSK:
        if (!noise->has_psk) return MG_DENIED;
        mix_key_and_hash(noise, key_bytes(noise->psk));
        return MG_OK;
    case END:
    default: return MG_OK;
    }
}

/* ---- the handshake ---- */

void mg_noise_init(struct mg_noise *noise, enum mg_noise_pattern pattern, bool initiator,
                   struct mg_bytes prologue, const uint8_t static_private[MG_NOISE_KEY],
                   const uint8_t *remote_static, const uint8_t ephemeral_private[MG_NOISE_KEY])
{
    mg_assert(initiator == (remote_static != NULL));
    *noise = (struct mg_noise){.pattern = pattern, .initiator = initiator};
    memcpy(noise->static_private, static_private, MG_NOISE_KEY);
    memcpy(noise->ephemeral_private, ephemeral_private, MG_NOISE_KEY);
    mg_assert(crypto_scalarmult_curve25519_base(noise->static_public, static_private) == 0);
    mg_assert(crypto_scalarmult_curve25519_base(noise->ephemeral_public, ephemeral_private) == 0);
    if (remote_static != NULL) memcpy(noise->remote_static, remote_static, MG_NOISE_KEY);
    noise->has_remote_static = remote_static != NULL;

    /* Noise rev 34, 5.2: a name that fits in the hash is itself the first hash. */
    const char *name = patterns[pattern].name;
    mg_assert(strlen(name) <= sizeof noise->hash);
    memcpy(noise->hash, name, strlen(name));
    memcpy(noise->chaining, noise->hash, sizeof noise->chaining);
    mix_hash(noise, prologue);
    mix_hash(noise, key_bytes(initiator ? noise->remote_static : noise->static_public));
}

void mg_noise_free(struct mg_noise *noise)
{
    sodium_memzero(noise, sizeof *noise);
}

void mg_noise_set_psk(struct mg_noise *noise, const uint8_t psk[MG_NOISE_KEY])
{
    mg_assert(noise->pattern == MG_NOISE_XKPSK3 && !mg_noise_is_finished(noise));
    memcpy(noise->psk, psk, MG_NOISE_KEY);
    noise->has_psk = true;
}

bool mg_noise_is_finished(const struct mg_noise *noise)
{
    return noise->done == patterns[noise->pattern].count;
}

/* Messages alternate, and the initiator writes the first. */
bool mg_noise_is_our_turn(const struct mg_noise *noise)
{
    return !mg_noise_is_finished(noise) && (noise->done % 2 == 0) == noise->initiator;
}

/* Noise rev 34, 5.2: two keys, the first for what the initiator sends. No secret of the handshake
 * outlives it. */
static void split(struct mg_noise *noise)
{
    uint8_t out[2][MG_NOISE_HASH];
    hkdf(out, 2, noise->chaining, (struct mg_bytes){0});
    set_key(&noise->sending, out[noise->initiator ? 0 : 1]);
    set_key(&noise->receiving, out[noise->initiator ? 1 : 0]);
    sodium_memzero(out, sizeof out);
    sodium_memzero(noise->static_private, sizeof noise->static_private);
    sodium_memzero(noise->ephemeral_private, sizeof noise->ephemeral_private);
    sodium_memzero(noise->psk, sizeof noise->psk);
    sodium_memzero(&noise->handshake, sizeof noise->handshake);
    sodium_memzero(noise->chaining, sizeof noise->chaining);
}

/* Keeps the worked-on copy when all went well, and wipes it. */
static mg_status finish_message(struct mg_noise *noise, struct mg_noise *next, mg_status status)
{
    if (status == MG_OK) {
        next->done++;
        if (mg_noise_is_finished(next)) split(next);
        *noise = *next;
    }
    sodium_memzero(next, sizeof *next);
    return status;
}

mg_status mg_noise_write(struct mg_noise *noise, struct mg_bytes payload, struct mg_buf *out)
{
    mg_assert(mg_noise_is_our_turn(noise));
    const enum token *tokens = patterns[noise->pattern].messages[noise->done];
    struct mg_noise next = *noise;
    size_t before = out->len;
    mg_status status = payload.len > MG_NOISE_MESSAGE_MAX ? MG_REFUSED : MG_OK;
    for (size_t i = 0; i < TOKENS_MAX && status == MG_OK; i++) {
        status = write_token(&next, tokens[i], out);
    }
    if (status == MG_OK) status = encrypt_and_hash(&next, payload, out);
    if (status == MG_OK && out->len - before > MG_NOISE_MESSAGE_MAX) status = MG_REFUSED;
    if (status != MG_OK) out->len = before;
    return finish_message(noise, &next, status);
}

mg_status mg_noise_read(struct mg_noise *noise, struct mg_bytes message, struct mg_buf *payload)
{
    if (mg_noise_is_finished(noise) || mg_noise_is_our_turn(noise)) return MG_BAD_BYTES;
    if (message.len > MG_NOISE_MESSAGE_MAX) return MG_BAD_BYTES;
    const enum token *tokens = patterns[noise->pattern].messages[noise->done];
    struct mg_noise next = *noise;
    mg_status status = MG_OK;
    for (size_t i = 0; i < TOKENS_MAX && status == MG_OK; i++) {
        status = read_token(&next, tokens[i], &message);
    }
    if (status == MG_OK) status = decrypt_and_hash(&next, message, payload);
    return finish_message(noise, &next, status);
}

const uint8_t *mg_noise_handshake_hash(const struct mg_noise *noise)
{
    mg_assert(mg_noise_is_finished(noise));
    return noise->hash;
}

const uint8_t *mg_noise_remote_static(const struct mg_noise *noise)
{
    mg_assert(noise->initiator || mg_noise_is_finished(noise));
    return noise->remote_static;
}

/* ---- transport: Noise rev 34, 5.3 after Split ---- */

mg_status mg_noise_encrypt(struct mg_noise *noise, struct mg_bytes plain, struct mg_buf *out)
{
    mg_assert(mg_noise_is_finished(noise));
    mg_assert(noise->pattern != MG_NOISE_X || noise->initiator);
    if (plain.len > MG_NOISE_MESSAGE_MAX - MG_NOISE_TAG) return MG_REFUSED;
    return seal(&noise->sending, (struct mg_bytes){0}, plain, out);
}

mg_status mg_noise_decrypt(struct mg_noise *noise, struct mg_bytes sealed, struct mg_buf *out)
{
    mg_assert(mg_noise_is_finished(noise));
    mg_assert(noise->pattern != MG_NOISE_X || !noise->initiator);
    if (sealed.len > MG_NOISE_MESSAGE_MAX) return MG_BAD_BYTES;
    return unseal(&noise->receiving, (struct mg_bytes){0}, sealed, out);
}
