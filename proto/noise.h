/*
 * noise.h - the Noise handshakes of a session (XK), an enrolment (XKpsk3) and a bundle (X).
 *
 * Noise_XK_25519_ChaChaPoly_BLAKE2b, Noise_XKpsk3_25519_ChaChaPoly_BLAKE2b and
 * Noise_X_25519_ChaChaPoly_BLAKE2b, after revision 34 of the Noise specification, on
 * libsodium's primitives:
 *
 *     <- s                    the initiator knows the responder's static key beforehand
 *     ...
 *     -> e, es                message 1        of X: -> e, es, s, ss, and nothing after it
 *     <- e, ee                message 2
 *     -> s, se  (, psk)       message 3: the node's static key, and the invitation's secret
 *
 * X is one way, for a file: the initiator alone seals, the responder alone opens.
 *
 * Bytes in, bytes out: nothing here draws chance or touches a socket. The ephemeral
 * private key is an argument and must be used for one handshake only.
 *
 * All or nothing: a call that does not return MG_OK leaves the state, and the output
 * buffer's content, as they were. The statuses are MG_BAD_BYTES (the peer's bytes are
 * wrong, in whatever way), MG_DENIED (message 3 came and no psk was set), MG_REFUSED
 * (too long a payload, or the 2^64 - 1 nonces of a key are used up) and MG_FAILED (the
 * output buffer's ceiling, or memory).
 *
 * Call sodium_init() once in the process before; mg_noise_free wipes every key.
 */
#ifndef MG_PROTO_NOISE_H
#define MG_PROTO_NOISE_H

#include "core/core.h"

enum {
    MG_NOISE_KEY = 32,
    MG_NOISE_HASH = 64,
    MG_NOISE_TAG = 16,
    MG_NOISE_MESSAGE_MAX = 65535, /* Noise rev 34, 3 */
    MG_NOISE_MESSAGES = 3         /* in the longest handshake */
};

enum mg_noise_pattern { MG_NOISE_XK, MG_NOISE_XKPSK3, MG_NOISE_X };

/* Noise rev 34, 5.1: a key and how many messages it has sealed. */
struct mg_noise_cipher {
    uint8_t key[MG_NOISE_KEY];
    uint64_t nonce;
};

/* Private to noise.c, whole here so that it can live in its owner's struct. */
struct mg_noise {
    enum mg_noise_pattern pattern;
    bool initiator;
    bool has_psk;
    bool has_remote_static;
    int done; /* handshake messages written or read */

    uint8_t static_private[MG_NOISE_KEY]; /* wiped, like all down to CHAINING, at the end */
    uint8_t ephemeral_private[MG_NOISE_KEY];
    uint8_t psk[MG_NOISE_KEY];
    struct mg_noise_cipher handshake; /* of the handshake's own payloads, from message 1 on */
    bool has_key;
    uint8_t chaining[MG_NOISE_HASH];

    uint8_t static_public[MG_NOISE_KEY];
    uint8_t ephemeral_public[MG_NOISE_KEY];
    uint8_t remote_static[MG_NOISE_KEY];
    uint8_t remote_ephemeral[MG_NOISE_KEY];
    uint8_t hash[MG_NOISE_HASH];

    struct mg_noise_cipher sending; /* after the handshake */
    struct mg_noise_cipher receiving;
};

/* Starts a handshake. Keys are copied. REMOTE_STATIC is the responder's for the initiator, NULL for the
 * responder, who learns the initiator's in message 3 (of X: 1) and with X uses no ephemeral key, whatever it is. */
void mg_noise_init(struct mg_noise *noise, enum mg_noise_pattern pattern, bool initiator,
                   struct mg_bytes prologue, const uint8_t static_private[MG_NOISE_KEY],
                   const uint8_t *remote_static, const uint8_t ephemeral_private[MG_NOISE_KEY]);
void mg_noise_free(struct mg_noise *noise);

/* The invitation's secret, XKpsk3 only, any time before message 3: message 1's payload is what
 * tells the responder which invitation it is. */
void mg_noise_set_psk(struct mg_noise *noise, const uint8_t psk[MG_NOISE_KEY]);

/* True when the next handshake message is ours to write. */
bool mg_noise_is_our_turn(const struct mg_noise *noise);

/* Appends the next handshake message, with PAYLOAD in it, to OUT. A message out of turn, or message
 * 3 of XKpsk3 without a psk, is the caller's bug. MG_BAD_BYTES: the remote key that we were given
 * is of small order. PAYLOAD must not lie in OUT. */
mg_status mg_noise_write(struct mg_noise *noise, struct mg_bytes payload,
                         struct mg_buf *out) MG_MUST_CHECK;

/* Reads the next handshake message and appends its payload to PAYLOAD. Message 1's payload may be
 * a replay and message 2's is for whoever wrote message 1: only message 3 says who the peer is. */
mg_status mg_noise_read(struct mg_noise *noise, struct mg_bytes message,
                        struct mg_buf *payload) MG_MUST_CHECK;

bool mg_noise_is_finished(const struct mg_noise *noise);

/* MG_NOISE_HASH bytes, borrowed, the same on both sides; when finished only. */
const uint8_t *mg_noise_handshake_hash(const struct mg_noise *noise);

/* MG_NOISE_KEY bytes, borrowed: who the peer is. For the responder when finished only. */
const uint8_t *mg_noise_remote_static(const struct mg_noise *noise);

/* Transport messages, when finished only: at most MG_NOISE_MESSAGE_MAX with the tag. */
mg_status mg_noise_encrypt(struct mg_noise *noise, struct mg_bytes plain,
                           struct mg_buf *out) MG_MUST_CHECK;
mg_status mg_noise_decrypt(struct mg_noise *noise, struct mg_bytes sealed,
                           struct mg_buf *out) MG_MUST_CHECK;

#endif
