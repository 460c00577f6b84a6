/*
 * test_noise.c - both sides of every public XK and XKpsk3 handshake and of an X one, byte for
 * byte, and every byte of every message flipped once.
 *
 * The two sources say the same in different words. cacophony lists handshake and transport
 * messages that alternate all along; flynn's transport starts again with the initiator.
 * XK has three messages, so the first transport message of cacophony is the responder's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "proto/noise.h"

#ifndef MAILLAGE_SHARED_DIR
#define MAILLAGE_SHARED_DIR "../shared"
#endif

enum { ROOM = 2 * MG_NOISE_MESSAGE_MAX };

/* ---- a handshake between two nodes of our own ---- */

struct pair {
    struct mg_noise initiator;
    struct mg_noise responder;
};

static const uint8_t secret_of_initiator[MG_NOISE_KEY] = {1, 2, 3};
static const uint8_t secret_of_responder[MG_NOISE_KEY] = {4, 5, 6};
static const uint8_t ephemeral_of_initiator[MG_NOISE_KEY] = {7, 8, 9};
static const uint8_t ephemeral_of_responder[MG_NOISE_KEY] = {10, 11, 12};
static const uint8_t invitation[MG_NOISE_KEY] = {13, 14, 15};

static struct mg_bytes text(const char *literal)
{
    return (struct mg_bytes){(const uint8_t *)literal, strlen(literal)};
}

static void start(struct pair *pair, enum mg_noise_pattern pattern)
{
    uint8_t hub_key[MG_NOISE_KEY];
    assert_int_equal(crypto_scalarmult_curve25519_base(hub_key, secret_of_responder), 0);
    mg_noise_init(&pair->initiator, pattern, true, text("prologue"), secret_of_initiator, hub_key,
                  ephemeral_of_initiator);
    mg_noise_init(&pair->responder, pattern, false, text("prologue"), secret_of_responder, NULL,
                  ephemeral_of_responder);
}

static void stop(struct pair *pair)
{
    mg_noise_free(&pair->initiator);
    mg_noise_free(&pair->responder);
}

/* One handshake message from one side to the other, which must take it. */
static void pass(struct mg_noise *from, struct mg_noise *to, const char *payload)
{
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    assert_int_equal(mg_noise_write(from, text(payload), &wire), MG_OK);
    assert_int_equal(mg_noise_read(to, mg_buf_bytes(&wire), &read), MG_OK);
    assert_int_equal(read.len, strlen(payload));
    assert_memory_equal(read.data, payload, read.len);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void shake_hands(struct pair *pair, enum mg_noise_pattern pattern)
{
    start(pair, pattern);
    pass(&pair->initiator, &pair->responder, "invitation 7");
    if (pattern == MG_NOISE_XKPSK3) {
        mg_noise_set_psk(&pair->initiator, invitation);
        mg_noise_set_psk(&pair->responder, invitation);
    }
    pass(&pair->responder, &pair->initiator, "");
    pass(&pair->initiator, &pair->responder, "hello");
}

/* ---- flipping ---- */

typedef mg_status reader(struct mg_noise *, struct mg_bytes, struct mg_buf *);

/* Every byte of MESSAGE flipped, then every shorter message and a longer one: each refused, nothing
 * changed. Then MESSAGE itself, which must still be taken; its content goes to CONTENT. */
static void refuse_all_but(reader *read, struct mg_noise *noise, struct mg_bytes message,
                           struct mg_buf *content)
{
    struct mg_noise before = *noise;
    uint8_t *copy = calloc(1, message.len + 1);
    assert_non_null(copy);
    memcpy(copy, message.data, message.len);
    size_t content_len = content->len;
    for (size_t i = 0; i < message.len; i++) {
        copy[i] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(read(noise, (struct mg_bytes){copy, message.len}, content), MG_BAD_BYTES);
        copy[i] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(read(noise, (struct mg_bytes){copy, i}, content), MG_BAD_BYTES);
        /* An X25519 key's top bit means nothing to the curve, and must mean something here. */
        copy[i] ^= 0x80;
        assert_int_equal(read(noise, (struct mg_bytes){copy, message.len}, content), MG_BAD_BYTES);
        copy[i] ^= 0x80;
    }
    assert_int_equal(read(noise, (struct mg_bytes){copy, message.len + 1}, content), MG_BAD_BYTES);
    assert_memory_equal(noise, &before, sizeof before);
    assert_int_equal(content->len, content_len);
    assert_int_equal(read(noise, (struct mg_bytes){copy, message.len}, content), MG_OK);
    free(copy);
}

/* ---- vectors ---- */

struct hex {
    uint8_t data[512];
    size_t len;
};

static struct mg_bytes hex_bytes(const struct hex *hex)
{
    return (struct mg_bytes){hex->data, hex->len};
}

/* The hex text at the first of the two names that is there; LEN 0 when neither is. */
static struct hex field(const json_t *object, const char *name, const char *other)
{
    struct hex hex = {.len = 0};
    const json_t *value = json_object_get(object, name);
    if (value == NULL) value = json_object_get(object, other);
    if (json_is_array(value)) value = json_array_get(value, 0);
    const char *digits = json_string_value(value);
    if (digits == NULL) return hex;
    assert_int_equal(
        sodium_hex2bin(hex.data, sizeof hex.data, digits, strlen(digits), NULL, &hex.len, NULL), 0);
    return hex;
}

static void start_vector(struct pair *pair, const json_t *vector, enum mg_noise_pattern pattern)
{
    struct hex initiator_static = field(vector, "init_static", "");
    struct hex responder_static = field(vector, "resp_static", "");
    struct hex initiator_ephemeral = field(vector, "init_ephemeral", "gen_init_ephemeral");
    struct hex responder_ephemeral = field(vector, "resp_ephemeral", "gen_resp_ephemeral");
    struct hex initiator_prologue = field(vector, "init_prologue", "prologue");
    struct hex responder_prologue = field(vector, "resp_prologue", "prologue");
    struct hex told = field(vector, "init_remote_static", "");
    uint8_t hub_key[MG_NOISE_KEY];
    assert_int_equal(crypto_scalarmult_curve25519_base(hub_key, responder_static.data), 0);
    if (told.len > 0) assert_memory_equal(told.data, hub_key, sizeof hub_key);

    mg_noise_init(&pair->initiator, pattern, true, hex_bytes(&initiator_prologue),
                  initiator_static.data, hub_key, initiator_ephemeral.data);
    mg_noise_init(&pair->responder, pattern, false, hex_bytes(&responder_prologue),
                  responder_static.data, NULL, responder_ephemeral.data);
}

/* One message of a vector: written as the vector has it, and read on the other side. */
static void check_message(struct mg_noise *from, struct mg_noise *to, const json_t *message)
{
    struct hex payload = field(message, "payload", "");
    struct hex ciphertext = field(message, "ciphertext", "");
    bool transport = mg_noise_is_finished(from);
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    if (transport) {
        assert_int_equal(mg_noise_encrypt(from, hex_bytes(&payload), &wire), MG_OK);
    } else {
        assert_true(mg_noise_is_our_turn(from));
        assert_false(mg_noise_is_our_turn(to));
        assert_int_equal(mg_noise_write(from, hex_bytes(&payload), &wire), MG_OK);
    }
    assert_int_equal(wire.len, ciphertext.len);
    assert_memory_equal(wire.data, ciphertext.data, wire.len);

    refuse_all_but(transport ? mg_noise_decrypt : mg_noise_read, to, mg_buf_bytes(&wire), &read);
    assert_int_equal(read.len, payload.len);
    if (read.len > 0) assert_memory_equal(read.data, payload.data, read.len);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void check_end(struct pair *pair, const json_t *vector)
{
    const uint8_t *hash = mg_noise_handshake_hash(&pair->initiator);
    assert_memory_equal(hash, mg_noise_handshake_hash(&pair->responder), MG_NOISE_HASH);
    struct hex told = field(vector, "handshake_hash", "");
    if (told.len > 0) assert_memory_equal(hash, told.data, MG_NOISE_HASH);

    struct hex secret = field(vector, "init_static", "");
    uint8_t key[MG_NOISE_KEY];
    assert_int_equal(crypto_scalarmult_curve25519_base(key, secret.data), 0);
    assert_memory_equal(mg_noise_remote_static(&pair->responder), key, MG_NOISE_KEY);
}

static void check_vector(const json_t *vector, enum mg_noise_pattern pattern)
{
    struct pair pair;
    start_vector(&pair, vector, pattern);
    struct hex psk = field(vector, "init_psks", "preshared_key");
    bool restarts = strcmp(json_string_value(json_object_get(vector, "source")), "flynn") == 0;
    size_t number;
    json_t *message;
    json_t *messages = json_object_get(vector, "messages");
    assert_true(json_array_size(messages) > MG_NOISE_MESSAGES);
    json_array_foreach(messages, number, message)
    {
        /* As late as it may be: message 1 has been read, message 3 has not. */
        if (number == 2 && pattern == MG_NOISE_XKPSK3) {
            assert_int_equal(psk.len, MG_NOISE_KEY);
            mg_noise_set_psk(&pair.initiator, psk.data);
            mg_noise_set_psk(&pair.responder, psk.data);
        }
        if (number == MG_NOISE_MESSAGES) check_end(&pair, vector);
        size_t turn = restarts && number >= MG_NOISE_MESSAGES ? number - MG_NOISE_MESSAGES : number;
        bool by_initiator = turn % 2 == 0;
        check_message(by_initiator ? &pair.initiator : &pair.responder,
                      by_initiator ? &pair.responder : &pair.initiator, message);
    }
    stop(&pair);
}

static void the_public_vectors_hold(void **state)
{
    (void)state;
    const char *dir = getenv("MAILLAGE_SHARED_DIR");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/vectors/noise/25519_ChaChaPoly_BLAKE2b.json",
                   dir != NULL ? dir : MAILLAGE_SHARED_DIR);
    json_t *root = json_load_file(path, 0, NULL);
    if (root == NULL) {
        print_message("skipped: %s is not here; see MAILLAGE_SHARED_DIR\n", path);
        skip();
    }
    size_t counts[2] = {0, 0};
    size_t index;
    json_t *vector;
    json_array_foreach(json_object_get(root, "vectors"), index, vector)
    {
        const char *name = json_string_value(json_object_get(vector, "protocol_name"));
        bool xk = strcmp(name, "Noise_XK_25519_ChaChaPoly_BLAKE2b") == 0;
        bool xkpsk3 = strcmp(name, "Noise_XKpsk3_25519_ChaChaPoly_BLAKE2b") == 0;
        if (!xk && !xkpsk3) continue; /* not our patterns */
        check_vector(vector, xk ? MG_NOISE_XK : MG_NOISE_XKPSK3);
        counts[xk ? 0 : 1]++;
    }
    assert_int_equal(counts[0], 5);
    assert_int_equal(counts[1], 5);
    json_decref(root);
}

/* ---- one way ---- */

/* The X vector of cacophony, the collection that the file above takes its own from. */
static const char *const x_messages[][2] = {
    {"4c756477696720766f6e204d69736573",
     "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79446c81e52f35c193f540f853e38ee3ddd5"
     "d5ffe3cfa8b0c5b93c9498bd737ca396ca4dfa63e3f4878fa875a480bddfa3c0673aa4ec7600b7ea42a1f444512e3c25"
     "24c19acd86468bde6b0aaa7dc2fc5069"},
    {"4d757272617920526f746862617264", "b4e352f51eecbb9552dd7ab7240619d18aea21752d866e8687ac0181c3177a"},
    {"462e20412e20486179656b", "3bd6fa95f3f6eed5f01e0c02df392a7fd96ff9416c36f7311f947e"},
    {"4361726c204d656e676572", "8bce3062e9348896691a45e74563a5d57866e0ab39fa8bde2bcfca"},
    {"4a65616e2d426170746973746520536179",
     "cc7610aad99dedc9fe14db2ab59dd09c380bb5f2b5999dcc340739f597817b7c67"},
    {"457567656e2042f6686d20766f6e2042617765726b",
     "8b6dcbd77c157bc7ada2f28966068d18529725b2d34571415f507e92a6fcd9843a8cccb63b"},
};
static const char x_vector[] =
    "{\"source\": \"cacophony\", \"init_prologue\": \"4a6f686e2047616c74\","
    " \"init_static\": \"e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1\","
    " \"init_ephemeral\": \"893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a\","
    " \"init_remote_static\": \"31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62\","
    " \"resp_prologue\": \"4a6f686e2047616c74\","
    " \"resp_static\": \"4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893\","
    " \"handshake_hash\": \"7a08e025835287d37f81c295a0a86f0431e206e5032632d06110df590aa69b08"
    "c0f5e6909f199ccfa044c1516366b974f3f28102f977d0fac845c6563c7d5314\"}";

static void the_one_way_vector_holds(void **state)
{
    (void)state;
    struct pair pair;
    json_t *vector = json_loads(x_vector, 0, NULL);
    assert_non_null(vector);
    start_vector(&pair, vector, MG_NOISE_X);
    for (size_t i = 0; i < sizeof x_messages / sizeof *x_messages; i++) {
        json_t *message = json_pack("{s:s, s:s}", "payload", x_messages[i][0], "ciphertext", x_messages[i][1]);
        check_message(&pair.initiator, &pair.responder, message);
        json_decref(message);
        if (i == 0) check_end(&pair, vector);
    }
    assert_false(mg_noise_is_our_turn(&pair.responder)); /* nothing goes back */
    stop(&pair);
    json_decref(vector);
}

/* ---- refusals that need no vector ---- */

static void a_handshake_of_our_own_is_flipped_too(void **state)
{
    (void)state;
    struct pair pair;
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    start(&pair, MG_NOISE_XKPSK3);
    mg_noise_set_psk(&pair.initiator, invitation);
    mg_noise_set_psk(&pair.responder, invitation);
    for (size_t number = 0; number < MG_NOISE_MESSAGES; number++) {
        struct mg_noise *from = number == 1 ? &pair.responder : &pair.initiator;
        struct mg_noise *to = number == 1 ? &pair.initiator : &pair.responder;
        mg_buf_clear(&wire);
        assert_int_equal(mg_noise_write(from, text("payload"), &wire), MG_OK);
        refuse_all_but(mg_noise_read, to, mg_buf_bytes(&wire), &read);
    }
    assert_string_equal((mg_buf_put_u8(&read, 0), (char *)read.data), "payloadpayloadpayload");
    stop(&pair);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void a_key_of_small_order_is_refused(void **state)
{
    (void)state;
    uint8_t message[MG_NOISE_KEY + MG_NOISE_TAG] = {0};
    struct mg_buf out;
    mg_buf_init(&out, ROOM);
    for (uint8_t first = 0; first < 2; first++) { /* the points 0 and 1 */
        struct pair pair;
        start(&pair, MG_NOISE_XK);
        message[0] = first;
        struct mg_bytes bytes = {message, sizeof message};
        assert_int_equal(mg_noise_read(&pair.responder, bytes, &out), MG_BAD_BYTES);

        mg_noise_init(&pair.initiator, MG_NOISE_XK, true, text(""), secret_of_initiator, message,
                      ephemeral_of_initiator);
        assert_int_equal(mg_noise_write(&pair.initiator, text(""), &out), MG_BAD_BYTES);
        assert_int_equal(out.len, 0);
        assert_true(mg_noise_is_our_turn(&pair.initiator));
        stop(&pair);
    }
    mg_buf_free(&out);
}

static void another_hub_cannot_read_message_1(void **state)
{
    (void)state;
    struct pair pair;
    struct mg_buf wire;
    mg_buf_init(&wire, ROOM);
    start(&pair, MG_NOISE_XK);
    assert_int_equal(mg_noise_write(&pair.initiator, text("secret"), &wire), MG_OK);
    struct mg_bytes message = mg_buf_bytes(&wire);
    struct mg_buf read;
    mg_buf_init(&read, ROOM);

    struct mg_noise other;
    mg_noise_init(&other, MG_NOISE_XK, false, text("prologue"), invitation, NULL,
                  ephemeral_of_responder);
    assert_int_equal(mg_noise_read(&other, message, &read), MG_BAD_BYTES);
    mg_noise_init(&other, MG_NOISE_XK, false, text("another prologue"), secret_of_responder, NULL,
                  ephemeral_of_responder);
    assert_int_equal(mg_noise_read(&other, message, &read), MG_BAD_BYTES);
    mg_noise_init(&other, MG_NOISE_XKPSK3, false, text("prologue"), secret_of_responder, NULL,
                  ephemeral_of_responder);
    assert_int_equal(mg_noise_read(&other, message, &read), MG_BAD_BYTES);
    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_OK);
    mg_noise_free(&other);
    stop(&pair);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void message_3_needs_the_invitations_secret(void **state)
{
    (void)state;
    struct pair pair;
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    start(&pair, MG_NOISE_XKPSK3);
    pass(&pair.initiator, &pair.responder, "invitation 7");
    pass(&pair.responder, &pair.initiator, "");
    mg_noise_set_psk(&pair.initiator, invitation);
    assert_int_equal(mg_noise_write(&pair.initiator, text("hello"), &wire), MG_OK);
    struct mg_bytes message = mg_buf_bytes(&wire);

    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_DENIED);
    mg_noise_set_psk(&pair.responder, secret_of_initiator);
    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_BAD_BYTES);
    mg_noise_set_psk(&pair.responder, invitation);
    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_OK);
    stop(&pair);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void a_message_out_of_turn_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    start(&pair, MG_NOISE_XK);
    assert_int_equal(mg_noise_write(&pair.initiator, text(""), &wire), MG_OK);
    struct mg_bytes message = mg_buf_bytes(&wire);
    assert_int_equal(mg_noise_read(&pair.initiator, message, &read), MG_BAD_BYTES); /* its own */
    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_OK);
    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_BAD_BYTES); /* again */
    pass(&pair.responder, &pair.initiator, "");
    pass(&pair.initiator, &pair.responder, "");
    assert_int_equal(mg_noise_read(&pair.responder, message, &read), MG_BAD_BYTES);
    stop(&pair);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

/* ---- transport ---- */

static void both_directions_have_their_own_keys(void **state)
{
    (void)state;
    struct pair pair;
    shake_hands(&pair, MG_NOISE_XKPSK3);
    struct mg_buf one;
    struct mg_buf two;
    struct mg_buf read;
    mg_buf_init(&one, ROOM);
    mg_buf_init(&two, ROOM);
    mg_buf_init(&read, ROOM);
    assert_int_equal(mg_noise_encrypt(&pair.initiator, text("same"), &one), MG_OK);
    assert_int_equal(mg_noise_encrypt(&pair.responder, text("same"), &two), MG_OK);
    assert_memory_not_equal(one.data, two.data, one.len);
    assert_int_equal(mg_noise_decrypt(&pair.initiator, mg_buf_bytes(&one), &read), MG_BAD_BYTES);
    assert_int_equal(mg_noise_decrypt(&pair.responder, mg_buf_bytes(&one), &read), MG_OK);
    assert_int_equal(mg_noise_decrypt(&pair.responder, mg_buf_bytes(&one), &read), MG_BAD_BYTES);
    stop(&pair);
    mg_buf_free(&one);
    mg_buf_free(&two);
    mg_buf_free(&read);
}

static void messages_have_a_ceiling(void **state)
{
    (void)state;
    static const uint8_t bytes[MG_NOISE_MESSAGE_MAX + 1] = {9}; /* a good point of the curve */
    struct pair pair;
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    start(&pair, MG_NOISE_XK);
    /* Message 1 is 32 + 16 bytes beside its payload. */
    struct mg_bytes payload = {bytes, MG_NOISE_MESSAGE_MAX - 47};
    assert_int_equal(mg_noise_write(&pair.initiator, payload, &wire), MG_REFUSED);
    assert_int_equal(wire.len, 0);
    payload.len--;
    assert_int_equal(mg_noise_write(&pair.initiator, payload, &wire), MG_OK);
    assert_int_equal(wire.len, MG_NOISE_MESSAGE_MAX);
    assert_int_equal(mg_noise_read(&pair.responder, mg_buf_bytes(&wire), &read), MG_OK);
    stop(&pair);

    /* Too long is the peer's fault, whatever room there is: hence not MG_FAILED. */
    struct mg_bytes longer = {bytes, sizeof bytes};
    struct mg_buf none;
    mg_buf_init(&none, 0);
    start(&pair, MG_NOISE_XK);
    assert_int_equal(mg_noise_read(&pair.responder, longer, &none), MG_BAD_BYTES);
    stop(&pair);

    shake_hands(&pair, MG_NOISE_XK);
    mg_buf_clear(&wire);
    struct mg_bytes plain = {bytes, MG_NOISE_MESSAGE_MAX - MG_NOISE_TAG + 1};
    assert_int_equal(mg_noise_encrypt(&pair.initiator, plain, &wire), MG_REFUSED);
    plain.len--;
    assert_int_equal(mg_noise_encrypt(&pair.initiator, plain, &wire), MG_OK);
    assert_int_equal(mg_noise_decrypt(&pair.responder, longer, &none), MG_BAD_BYTES);
    mg_buf_clear(&read);
    assert_int_equal(mg_noise_decrypt(&pair.responder, mg_buf_bytes(&wire), &read), MG_OK);
    assert_int_equal(read.len, plain.len);
    stop(&pair);
    mg_buf_free(&none);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void a_nonce_is_never_used_twice(void **state)
{
    (void)state;
    struct pair pair;
    struct mg_buf wire;
    struct mg_buf read;
    mg_buf_init(&wire, ROOM);
    mg_buf_init(&read, ROOM);
    shake_hands(&pair, MG_NOISE_XK);
    pair.initiator.sending.nonce = UINT64_MAX - 1;
    pair.responder.receiving.nonce = UINT64_MAX - 1;
    assert_int_equal(mg_noise_encrypt(&pair.initiator, text("last"), &wire), MG_OK);
    size_t last = wire.len;
    assert_int_equal(mg_noise_encrypt(&pair.initiator, text("more"), &wire), MG_REFUSED);
    assert_int_equal(wire.len, last);
    assert_int_equal(mg_noise_decrypt(&pair.responder, mg_buf_bytes(&wire), &read), MG_OK);
    assert_int_equal(mg_noise_decrypt(&pair.responder, mg_buf_bytes(&wire), &read), MG_REFUSED);
    stop(&pair);
    mg_buf_free(&wire);
    mg_buf_free(&read);
}

static void an_output_that_is_full_changes_nothing(void **state)
{
    (void)state;
    struct pair pair;
    struct mg_buf small;
    struct mg_buf wire;
    mg_buf_init(&wire, ROOM);
    start(&pair, MG_NOISE_XK);
    for (size_t max = 0; max < 32 + 16 + 5; max++) {
        mg_buf_init(&small, max);
        assert_int_equal(mg_noise_write(&pair.initiator, text("hello"), &small), MG_FAILED);
        assert_int_equal(small.len, 0);
        mg_buf_free(&small);
    }
    assert_int_equal(mg_noise_write(&pair.initiator, text("hello"), &wire), MG_OK);
    mg_buf_init(&small, 4);
    assert_int_equal(mg_noise_read(&pair.responder, mg_buf_bytes(&wire), &small), MG_FAILED);
    mg_buf_free(&small);
    mg_buf_init(&small, 5);
    assert_int_equal(mg_noise_read(&pair.responder, mg_buf_bytes(&wire), &small), MG_OK);
    mg_buf_free(&small);
    mg_buf_free(&wire);
    stop(&pair);
}

static bool holds(const void *memory, size_t len, const uint8_t key[MG_NOISE_KEY])
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i + MG_NOISE_KEY <= len; i++) {
        if (memcmp(bytes + i, key, MG_NOISE_KEY) == 0) return true;
    }
    return false;
}

static void secrets_do_not_outlive_the_handshake(void **state)
{
    (void)state;
    struct pair pair;
    start(&pair, MG_NOISE_XKPSK3);
    mg_noise_set_psk(&pair.initiator, invitation);
    assert_true(holds(&pair.initiator, sizeof pair.initiator, secret_of_initiator));
    assert_true(holds(&pair.initiator, sizeof pair.initiator, invitation));
    shake_hands(&pair, MG_NOISE_XKPSK3);
    assert_false(holds(&pair, sizeof pair, secret_of_initiator));
    assert_false(holds(&pair, sizeof pair, secret_of_responder));
    assert_false(holds(&pair, sizeof pair, ephemeral_of_initiator));
    assert_false(holds(&pair, sizeof pair, ephemeral_of_responder));
    assert_false(holds(&pair, sizeof pair, invitation));
    stop(&pair);
    assert_true(sodium_is_zero((const uint8_t *)&pair, sizeof pair));
}

static int setup(void **state)
{
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_vectors_hold),
        cmocka_unit_test(the_one_way_vector_holds),
        cmocka_unit_test(a_handshake_of_our_own_is_flipped_too),
        cmocka_unit_test(a_key_of_small_order_is_refused),
        cmocka_unit_test(another_hub_cannot_read_message_1),
        cmocka_unit_test(message_3_needs_the_invitations_secret),
        cmocka_unit_test(a_message_out_of_turn_is_refused),
        cmocka_unit_test(both_directions_have_their_own_keys),
        cmocka_unit_test(messages_have_a_ceiling),
        cmocka_unit_test(a_nonce_is_never_used_twice),
        cmocka_unit_test(an_output_that_is_full_changes_nothing),
        cmocka_unit_test(secrets_do_not_outlive_the_handshake),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
