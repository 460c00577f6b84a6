/*
 * test_protocol_example.c - PROTOCOL.md says what the code does: its example, byte for byte, and its tables.
 *
 * The example is a whole session with fixed keys in which nothing is new. An observer that has both
 * sides' keys, and none of our session code, reads it from the wire with the Noise primitives alone.
 * When the wire changes on purpose, MAILLAGE_GOLDEN=print shows the text to put in section 9.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/engine.h"
#include "tests/sync/pair.h"

/* --- the text --- */

static char *protocol_text;

/* PROTOCOL.md, found from where this file is. */
static int load_protocol(void **state)
{
    (void)state;
    char path[4096];
    const char *end = strstr(__FILE__, "tests/golden/");
    if (end == NULL) return -1;
    int len = snprintf(path, sizeof path, "%.*sproto/PROTOCOL.md", (int)(end - __FILE__), __FILE__);
    if (len < 0 || (size_t)len >= sizeof path) return -1;
    FILE *file = fopen(path, "r");
    if (file == NULL) return -1;
    enum { TEXT_MAX = 1 << 20 };
    protocol_text = calloc(1, TEXT_MAX);
    size_t got = protocol_text == NULL ? 0 : fread(protocol_text, 1, TEXT_MAX - 1, file);
    (void)fclose(file);
    return got > 0 ? 0 : -1;
}

static int free_protocol(void **state)
{
    (void)state;
    free(protocol_text);
    return 0;
}

/* --- the example --- */

enum { HEX_A_LINE = 40 };

struct transcript {
    char text[16384];
    size_t len;
};

static void say(struct transcript *t, const char *line)
{
    int len = snprintf(t->text + t->len, sizeof t->text - t->len, "%s\n", line);
    assert_true(len > 0 && (size_t)len < sizeof t->text - t->len);
    t->len += (size_t)len;
}

static void say_hex(struct transcript *t, const char *name, const uint8_t *bytes, size_t len)
{
    char line[2 * HEX_A_LINE + 16];
    say(t, name);
    for (size_t at = 0; at < len; at += HEX_A_LINE) {
        size_t part = len - at < HEX_A_LINE ? len - at : HEX_A_LINE;
        memcpy(line, "    ", 4);
        assert_non_null(sodium_bin2hex(line + 4, sizeof line - 4, bytes + at, part));
        say(t, line);
    }
}

static uint8_t node_id[MG_ID_LEN], node_sign_public[MG_KEY_LEN];
static uint8_t hub_sign_public[crypto_sign_PUBLICKEYBYTES], hub_sign_secret[crypto_sign_SECRETKEYBYTES];

static void sign_end(struct mg_end *end)
{
    uint8_t hash[MG_HASH_LEN];
    mg_end_hash(node_id, end, hash);
    assert_int_equal(crypto_sign_detached(end->signature, NULL, hash, sizeof hash, hub_sign_secret), 0);
}

/* Reads one side's stream, frame by frame. */
struct observer {
    struct transcript *t;
    const struct mg_buf *wire;
    size_t at;
    struct mg_noise *noise; /* of the side that receives */
};

static struct mg_bytes next_frame(struct observer *o, const char *title)
{
    assert_true(o->wire->len - o->at > 2);
    const uint8_t *head = o->wire->data + o->at;
    size_t len = (size_t)head[0] << 8 | head[1];
    assert_true(o->wire->len - o->at - 2 >= len);
    say_hex(o->t, title, head, len + 2);
    o->at += len + 2;
    return (struct mg_bytes){head + 2, len};
}

/* A handshake message; its payload, when it has one, is said before it. */
static void see_handshake(struct observer *o, const char *title, const char *payload_title)
{
    struct mg_buf payload;
    struct transcript aside = {.len = 0};
    struct transcript *t = o->t;
    mg_buf_init(&payload, MG_FRAME_MAX);
    o->t = &aside;
    struct mg_bytes frame = next_frame(o, title);
    o->t = t;
    assert_int_equal(mg_noise_read(o->noise, frame, &payload), MG_OK);
    if (payload_title != NULL) say_hex(t, payload_title, payload.data, payload.len);
    assert_true((payload_title != NULL) == (payload.len > 0));
    memcpy(t->text + t->len, aside.text, aside.len + 1);
    t->len += aside.len;
    mg_buf_free(&payload);
}

static void see_message(struct observer *o, const char *plain_title, const char *title)
{
    struct mg_buf plain;
    struct transcript aside = {.len = 0};
    struct transcript *t = o->t;
    mg_buf_init(&plain, MG_FRAME_MAX);
    o->t = &aside;
    struct mg_bytes frame = next_frame(o, title);
    o->t = t;
    assert_int_equal(mg_noise_decrypt(o->noise, frame, &plain), MG_OK);
    say_hex(t, plain_title, plain.data, plain.len);
    memcpy(t->text + t->len, aside.text, aside.len + 1);
    t->len += aside.len;
    mg_buf_free(&plain);
}

static struct pair *example_pair(void)
{
    struct pair *pair = pair_new();
    uint8_t seed[crypto_sign_SEEDBYTES], secret[crypto_sign_SECRETKEYBYTES];
    memset(seed, 0x43, sizeof seed);
    crypto_sign_seed_keypair(hub_sign_public, hub_sign_secret, seed);
    memset(seed, 0x22, sizeof seed);
    crypto_sign_seed_keypair(node_sign_public, secret, seed);
    mg_hash("maillage node v1", node_sign_public, sizeof node_sign_public, node_id, sizeof node_id);

    struct fake_incarnation *known = fake_incarnation(&pair->hub, pair->node.incarnation);
    pair->node.last_seq = pair->node.acked_seq = known->known = 2000;
    known->hashes[2000] = node_commit_hash(&pair->node, 2000);
    pair->hub.numbers = pair->node.held = 7000;
    pair->node.cursor = (struct mg_position){.history = pair->hub.history, .n = 7000};
    pair->hub.sign = sign_end;
    return pair;
}

static void say_keys(struct transcript *t, const struct pair *pair, const uint8_t node_ephemeral[MG_KEY_LEN],
                     const uint8_t hub_ephemeral[MG_KEY_LEN])
{
    say_hex(t, "node static private", pair->node_identity.noise_secret, MG_KEY_LEN);
    say_hex(t, "node static public", pair->node_identity.noise_public, MG_KEY_LEN);
    say_hex(t, "node ephemeral private", node_ephemeral, MG_KEY_LEN);
    say_hex(t, "hub static private", pair->hub_identity.noise_secret, MG_KEY_LEN);
    say_hex(t, "hub static public", pair->hub_identity.noise_public, MG_KEY_LEN);
    say_hex(t, "hub ephemeral private", hub_ephemeral, MG_KEY_LEN);
    say_hex(t, "node signing public", node_sign_public, MG_KEY_LEN);
    say_hex(t, "hub signing public", hub_sign_public, MG_KEY_LEN);
    say_hex(t, "node id", node_id, MG_ID_LEN);
}

static void write_example(struct transcript *t)
{
    struct pair *pair = example_pair();
    pair_sync(pair);
    assert_int_equal(pair->node_side.close.figures.round_trips, 2);

    /* As pair_connect draws them for the first session. */
    uint8_t node_ephemeral[MG_KEY_LEN], hub_ephemeral[MG_KEY_LEN];
    memset(node_ephemeral, 0xe1, MG_KEY_LEN);
    memset(hub_ephemeral, 0xe2, MG_KEY_LEN);
    memset(node_ephemeral, 0, sizeof pair->sessions);
    memset(hub_ephemeral, 0, sizeof pair->sessions);
    say_keys(t, pair, node_ephemeral, hub_ephemeral);

    struct mg_noise node, hub;
    struct mg_bytes preamble = {pair->node_side.wire.data, MG_PREAMBLE_LEN};
    mg_noise_init(&node, MG_NOISE_XK, true, preamble, pair->node_identity.noise_secret,
                  pair->hub_identity.noise_public, node_ephemeral);
    mg_noise_init(&hub, MG_NOISE_XK, false, preamble, pair->hub_identity.noise_secret, NULL, hub_ephemeral);
    struct mg_buf again;
    mg_buf_init(&again, MG_FRAME_MAX);
    struct observer up = {t, &pair->node_side.wire, MG_PREAMBLE_LEN, &hub};
    struct observer down = {t, &pair->hub_side.wire, 0, &node};
    const struct mg_bytes nothing = {NULL, 0};

    say_hex(t, "-> preamble", preamble.data, preamble.len);
    assert_int_equal(mg_noise_write(&node, nothing, &again), MG_OK);
    see_handshake(&up, "-> handshake message 1", NULL);
    assert_int_equal(mg_noise_write(&hub, nothing, &again), MG_OK);
    see_handshake(&down, "<- handshake message 2", NULL);
    /* Message 3 needs its payload before the other side can be read: the hub reads it, the node is given it. */
    struct mg_noise spare = hub;
    struct mg_buf hello;
    mg_buf_init(&hello, MG_FRAME_MAX);
    const uint8_t *third = up.wire->data + up.at;
    struct mg_bytes third_frame = {third + 2, (size_t)third[0] << 8 | third[1]};
    assert_int_equal(mg_noise_read(&spare, third_frame, &hello), MG_OK);
    mg_buf_clear(&again);
    assert_int_equal(mg_noise_write(&node, mg_buf_bytes(&hello), &again), MG_OK);
    assert_int_equal(again.len, third_frame.len);
    assert_memory_equal(again.data, third_frame.data, again.len);
    see_handshake(&up, "-> handshake message 3", "HELLO");
    say_hex(t, "handshake hash", mg_noise_handshake_hash(&hub), MG_NOISE_HASH);
    assert_memory_equal(mg_noise_handshake_hash(&hub), mg_noise_handshake_hash(&node), MG_NOISE_HASH);

    see_message(&down, "flags and WELCOME", "<- frame");
    see_message(&down, "flags and END", "<- frame");
    see_message(&up, "flags and BYE", "-> frame");
    assert_int_equal(up.at, up.wire->len);
    assert_int_equal(down.at, down.wire->len);
    char line[80];
    (void)snprintf(line, sizeof line, "%zu bytes ->, %zu bytes <-", up.at, down.at);
    say(t, line);

    mg_buf_free(&hello);
    mg_buf_free(&again);
    mg_noise_free(&spare);
    mg_noise_free(&node);
    mg_noise_free(&hub);
    pair_free(pair);
}

static void the_example_is_what_is_on_the_wire(void **state)
{
    (void)state;
    static struct transcript t;
    write_example(&t);
    const char *print = getenv("MAILLAGE_GOLDEN");
    if (print != NULL && strcmp(print, "print") == 0) (void)fputs(t.text, stdout);

    const char *section = strstr(protocol_text, "\n## 9");
    assert_non_null(section);
    const char *block = strstr(section, "```text\n");
    assert_non_null(block);
    block += strlen("```text\n");
    const char *end = strstr(block, "```");
    assert_non_null(end);
    if ((size_t)(end - block) == t.len && memcmp(block, t.text, t.len) == 0) return;
    size_t at = 0;
    while (at < t.len && block[at] == t.text[at]) at++;
    fail_msg("the example of PROTOCOL.md differs from the wire at: %.40s", t.text + at);
}

/* --- the tables --- */

static void must_say(const char *line)
{
    if (strstr(protocol_text, line) == NULL) fail_msg("PROTOCOL.md does not say: %s", line);
}

static void the_tables_are_those_of_the_code(void **state)
{
    (void)state;
    static const char *const from[] = {"", "node", "hub", "either"};
    char line[160];
#define MG_X(NAME, name, number, elements, sender, ceiling)                                                  \
    (void)snprintf(line, sizeof line, "| %d | %s | %s | %d | %d |", (number), #NAME, from[sender], (elements), \
                   (int)(ceiling));                                                                           \
    must_say(line);
    MG_MESSAGES(MG_X)
#undef MG_X
#define MG_X(NAME, number, status)                             \
    (void)snprintf(line, sizeof line, "| %d | %s |", (number), #NAME); \
    must_say(line);
    MG_ERRORS(MG_X)
#undef MG_X
#define MG_X(NAME, number)                                     \
    (void)snprintf(line, sizeof line, "| %d | %s |", (number), #NAME); \
    must_say(line);
    MG_ALERTS(MG_X)
#undef MG_X
}

static void the_limits_are_those_of_the_code(void **state)
{
    (void)state;
    static const struct { const char *name; int value; } limits[] = {
        {"frame", MG_FRAME_MAX},
        {"part", MG_PART_MAX},
        {"message", MG_MESSAGE_MAX},
        {"compressed from", MG_COMPRESS_FROM},
        {"zstd window", 1 << MG_ZSTD_WINDOW_LOG_MAX},
        {"chunk, content", MG_CHUNK_RAW_MAX},
        {"chunk, on the wire", MG_CHUNK_WIRE_MAX},
        {"batch, content", MG_BATCH_MAX},
        {"batch, on the wire", MG_PUSH_WIRE_MAX},
        {"value", MG_VALUE_MAX},
        {"receipt", MG_RECEIPT_MAX},
        {"window of chunks", MG_WINDOW_CHUNKS},
        {"window of chunks, bytes", MG_WINDOW_CHUNK_BYTES},
        {"window of pushes", MG_WINDOW_PUSHES},
        {"window of pushes, bytes", MG_WINDOW_PUSH_BYTES},
        {"runs", MG_RUNS_MAX},
        {"rounds", MG_ROUNDS_MAX},
        {"histories in a message", MG_HISTORIES_MAX},
        {"digests in END", MG_DIGESTS_MAX},
        {"verdicts a page", MG_VERDICTS_A_PAGE},
        {"COMPAREs", MG_COMPARES_MAX},
        {"scopes of a node", MG_SCOPES_MAX},
        {"scope", MG_SCOPE_MAX},
        {"name", MG_NAME_MAX},
        {"text of ERROR", MG_ERROR_TEXT_MAX},
        {"seconds of ERROR", MG_RETRY_SECONDS_MAX},
        {"handshake, ms", MG_SESSION_HANDSHAKE_MS},
        {"silence, ms", MG_SESSION_IDLE_MS},
        {"first wait, ms", MG_RETRY_FIRST_MS},
        {"longest wait, ms", MG_RETRY_MOST_MS},
        {"shortest wait, ms", MG_RETRY_LEAST_MS},
        {"least budget", MG_SESSION_LEAST_BUDGET},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char line[120];
        (void)snprintf(line, sizeof line, "| %s | %d |", limits[i].name, limits[i].value);
        must_say(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_what_is_on_the_wire),
        cmocka_unit_test(the_tables_are_those_of_the_code),
        cmocka_unit_test(the_limits_are_those_of_the_code),
    };
    return cmocka_run_group_tests(tests, load_protocol, free_protocol);
}
