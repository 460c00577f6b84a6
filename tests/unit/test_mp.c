/*
 * test_mp.c - one value, one encoding; and no hostile byte costs memory or depth.
 *
 * The strongest law is at the end: whatever bytes the reader accepts, the writer gives
 * back the same bytes, and msgpack-c reads the same value in them. It is tried on every
 * short input and on random ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <msgpack.h>

#include "core/mp.h"
#include "tests/support/bounds.h"

#ifndef MAILLAGE_SHARED_DIR
#define MAILLAGE_SHARED_DIR "../shared"
#endif

enum { ROOM = 1 << 20 };

/* ---- small helpers ---- */

static json_t *load_vectors(const char *name)
{
    const char *dir = getenv("MAILLAGE_SHARED_DIR");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/vectors/%s", dir != NULL ? dir : MAILLAGE_SHARED_DIR,
                   name);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, NULL);
    if (root == NULL) {
        print_message("skipped: %s is not here; see MAILLAGE_SHARED_DIR\n", path);
        skip();
    }
    return root;
}

struct hex {
    uint8_t data[8192];
    size_t len;
};

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* "d1-00-80" or "d10080". */
static void from_hex(struct hex *out, const char *digits)
{
    out->len = 0;
    while (*digits != '\0') {
        if (*digits == '-') digits++;
        if (*digits == '\0') break;
        assert_true(out->len < sizeof out->data);
        out->data[out->len++] = (uint8_t)(digit(digits[0]) << 4 | digit(digits[1]));
        digits += 2;
    }
}

static bool accepts(const void *data, size_t len)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, data, len);
    (void)mg_mp_skip(&in);
    return mg_mp_done(&in);
}

/* A literal with NULs in it. */
#define ACCEPTS(literal) accepts(literal, sizeof(literal) - 1)

/* ---- the public suite ---- */

/* Writes what a case of the suite describes; false when it is of a type that we do not use. */
static bool write_json(struct mg_buf *out, const json_t *value)
{
    if (json_is_null(value)) {
        mg_mp_put_nil(out);
    } else if (json_is_boolean(value)) {
        mg_mp_put_bool(out, json_is_true(value));
    } else if (json_is_integer(value)) {
        mg_mp_put_int(out, json_integer_value(value));
    } else if (json_is_string(value)) {
        mg_mp_put_str(out, json_string_value(value), json_string_length(value));
    } else if (json_is_array(value)) {
        mg_mp_put_array(out, (uint32_t)json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (!write_json(out, json_array_get(value, i))) return false;
        }
    } else {
        return false;
    }
    return true;
}

static bool write_case(struct mg_buf *out, const json_t *one)
{
    const char *number = json_string_value(json_object_get(one, "bignum"));
    const char *binary = json_string_value(json_object_get(one, "binary"));
    if (number != NULL && number[0] == '-') {
        mg_mp_put_int(out, strtoll(number, NULL, 10));
    } else if (number != NULL) {
        mg_mp_put_uint(out, strtoull(number, NULL, 10));
    } else if (binary != NULL) {
        struct hex bytes;
        from_hex(&bytes, binary);
        mg_mp_put_bin(out, bytes.data, bytes.len);
    } else {
        const char *const ours[] = {"nil", "bool", "number", "string", "array"};
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
            const json_t *value = json_object_get(one, ours[i]);
            if (value != NULL) return write_json(out, value);
        }
        return false;
    }
    return true;
}

/* What was written is listed, no other integer, text or array form listed is shorter, and every
 * other one is refused. (The suite lists floating point among the forms of whole numbers, and
 * 2^63 - 1 as signed before unsigned, which is as long: hence not simply "the first".) */
static void check_encodings(const json_t *one, const struct mg_buf *ours)
{
    bool listed = false;
    size_t index;
    json_t *form;
    json_array_foreach(json_object_get(one, "msgpack"), index, form)
    {
        struct hex bytes;
        from_hex(&bytes, json_string_value(form));
        bool is_ours = ours->len == bytes.len && memcmp(ours->data, bytes.data, bytes.len) == 0;
        bool is_float = bytes.data[0] == 0xca || bytes.data[0] == 0xcb;
        if (accepts(bytes.data, bytes.len) != is_ours) fail_msg("%s", json_string_value(form));
        if (ours->len > 0 && !is_float) assert_true(ours->len <= bytes.len);
        listed = listed || is_ours;
    }
    assert_int_equal(listed, ours->len > 0);
}

static void the_public_suite_has_one_form_of_each_value(void **state)
{
    (void)state;
    json_t *root = load_vectors("msgpack/msgpack-test-suite.json");
    size_t ours = 0;
    const char *group;
    json_t *cases;
    json_object_foreach(root, group, cases)
    {
        size_t index;
        json_t *one;
        json_array_foreach(cases, index, one)
        {
            struct mg_buf out;
            mg_buf_init(&out, ROOM);
            bool used = write_case(&out, one);
            assert_false(out.failed);
            if (!used) mg_buf_clear(&out);
            check_encodings(one, &out);
            ours += used ? 1 : 0;
            mg_buf_free(&out);
        }
    }
    assert_int_equal(ours, 51); /* of 85: not maps, extensions, timestamps, fractions */
    json_decref(root);
}

/* ---- hostile bytes ---- */

/* Whether BYTES are accepted, as any value (1) and as a signed one (2). */
static int accepted(struct mg_bytes bytes)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, bytes.data, bytes.len);
    (void)mg_mp_get_int(&in);
    bool is_int = mg_mp_done(&in);
    return (accepts(bytes.data, bytes.len) ? 1 : 0) + (is_int ? 2 : 0);
}

static void the_hostile_folder_is_refused(void **state)
{
    (void)state;
    json_t *root = load_vectors("msgpack-hostile/cases.json");
    size_t index;
    json_t *one;
    assert_int_equal(json_array_size(json_object_get(root, "cases")), 20);
    json_array_foreach(json_object_get(root, "cases"), index, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        struct hex bytes;
        from_hex(&bytes, json_string_value(json_object_get(one, "hex")));
        assert_int_equal(bytes.len, json_integer_value(json_object_get(one, "bytes")));
        /* Two are good bytes: 2^64 - 1, if not as a signed number, and e with a combining accent,
         * which is text like another. */
        int wanted = strcmp(name, "neg_as_uint_edge") == 0 || strcmp(name, "nfd_e_acute") == 0;
        if (in_bounds(16, accepted, (struct mg_bytes){bytes.data, bytes.len}) != wanted) fail_msg("%s", name);
    }
    json_decref(root);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    memset(bytes, 0x91, sizeof bytes);
    for (size_t depth = 1; depth < 40; depth++) {
        bytes[depth] = 0xc0;
        assert_int_equal(accepts(bytes, depth + 1), depth <= MG_MP_DEPTH_MAX);
        bytes[depth] = 0x90; /* an empty array is one more */
        assert_int_equal(accepts(bytes, depth + 1), depth + 1 <= MG_MP_DEPTH_MAX);
        bytes[depth] = 0x91;
    }
    assert_false(accepts(bytes, sizeof bytes));
}

static void a_length_is_compared_with_what_is_left(void **state)
{
    (void)state;
    assert_true(ACCEPTS("\x92\x01\x02"));
    assert_false(ACCEPTS("\x92\x01"));
    assert_false(ACCEPTS("\xa2x"));
    assert_false(ACCEPTS("\xc4\x02x"));
    assert_false(ACCEPTS("\xc6\xff\xff\xff\xffx"));
    assert_false(ACCEPTS("\xd9"));
    assert_false(ACCEPTS("\xcf\1\2\3\4\5\6\7"));
    assert_false(accepts("", 0));

    /* The count alone is refused, before anybody makes room for the elements. */
    struct mg_mp_reader in;
    mg_mp_read(&in, "\xdd\x00\x01\x00\x00xyz", 8);
    assert_int_equal(mg_mp_get_array(&in, UINT32_MAX), 0);
    assert_non_null(in.error);
}

/* ---- the reader's manners ---- */

static void the_first_error_stays(void **state)
{
    (void)state;
    struct mg_mp_reader in;
    mg_mp_read(&in, "\x01\xa1x\x02\xc4\x01y", 7);
    assert_int_equal(mg_mp_get_int(&in), 1);
    assert_int_equal(mg_mp_get_int(&in), 0); /* text */
    const char *first = in.error;
    assert_non_null(first);
    assert_int_equal(mg_mp_peek(&in), MG_MP_BAD);
    assert_null(mg_mp_get_str(&in, 10).data);
    assert_int_equal(mg_mp_get_uint(&in), 0);
    assert_false(mg_mp_get_bool(&in));
    assert_int_equal(mg_mp_get_array(&in, 9), 0);
    assert_null(mg_mp_get_bin(&in, 9).data);
    assert_null(mg_mp_skip(&in).data);
    mg_mp_get_nil(&in);
    mg_mp_expect_array(&in, 3);
    mg_mp_refuse(&in, "another reason");
    uint8_t two[2] = {7, 7};
    mg_mp_get_bin_exact(&in, two, sizeof two);
    assert_int_equal(two[0] + two[1], 0);
    assert_ptr_equal(in.error, first);
    assert_false(mg_mp_done(&in));
}

static void what_the_caller_allows_is_the_limit(void **state)
{
    (void)state;
    struct mg_mp_reader in;
    mg_mp_read(&in, "\xa3mno\xc4\x02xy\x92\x01\x02", 11);
    assert_int_equal(mg_mp_get_str(&in, 3).len, 3);
    uint8_t two[2];
    mg_mp_get_bin_exact(&in, two, 2);
    assert_memory_equal(two, "xy", 2);
    mg_mp_expect_array(&in, 2);
    assert_int_equal(mg_mp_get_uint(&in), 1);
    assert_false(mg_mp_done(&in)); /* one is left */

    mg_mp_read(&in, "\xa3mno", 4);
    assert_int_equal(mg_mp_get_str(&in, 2).len, 0);
    assert_non_null(in.error);
    for (size_t len = 1; len < 4; len++) {
        mg_mp_read(&in, "\xc4\x02xy", 4);
        uint8_t bytes[4] = {1, 1, 1, 1};
        mg_mp_get_bin_exact(&in, bytes, len);
        assert_int_equal(in.error == NULL, len == 2);
        if (len != 2) assert_int_equal(bytes[0], 0);
    }
    for (uint32_t count = 1; count < 4; count++) {
        mg_mp_read(&in, "\x92\x01\x02", 3);
        mg_mp_expect_array(&in, count);
        assert_int_equal(in.error == NULL, count == 2);
    }
}

static void integers_stop_at_their_edges(void **state)
{
    (void)state;
    const int64_t edges[] = {0,           -1,         127,        128,       -32,       -33,
                             -128,        -129,       255,        256,       32767,     32768,
                             -32768,      -32769,     65535,      65536,     INT32_MAX, INT32_MIN,
                             -2147483649, UINT32_MAX, 4294967296, INT64_MAX, INT64_MIN};
    struct mg_buf out;
    mg_buf_init(&out, 100);
    struct mg_mp_reader in;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        mg_buf_clear(&out);
        mg_mp_put_int(&out, edges[i]);
        mg_mp_read(&in, out.data, out.len);
        assert_int_equal(mg_mp_peek(&in), MG_MP_INT);
        assert_true(mg_mp_get_int(&in) == edges[i]);
        assert_true(mg_mp_done(&in));
        mg_mp_read(&in, out.data, out.len);
        assert_true(mg_mp_get_uint(&in) == (edges[i] < 0 ? 0 : (uint64_t)edges[i]));
        assert_int_equal(mg_mp_done(&in), edges[i] >= 0);
    }
    mg_buf_clear(&out);
    mg_mp_put_uint(&out, (uint64_t)INT64_MAX + 1);
    mg_mp_read(&in, out.data, out.len);
    assert_int_equal(mg_mp_get_int(&in), 0);
    assert_non_null(in.error);
    mg_buf_free(&out);
}

static void lengths_change_form_where_they_must(void **state)
{
    (void)state;
    const size_t edges[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536, 100000};
    static char many[100001];
    memset(many, 'e', sizeof many);
    struct mg_buf out;
    mg_buf_init(&out, ROOM);
    struct mg_mp_reader in;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        size_t len = edges[i];
        mg_buf_clear(&out);
        mg_mp_put_str(&out, many, len);
        mg_mp_put_bin(&out, many, len);
        mg_mp_put_array(&out, (uint32_t)len);
        for (size_t j = 0; j < len; j++) mg_mp_put_nil(&out);
        mg_mp_read(&in, out.data, out.len);
        assert_int_equal(mg_mp_get_str(&in, len).len, len);
        assert_int_equal(mg_mp_get_bin(&in, len).len, len);
        assert_int_equal(mg_mp_peek(&in), MG_MP_ARRAY);
        assert_int_equal(mg_mp_skip(&in).len, len + (len < 16 ? 1 : len < 65536 ? 3 : 5));
        assert_true(mg_mp_done(&in));
    }
    mg_buf_free(&out);
}

static void a_writer_that_runs_over_fails_once_and_for_all(void **state)
{
    (void)state;
    struct mg_buf out;
    mg_buf_init(&out, 6);
    mg_mp_put_str(&out, "abcde", 5);
    assert_false(out.failed);
    mg_mp_put_int(&out, 5);
    assert_true(out.failed);
    mg_buf_clear(&out);
    mg_mp_put_bin(&out, "abcde", 5); /* head fits, body does not */
    mg_mp_put_nil(&out);
    assert_true(out.failed);
    assert_int_equal(out.len, 2);
    mg_buf_free(&out);
    /* A length that does not fit in 32 bits is not cut to one that does. */
    mg_buf_init(&out, SIZE_MAX);
    mg_mp_put_str(&out, NULL, (size_t)UINT32_MAX + 1);
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    mg_buf_free(&out);
}

/* ---- text ---- */

/* Counts the accepted texts of LEN bytes that start with PREFIX plain letters, by trying all. */
static size_t count_texts(size_t len, size_t prefix)
{
    uint8_t text[16];
    memset(text, 'x', sizeof text);
    size_t count = 0;
    for (uint32_t value = 0; value < UINT32_C(1) << (8 * len); value++) {
        for (size_t i = 0; i < len; i++) text[prefix + i] = (uint8_t)(value >> (8 * i));
        count += mg_mp_is_text(text, prefix + len) ? 1 : 0;
    }
    return count;
}

static void text_is_exactly_the_characters_of_unicode(void **state)
{
    (void)state;
    /* Characters of one, two and three bytes; NUL and the 2,048 surrogates are none. */
    const size_t one = 0x7f;
    const size_t two = 0x800 - 0x80;
    const size_t three = 0x10000 - 0x800 - 0x800;
    for (size_t prefix = 0; prefix < 10; prefix++) {
        assert_int_equal(count_texts(1, prefix), one);
        assert_int_equal(count_texts(2, prefix), one * one + two);
    }
    assert_int_equal(count_texts(3, 6), one * one * one + 2 * one * two + three);

    size_t four = 0;
    for (uint32_t value = 0; value < UINT32_C(1) << 24; value++) {
        /* Leads f0 to ff; the low half of the last byte never matters, so 0 stands for all 16. */
        uint8_t text[4] = {(uint8_t)(0xf0 | value >> 20), (uint8_t)(value >> 12),
                           (uint8_t)(value >> 4), (uint8_t)(value << 4)};
        four += mg_mp_is_text(text, 4) ? 16 : 0;
    }
    assert_int_equal(four, 0x110000 - 0x10000);
}

static void text_with_nul_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    char text[40];
    for (size_t len = 1; len < sizeof text; len++) {
        memset(text, 'a', sizeof text);
        assert_true(mg_mp_is_text(text, len));
        for (size_t at = 0; at < len; at++) {
            text[at] = '\0';
            assert_false(mg_mp_is_text(text, len));
            text[at] = '\x01';
            assert_true(mg_mp_is_text(text, len));
            text[at] = '\xff';
            assert_false(mg_mp_is_text(text, len));
            text[at] = 'a';
        }
    }
    assert_true(mg_mp_is_text(NULL, 0));
}

/* ---- the law: accepted bytes are the bytes that we write, and msgpack-c agrees ---- */

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Reads one value and writes it again. */
static void rewrite(struct mg_mp_reader *in, struct mg_buf *out)
{
    struct mg_bytes bytes;
    uint32_t count;
    switch (mg_mp_peek(in)) {
    case MG_MP_NIL:
        mg_mp_get_nil(in);
        mg_mp_put_nil(out);
        break;
    case MG_MP_BOOL: mg_mp_put_bool(out, mg_mp_get_bool(in)); break;
    case MG_MP_INT:
        /* A number over 2^63 - 1 can only be read as unsigned. */
        if (in->data[in->pos] == 0xcf) {
            mg_mp_put_uint(out, mg_mp_get_uint(in));
        } else {
            mg_mp_put_int(out, mg_mp_get_int(in));
        }
        break;
    case MG_MP_STR:
        bytes = mg_mp_get_str(in, SIZE_MAX);
        mg_mp_put_str(out, (const char *)bytes.data, bytes.len);
        break;
    case MG_MP_BIN:
        bytes = mg_mp_get_bin(in, SIZE_MAX);
        mg_mp_put_bin(out, bytes.data, bytes.len);
        break;
    case MG_MP_ARRAY:
        count = mg_mp_get_array(in, UINT32_MAX);
        mg_mp_put_array(out, count);
        while (count-- > 0 && in->error == NULL) rewrite(in, out);
        break;
    case MG_MP_BAD:
    default: mg_mp_refuse(in, "bad");
    }
}

/* Our reader and msgpack-c's object tell the same. */
static void compare(struct mg_mp_reader *in, const msgpack_object *object)
{
    struct mg_bytes bytes;
    switch (object->type) {
    case MSGPACK_OBJECT_NIL: mg_mp_get_nil(in); break;
    case MSGPACK_OBJECT_BOOLEAN: assert_int_equal(mg_mp_get_bool(in), object->via.boolean); break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: assert_true(mg_mp_get_uint(in) == object->via.u64); break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: assert_true(mg_mp_get_int(in) == object->via.i64); break;
    case MSGPACK_OBJECT_STR:
        bytes = mg_mp_get_str(in, SIZE_MAX);
        assert_int_equal(bytes.len, object->via.str.size);
        if (bytes.len > 0) assert_memory_equal(bytes.data, object->via.str.ptr, bytes.len);
        break;
    case MSGPACK_OBJECT_BIN:
        bytes = mg_mp_get_bin(in, SIZE_MAX);
        assert_int_equal(bytes.len, object->via.bin.size);
        if (bytes.len > 0) assert_memory_equal(bytes.data, object->via.bin.ptr, bytes.len);
        break;
    case MSGPACK_OBJECT_ARRAY:
        mg_mp_expect_array(in, object->via.array.size);
        for (uint32_t i = 0; i < object->via.array.size; i++) {
            compare(in, &object->via.array.ptr[i]);
        }
        break;
    case MSGPACK_OBJECT_MAP:
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
    case MSGPACK_OBJECT_EXT:
    default: fail_msg("a type that the reader must refuse");
    }
    assert_null(in->error);
}

static void check_with_msgpack_c(const uint8_t *data, size_t len)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t end = 0;
    assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)data, len, &end),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(end, len);
    struct mg_mp_reader in;
    mg_mp_read(&in, data, len);
    compare(&in, &unpacked.data);
    assert_true(mg_mp_done(&in));
    msgpack_unpacked_destroy(&unpacked);
}

/* The law on one input; OUT is scratch. Reading value by value and skipping must agree too. */
static bool check_law(const uint8_t *data, size_t len, struct mg_buf *out)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, data, len);
    mg_buf_clear(out);
    rewrite(&in, out);
    bool accepted = mg_mp_done(&in);
    assert_int_equal(accepted, accepts(data, len));
    if (!accepted) return false;
    assert_int_equal(out->len, len);
    assert_memory_equal(out->data, data, len);
    return true;
}

static void every_short_input_obeys_the_law(void **state)
{
    (void)state;
    struct mg_buf out;
    mg_buf_init(&out, 100);
    size_t accepted = 0;
    for (uint32_t value = 0; value < 1 << 24; value++) {
        uint8_t bytes[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        size_t len = value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : 3;
        const uint8_t *start = bytes + 3 - len;
        if (!check_law(start, len, &out)) continue;
        accepted++;
        if (accepted % 16 == 0) check_with_msgpack_c(start, len);
    }
    assert_true(accepted > 100000);
    mg_buf_free(&out);
}

static int64_t random_int(uint64_t *random)
{
    uint64_t bits = next_random(random) >> next_random(random) % 64;
    return next_random(random) % 2 == 0 ? (int64_t)bits : (int64_t)(0 - bits);
}

static void put_random(struct mg_buf *out, uint64_t *random, unsigned depth)
{
    static const char *const words[] = {"",
                                        "a",
                                        "Aix-en-Provence",
                                        "réfèrent unique",
                                        "\u20ac",
                                        "\U0001f37a",
                                        "un texte de plus de trente et un octets"};
    static const uint8_t bytes[300] = {1, 2, 3};
    uint64_t choice = next_random(random) % (depth == 0 ? 6 : 8);
    if (choice == 0) {
        mg_mp_put_nil(out);
    } else if (choice == 1) {
        mg_mp_put_bool(out, next_random(random) % 2 == 0);
    } else if (choice == 2) {
        mg_mp_put_int(out, random_int(random));
    } else if (choice == 3) {
        mg_mp_put_uint(out, (uint64_t)random_int(random));
    } else if (choice == 4) {
        const char *word = words[next_random(random) % (sizeof words / sizeof words[0])];
        mg_mp_put_str(out, word, strlen(word));
    } else if (choice == 5) {
        mg_mp_put_bin(out, bytes, next_random(random) % sizeof bytes);
    } else {
        uint32_t count = (uint32_t)(next_random(random) % 20);
        mg_mp_put_array(out, count);
        while (count-- > 0) put_random(out, random, depth - 1);
    }
}

static void random_values_obey_the_law(void **state)
{
    (void)state;
    uint64_t random = 42;
    struct mg_buf value;
    struct mg_buf out;
    mg_buf_init(&value, ROOM);
    mg_buf_init(&out, ROOM);
    size_t spoilt = 0;
    for (int round = 0; round < 3000; round++) {
        mg_buf_clear(&value);
        put_random(&value, &random, 3);
        assert_false(value.failed);
        assert_true(check_law(value.data, value.len, &out));
        check_with_msgpack_c(value.data, value.len);
        if (value.len > 1) assert_false(accepts(value.data, next_random(&random) % value.len));
        for (int i = 0; i < 20; i++) { /* bytes spoilt one after the other */
            value.data[next_random(&random) % value.len] = (uint8_t)next_random(&random);
            if (!check_law(value.data, value.len, &out)) continue;
            check_with_msgpack_c(value.data, value.len);
            spoilt++;
        }
    }
    assert_true(spoilt > 1000);
    mg_buf_free(&value);
    mg_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_suite_has_one_form_of_each_value),
        cmocka_unit_test(the_hostile_folder_is_refused),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(a_length_is_compared_with_what_is_left),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(what_the_caller_allows_is_the_limit),
        cmocka_unit_test(integers_stop_at_their_edges),
        cmocka_unit_test(lengths_change_form_where_they_must),
        cmocka_unit_test(a_writer_that_runs_over_fails_once_and_for_all),
        cmocka_unit_test(text_is_exactly_the_characters_of_unicode),
        cmocka_unit_test(text_with_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(every_short_input_obeys_the_law),
        cmocka_unit_test(random_values_obey_the_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
