/*
 * test_messages.c - every message by its bytes: what is written, what is read, what is refused.
 *
 * The hex was worked out from the layouts of PROTOCOL.md, section 5, and not by this code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/proto.h"

static const char *const golden[MG_MESSAGE_TYPES] = {
    [MG_MSG_HELLO] =
        "9b010103cf7fffffffffffffff92cf0123456789abcdefce00011170ccc8ccc9c408a0a1a2a3a4a5a6a7"
        "0440c3",
    [MG_MSG_WELCOME] =
        "990201ccc8c408a0a1a2a3a4a5a6a702cd012ccf000001a0c4506c00079293cf11111111111111110000"
        "93cf0123456789abcdefcf1111111111111111cd012c",
    [MG_MSG_PUSH] =
        "950301c3c2c4050102030405",
    [MG_MSG_RECEIPT] =
        "9204c406101112131415",
    [MG_MSG_FORK] =
        "930502ce00010000",
    [MG_MSG_CHUNK] =
        "9206c40420212223",
    [MG_MSG_ACK] =
        "920792cf0123456789abcdefcc80",
    [MG_MSG_END] =
        "980892cf0123456789abcdefce00011170cf000001a0c4506c00cd50edcd03e8039292a0c408303132333435363793ba6d"
        "61727469677565732f6d73702d706f72742d64652d626f7563c4084041424344454647c40848494a4b4c4d4e4fc4400001020304"
        "05060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e"
        "2f303132333435363738393a3b3c3d3e3f",
    [MG_MSG_BYE] =
        "970992cf0123456789abcdefce00011170c3c3c200c403101112",
    [MG_MSG_ERROR] =
        "940a0acd012ca76f63637570c3a9",
    [MG_MSG_ENROL] =
        "930b01c420505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f",
    [MG_MSG_ENROLLED] =
        "960cc410606162636465666768696a6b6c6d6e6fc420707172737475767778797a7b7c7d7e7f80818283"
        "8485868788898a8b8c8d8e8fa96d6172746967756573ac706f72742d64652d626f756392ba6d61727469"
        "677565732f6d73702d706f72742d64652d626f7563ae6d61727469677565732f63636173",
    [MG_MSG_LINEAGE] =
        "920d9293cf1111111111111111000093cf0123456789abcdefcf1111111111111111cd012c",
    [MG_MSG_COMPARE] =
        "930ea96d6172746967756573c410808182838485868788898a8b8c8d8e8f",
    [MG_MSG_VERDICTS] =
        "930fc3c418909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7",
    [MG_MSG_SNAPSHOT] =
        "9310c410808182838485868788898a8b8c8d8e8fcc80",
    [MG_MSG_BLOCK] =
        "931107c40420212223",
    [MG_MSG_CLOSING] =
        "9412cd012c0792cf0123456789abcdefce00011170",
};

/* Every number that is a message's. */
#define each_type(type) for (int type = 1; type < MG_MESSAGE_TYPES; type++)

enum { BYTES_MAX = 1024 };

static const struct mg_position cursor = {.history = 0x0123456789abcdef, .n = 70000};
static struct mg_history histories[] = {
    {.id = 0x1111111111111111},
    {.id = 0x0123456789abcdef, .parent = 0x1111111111111111, .fork = 300},
};
static uint8_t run_of_bytes[256];

static struct mg_bytes bytes_from(uint8_t first, size_t len)
{
    return (struct mg_bytes){run_of_bytes + first, len};
}

static void copy(void *to, uint8_t first, size_t len)
{
    memcpy(to, run_of_bytes + first, len);
}

/* The message whose bytes are golden[type]. */
static void example(enum mg_message_type type, struct mg_message *message)
{
    *message = (struct mg_message){.type = type};
    switch (type) {
    case MG_MSG_HELLO:
        message->as.hello = (struct mg_msg_hello){.protocol = 1, .window = 4, .chunk_units = 64, .by_name = true};
        message->as.hello.state = (struct mg_hello){.schema_version = 3,
                                                    .incarnation = INT64_MAX,
                                                    .cursor = cursor,
                                                    .acked_seq = 200,
                                                    .last_seq = 201};
        copy(message->as.hello.state.acked_hash, 0xa0, 8);
        return;
    case MG_MSG_WELCOME:
        message->as.welcome.protocol = 1;
        message->as.welcome.state = (struct mg_welcome){.known_seq = 200,
                                                        .refill = true,
                                                        .resume = 300,
                                                        .hub_time = INT64_C(1790000000000),
                                                        .runs = 7,
                                                        .histories = histories,
                                                        .history_count = 2};
        copy(message->as.welcome.state.known_hash, 0xa0, 8);
        return;
    case MG_MSG_PUSH:
        message->as.push = (struct mg_msg_push){.run = 1, .last = true, .batch = bytes_from(1, 5)};
        return;
    case MG_MSG_RECEIPT:
        message->as.receipt.receipt = bytes_from(0x10, 6);
        return;
    case MG_MSG_FORK:
        message->as.fork = (struct mg_msg_fork){.run = 2, .base_seq = 65536};
        return;
    case MG_MSG_CHUNK:
        message->as.chunk.chunk = bytes_from(0x20, 4);
        return;
    case MG_MSG_ACK:
        message->as.ack.cursor = (struct mg_position){.history = cursor.history, .n = 128};
        return;
    case MG_MSG_END: {
        struct mg_end *end = &message->as.end.state;
        end->cursor = cursor;
        end->hub_time = INT64_C(1790000000000);
        end->day = 20717;
        end->unsaved = 1000;
        end->schema = 3;
        end->digest_count = 2;
        strcpy(end->digests[1].scope, "martigues/msp-port-de-bouc");
        copy(end->digests[0].digest, 0x30, 8);
        copy(end->digests[1].digest, 0x40, 8);
        copy(end->digests[1].verdicts, 0x48, 8);
        copy(end->signature, 0, 64);
        return;
    }
    case MG_MSG_BYE:
        message->as.bye = (struct mg_msg_bye){.cursor = cursor, .complete = true, .digests_agree = true, .reports = bytes_from(0x10, 3)};
        return;
    case MG_MSG_COMPARE:
        strcpy(message->as.compare.scope, "martigues");
        copy(message->as.compare.after, 0x80, 16);
        return;
    case MG_MSG_VERDICTS:
        message->as.verdicts = (struct mg_msg_verdicts){.last = true, .page = bytes_from(0x90, 24)};
        return;
    case MG_MSG_ERROR:
        message->as.error.code = MG_ERROR_BUSY;
        message->as.error.seconds = 300;
        strcpy(message->as.error.text, "occup\xc3\xa9");
        return;
    case MG_MSG_ENROL:
        message->as.enrol.protocol = 1;
        copy(message->as.enrol.sign_public, 0x50, 32);
        return;
    case MG_MSG_ENROLLED: {
        struct mg_msg_enrolled *enrolled = &message->as.enrolled;
        copy(enrolled->hub_node, 0x60, 16);
        copy(enrolled->hub_sign, 0x70, 32);
        strcpy(enrolled->hub_name, "martigues");
        strcpy(enrolled->node_name, "port-de-bouc");
        strcpy(enrolled->scopes[0], "martigues/msp-port-de-bouc");
        strcpy(enrolled->scopes[1], "martigues/ccas");
        enrolled->scope_count = 2;
        return;
    }
    case MG_MSG_LINEAGE:
        message->as.lineage = (struct mg_msg_lineage){.histories = histories, .history_count = 2};
        return;
    case MG_MSG_SNAPSHOT:
        message->as.snapshot.block = 128;
        copy(message->as.snapshot.id, 0x80, 16);
        return;
    case MG_MSG_BLOCK:
        message->as.block = (struct mg_msg_block){.number = 7, .bytes = bytes_from(0x20, 4)};
        return;
    case MG_MSG_CLOSING:
        message->as.closing = (struct mg_msg_closing){.messages = 300, .number = 7, .refilled = cursor};
        return;
    case MG_MSG_NONE:
    default:
        fail();
    }
}

static size_t golden_bytes(int type, uint8_t out[BYTES_MAX])
{
    size_t len = 0;
    assert_non_null(golden[type]);
    assert_int_equal(sodium_hex2bin(out, BYTES_MAX, golden[type], strlen(golden[type]), NULL, &len, NULL), 0);
    return len;
}

/* Decodes from memory of exactly that size, so that reading on is seen. */
static mg_status decode(const uint8_t *bytes, size_t len, struct mg_message *message, struct mg_error *err)
{
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    assert_non_null(exact);
    if (len > 0) memcpy(exact, bytes, len);
    mg_status status = mg_message_decode((struct mg_bytes){exact, len}, MG_FROM_EITHER, message, err);
    struct mg_buf again;
    mg_buf_init(&again, MG_MESSAGE_MAX);
    /* What was read is written the same: there is one encoding. */
    bool other_version = status == MG_OK && (message->type == MG_MSG_HELLO || message->type == MG_MSG_ENROL) &&
                         message->as.hello.protocol != MG_PROTOCOL;
    if (status == MG_OK && !other_version) {
        assert_int_equal(mg_message_encode(message, &again), MG_OK);
        assert_int_equal(again.len, len);
        assert_memory_equal(again.data, exact, len);
    }
    mg_buf_free(&again);
    free(exact);
    return status;
}

static void every_message_has_its_bytes(void **state)
{
    (void)state;
    each_type(type) {
        uint8_t expected[BYTES_MAX];
        size_t len = golden_bytes(type, expected);
        struct mg_message message;
        struct mg_buf out;
        mg_buf_init(&out, MG_MESSAGE_MAX);
        example((enum mg_message_type)type, &message);
        assert_int_equal(mg_message_encode(&message, &out), MG_OK);
        if (out.len != len || memcmp(out.data, expected, len) != 0) {
            fail_msg("%s is written otherwise", mg_message_name((enum mg_message_type)type));
        }
        assert_int_equal(decode(expected, len, &message, NULL), MG_OK);
        assert_int_equal(message.type, type);
        mg_message_free(&message);
        mg_buf_free(&out);
    }
}

static void fields_arrive(void **state)
{
    (void)state;
    uint8_t bytes[BYTES_MAX];
    struct mg_message message;
    size_t len = golden_bytes(MG_MSG_WELCOME, bytes);
    assert_int_equal(mg_message_decode((struct mg_bytes){bytes, len}, MG_FROM_HUB, &message, NULL), MG_OK);
    assert_int_equal(message.as.welcome.state.known_seq, 200);
    assert_true(message.as.welcome.state.refill);
    assert_false(message.as.welcome.state.lineage_wanted);
    assert_false(message.as.welcome.state.snapshot);
    assert_int_equal(message.as.welcome.state.runs, 7);
    assert_int_equal(message.as.welcome.state.history_count, 2);
    assert_int_equal(message.as.welcome.state.histories[1].fork, 300);
    mg_message_free(&message);

    len = golden_bytes(MG_MSG_END, bytes);
    assert_int_equal(mg_message_decode((struct mg_bytes){bytes, len}, MG_FROM_HUB, &message, NULL), MG_OK);
    assert_string_equal(message.as.end.state.digests[1].scope, "martigues/msp-port-de-bouc");
    assert_int_equal(message.as.end.state.digests[1].digest[7], 0x47);
    assert_int_equal(message.as.end.state.signature[63], 63);
    assert_int_equal(message.as.end.state.unsaved, 1000);
    assert_int_equal(message.as.end.state.schema, 3);
    mg_message_free(&message);

    len = golden_bytes(MG_MSG_ENROLLED, bytes);
    assert_int_equal(mg_message_decode((struct mg_bytes){bytes, len}, MG_FROM_HUB, &message, NULL), MG_OK);
    assert_string_equal(message.as.enrolled.node_name, "port-de-bouc");
    assert_string_equal(message.as.enrolled.scopes[1], "martigues/ccas");
    mg_message_free(&message);
}

static void a_message_cut_anywhere_is_refused(void **state)
{
    (void)state;
    each_type(type) {
        uint8_t bytes[BYTES_MAX];
        size_t len = golden_bytes(type, bytes);
        for (size_t cut = 0; cut < len; cut++) {
            struct mg_message message;
            struct mg_error err = {.text = ""};
            assert_int_equal(decode(bytes, cut, &message, &err), MG_BAD_BYTES);
            assert_true(err.text[0] != '\0');
        }
        bytes[len] = 0;
        struct mg_message message;
        assert_int_equal(decode(bytes, len + 1, &message, NULL), MG_BAD_BYTES);
    }
}

/* Any byte replaced by any other: refused, or another message that is written the same way. */
static void a_message_changed_anywhere_is_safe(void **state)
{
    (void)state;
    each_type(type) {
        uint8_t bytes[BYTES_MAX];
        size_t len = golden_bytes(type, bytes);
        for (size_t at = 0; at < len; at++) {
            uint8_t kept = bytes[at];
            for (int value = 0; value < 256; value++) {
                struct mg_message message;
                bytes[at] = (uint8_t)value;
                if (decode(bytes, len, &message, NULL) == MG_OK) mg_message_free(&message);
            }
            bytes[at] = kept;
        }
    }
}

/* Where values stand at the top level of MESSAGE; returns how many. */
static int value_positions(const uint8_t *bytes, size_t len, size_t at[16], size_t end[16])
{
    struct mg_mp_reader in;
    mg_mp_read(&in, bytes, len);
    int count = (int)mg_mp_get_array(&in, 16);
    for (int i = 0; i < count; i++) {
        at[i] = in.pos;
        (void)mg_mp_skip(&in);
        end[i] = in.pos;
    }
    assert_true(mg_mp_done(&in));
    return count;
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t len; enum mg_mp_type type; } strange[] = {
        {"\xc0", 1, MG_MP_NIL},     {"\xc3", 1, MG_MP_BOOL}, {"\xff", 1, MG_MP_BAD}, /* a negative number */
        {"\xa1z", 2, MG_MP_STR},    {"\xc4\x01z", 3, MG_MP_BIN}, {"\x91\x01", 2, MG_MP_ARRAY},
        {"\x80", 1, MG_MP_BAD},     {"\xca\x00\x00\x00\x00", 5, MG_MP_BAD}, {"\xd4\x01z", 3, MG_MP_BAD},
        {"\xcc\x01", 2, MG_MP_BAD}, /* longer than needed */
        {"\xdd\xff\xff\xff\xff", 5, MG_MP_BAD},
    };
    each_type(type) {
        uint8_t bytes[BYTES_MAX], changed[BYTES_MAX + 16];
        size_t len = golden_bytes(type, bytes), at[16], end[16];
        int count = value_positions(bytes, len, at, end);
        for (int field = 1; field < count; field++) {
            struct mg_mp_reader in;
            mg_mp_read(&in, bytes + at[field], len - at[field]);
            enum mg_mp_type right = mg_mp_peek(&in);
            for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
                if (strange[i].type == right && right != MG_MP_ARRAY) continue;
                struct mg_message message;
                memcpy(changed, bytes, at[field]);
                memcpy(changed + at[field], strange[i].bytes, strange[i].len);
                memcpy(changed + at[field] + strange[i].len, bytes + end[field], len - end[field]);
                size_t size = len - (end[field] - at[field]) + strange[i].len;
                if (decode(changed, size, &message, NULL) != MG_BAD_BYTES) {
                    fail_msg("%s takes a wrong field %d", mg_message_name((enum mg_message_type)type), field);
                }
            }
        }
    }
}

static void each_side_sends_its_own_messages_only(void **state)
{
    (void)state;
    static const int from[MG_MESSAGE_TYPES] = {
#define MG_X(NAME, name, number, elements, sender, ceiling) [number] = (sender),
        MG_MESSAGES(MG_X)
#undef MG_X
    };
    each_type(type) {
        uint8_t bytes[BYTES_MAX];
        size_t len = golden_bytes(type, bytes);
        for (int sender = MG_FROM_NODE; sender <= MG_FROM_HUB; sender++) {
            struct mg_message message;
            mg_status expected = (from[type] & sender) != 0 ? MG_OK : MG_BAD_BYTES;
            assert_int_equal(mg_message_decode((struct mg_bytes){bytes, len}, sender, &message, NULL), expected);
            if (expected == MG_OK) mg_message_free(&message);
        }
    }
}

/* Numbers and lists just over what a field may hold. */
#define ZEROS_16 "00000000000000000000000000000000"
#define ZEROS_64 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16

static void limits_are_kept(void **state)
{
    (void)state;
    static const char *const over[] = {
        /* HELLO: window 0, window 5, chunk 0, chunk 65, more receipts than commits, 2^63; names 0 and 1 for false and true */
        "9b010103019201000000c4080000000000000000" "0040c2",
        "9b010103019201000000c4080000000000000000" "0540c2",
        "9b010103019201000000c4080000000000000000" "0400c2",
        "9b010103019201000000c4080000000000000000" "0441c2",
        "9b010103019201000100c4080000000000000000" "0440c2",
        "9b010103cf80000000000000009201000000c40800000000000000000440c2",
        "9b010103019201000000c4080000000000000000" "044000",
        "9b010103019201000000c4080000000000000000" "044001",
        /* a position without a history */
        "92079200" "05",
        /* PUSH: run 8, empty and not the last */
        "950308c3c2c40101",
        "950300c2c2c400",
        /* empty receipt, empty chunk */
        "9204c400",
        "9206c400",
        /* FORK of run 8 */
        "93050800",
        /* histories: id 0, its own parent, a number without a parent */
        "920d9193000000",
        "920d9193050501",
        "920d9193050001",
        /* ERROR: code 0, code 256, a day and a second */
        "940a0000a0",
        "940acd010000a0",
        "940a01ce00015181a0",
        /* VERDICTS: no whole entry, nothing and not the last; END: a sum of zeros written out, day 10000-01-01 */
        "930fc3c40100",
        "930fc2c400",
        "96089200000000" "9193a0c4080102030405060708c4080000000000000000" "c440" ZEROS_64,
        "9608920000" "00" "ce002cc0a1" "90" "c440" ZEROS_64,
        /* BYE with too few fields, an unknown message, a message that is no array */
        "9409920101c3c2",
        "9110",
        "01",
    };
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
        uint8_t bytes[BYTES_MAX];
        size_t len = 0;
        struct mg_message message;
        assert_int_equal(sodium_hex2bin(bytes, sizeof bytes, over[i], strlen(over[i]), NULL, &len, NULL), 0);
        if (decode(bytes, len, &message, NULL) != MG_BAD_BYTES) fail_msg("taken: %s", over[i]);
    }
    /* The same HELLO within its limits is good, so that it is the limit that refused. */
    static const char good[] = "9b010103019201000000c40800000000000000000440c2";
    uint8_t bytes[BYTES_MAX];
    size_t len = 0;
    struct mg_message message;
    assert_int_equal(sodium_hex2bin(bytes, sizeof bytes, good, strlen(good), NULL, &len, NULL), 0);
    assert_int_equal(decode(bytes, len, &message, NULL), MG_OK);
    mg_message_free(&message);
}

/* [P 3.6] The next version's HELLO may look otherwise, but says its version in the same place. */
static void another_version_is_recognised(void **state)
{
    (void)state;
    static const uint8_t hello[] = {0x93, 0x01, 0x02, 0xa1, 'x'}, enrol[] = {0x92, 0x0b, 0x07};
    struct mg_message message;
    assert_int_equal(mg_message_decode((struct mg_bytes){hello, sizeof hello}, MG_FROM_NODE, &message, NULL), MG_OK);
    assert_int_equal(message.type, MG_MSG_HELLO);
    assert_int_equal(message.as.hello.protocol, 2);
    assert_int_equal(mg_message_decode((struct mg_bytes){enrol, sizeof enrol}, MG_FROM_NODE, &message, NULL), MG_OK);
    assert_int_equal(message.as.enrol.protocol, 7);
    assert_int_equal(mg_message_decode((struct mg_bytes){hello, sizeof hello}, MG_FROM_HUB, &message, NULL),
                     MG_BAD_BYTES);
}

/* The largest of each fits its ceiling: mg_message_encode asserts it. */
static void the_largest_messages_fit(void **state)
{
    (void)state;
    struct mg_history *many = calloc(MG_HISTORIES_MAX, sizeof *many);
    uint8_t *bytes = calloc(1, MG_CHUNK_RAW_MAX);
    assert_non_null(many);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < MG_HISTORIES_MAX; i++) {
        many[i] = (struct mg_history){.id = INT64_MAX - i, .parent = INT64_MAX - i - 1, .fork = INT64_MAX};
    }
    const struct mg_position far = {.history = INT64_MAX, .n = INT64_MAX};
    each_type(type) {
        struct mg_message message;
        struct mg_buf out;
        mg_buf_init(&out, MG_MESSAGE_MAX);
        example((enum mg_message_type)type, &message);
        if (type == MG_MSG_HELLO) {
            struct mg_hello *hello = &message.as.hello.state;
            hello->schema_version = INT32_MAX;
            hello->cursor = far;
            hello->acked_seq = hello->last_seq = INT64_MAX;
        }
        if (type == MG_MSG_WELCOME) {
            message.as.welcome.state.histories = many;
            message.as.welcome.state.history_count = MG_HISTORIES_MAX;
            message.as.welcome.state.known_seq = message.as.welcome.state.resume = INT64_MAX;
            message.as.welcome.state.hub_time = INT64_MAX;
            message.as.welcome.state.runs = INT64_MAX;
        }
        if (type == MG_MSG_PUSH) message.as.push.batch = (struct mg_bytes){bytes, MG_BATCH_MAX};
        if (type == MG_MSG_RECEIPT) message.as.receipt.receipt = (struct mg_bytes){bytes, MG_RECEIPT_MAX};
        if (type == MG_MSG_FORK) message.as.fork.base_seq = INT64_MAX;
        if (type == MG_MSG_CHUNK) message.as.chunk.chunk = (struct mg_bytes){bytes, MG_CHUNK_RAW_MAX};
        if (type == MG_MSG_ACK) message.as.ack.cursor = far;
        if (type == MG_MSG_BYE) message.as.bye = (struct mg_msg_bye){.cursor = far, .waiting = INT64_MAX, .reports = {bytes, MG_REPORTS_MAX}};
        if (type == MG_MSG_END) {
            struct mg_end *end = &message.as.end.state;
            end->cursor = far;
            end->hub_time = INT64_MAX;
            end->unsaved = INT64_MAX;
            end->schema = INT32_MAX;
            end->digest_count = MG_DIGESTS_MAX;
            for (int i = 0; i < MG_DIGESTS_MAX; i++) memset(end->digests[i].scope, 'a', MG_SCOPE_MAX);
        }
        if (type == MG_MSG_ERROR) {
            memset(message.as.error.text, 'a', MG_ERROR_TEXT_MAX);
            message.as.error.seconds = MG_RETRY_SECONDS_MAX;
            message.as.error.code = UINT8_MAX;
        }
        if (type == MG_MSG_ENROLLED) {
            struct mg_msg_enrolled *enrolled = &message.as.enrolled;
            memset(enrolled->hub_name, 'a', MG_NAME_MAX);
            memset(enrolled->node_name, 'a', MG_NAME_MAX);
            enrolled->scope_count = MG_SCOPES_MAX;
            for (int i = 0; i < MG_SCOPES_MAX; i++) memset(enrolled->scopes[i], 'a', MG_SCOPE_MAX);
        }
        if (type == MG_MSG_LINEAGE) {
            message.as.lineage = (struct mg_msg_lineage){.histories = many, .history_count = MG_HISTORIES_MAX};
        }
        assert_int_equal(mg_message_encode(&message, &out), MG_OK);
        assert_int_equal(decode(out.data, out.len, &message, NULL), MG_OK);
        mg_message_free(&message);
        mg_buf_free(&out);
    }
    free(bytes);
    free(many);
}

/* --- the envelope --- */

static void an_envelope_compresses_when_it_pays(void **state)
{
    (void)state;
    struct mg_zstd zstd;
    struct mg_buf scratch, part, opened;
    struct mg_envelope envelope;
    assert_int_equal(mg_zstd_init(&zstd), MG_OK);
    mg_buf_init(&scratch, 2 * MG_MESSAGE_MAX);
    mg_buf_init(&part, MG_FRAME_MAX);
    mg_buf_init(&opened, MG_MESSAGE_MAX);
    mg_envelope_init(&envelope);
    static const struct { size_t len; bool noisy, compressed; size_t parts; } cases[] = {
        {1, false, false, 1},          {MG_COMPRESS_FROM - 1, false, false, 1}, {MG_COMPRESS_FROM, false, true, 1},
        {MG_COMPRESS_FROM, true, false, 1}, {MG_PART_MAX, true, false, 1}, {MG_PART_MAX + 1, true, false, 2},
        {MG_MESSAGE_MAX, true, false, 5}, {MG_MESSAGE_MAX, false, true, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *bytes = malloc(cases[i].len);
        assert_non_null(bytes);
        uint32_t x = 1;
        for (size_t at = 0; at < cases[i].len; at++) {
            x = x * 1664525U + 1013904223U;
            bytes[at] = cases[i].noisy ? (uint8_t)(x >> 24) : 7;
        }
        struct mg_parcel parcel;
        assert_int_equal(mg_envelope_pack(&zstd, (struct mg_bytes){bytes, cases[i].len}, &scratch, &parcel), MG_OK);
        assert_int_equal(parcel.compressed, cases[i].compressed);
        size_t wire = mg_parcel_wire_size(&parcel), sum = 0, parts = 0;
        bool more = true, whole = false;
        while (more) {
            mg_buf_clear(&part);
            more = mg_parcel_next(&parcel, &part);
            sum += part.len + MG_NOISE_TAG + MG_FRAME_HEADER;
            parts++;
            assert_false(whole);
            assert_int_equal(mg_envelope_add(&envelope, mg_buf_bytes(&part), &whole), MG_OK);
        }
        assert_true(whole);
        assert_int_equal(sum, wire);
        assert_int_equal(parts, cases[i].parts);
        struct mg_bytes message;
        assert_int_equal(mg_envelope_open(&envelope, &zstd, &opened, &message), MG_OK);
        assert_int_equal(message.len, cases[i].len);
        assert_memory_equal(message.data, bytes, message.len);
        free(bytes);
    }
    mg_envelope_free(&envelope);
    mg_buf_free(&opened);
    mg_buf_free(&part);
    mg_buf_free(&scratch);
    mg_zstd_free(&zstd);
}

static void preambles_and_alerts(void **state)
{
    (void)state;
    uint8_t preamble[MG_PREAMBLE_LEN];
    mg_preamble_put(preamble, MG_PREAMBLE_ENROLMENT);
    assert_memory_equal(preamble, "MLG\x02", 4);
    assert_int_equal(mg_preamble_kind(preamble), MG_PREAMBLE_ENROLMENT);
    preamble[3] = 3;
    assert_int_equal(mg_preamble_kind(preamble), MG_PREAMBLE_AWAITED);
    preamble[3] = 4;
    assert_int_equal(mg_preamble_kind(preamble), 0);
    preamble[3] = 0;
    assert_int_equal(mg_preamble_kind(preamble), 0);
    assert_int_equal(mg_preamble_kind((const uint8_t *)"MLg\x01"), 0);

    struct mg_buf out;
    mg_buf_init(&out, 16);
    mg_alert_put(&out, MG_ALERT_BUSY, 0x0102);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "\x00\x04\xff\x03\x01\x02", 6);
    enum mg_alert reason;
    uint16_t seconds;
    assert_true(mg_alert_read((struct mg_bytes){out.data + 2, 4}, &reason, &seconds));
    assert_int_equal(reason, MG_ALERT_BUSY);
    assert_int_equal(seconds, 0x0102);
    assert_false(mg_alert_read((struct mg_bytes){out.data + 2, 3}, &reason, &seconds));
    assert_false(mg_alert_read((struct mg_bytes){out.data, 4}, &reason, &seconds));
    mg_buf_free(&out);
}

int main(void)
{
    for (int i = 0; i < 256; i++) run_of_bytes[i] = (uint8_t)i;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_its_bytes),
        cmocka_unit_test(fields_arrive),
        cmocka_unit_test(a_message_cut_anywhere_is_refused),
        cmocka_unit_test(a_message_changed_anywhere_is_safe),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(each_side_sends_its_own_messages_only),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(another_version_is_recognised),
        cmocka_unit_test(the_largest_messages_fit),
        cmocka_unit_test(an_envelope_compresses_when_it_pays),
        cmocka_unit_test(preambles_and_alerts),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
