/*
 * test_compress.c - what we compress comes back, and a hostile frame costs next to nothing.
 *
 * Hostile frames come from vectors/zstd-hostile where it is present, and from here: any
 * flipped, missing or added byte of a good frame.
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
#include <zstd.h>

#include "core/compress.h"
#include "tests/support/bounds.h"

#ifndef MAILLAGE_SHARED_DIR
#define MAILLAGE_SHARED_DIR "../shared"
#endif

enum { MAX_OUT = 1 << 20, KIB = 1024 };

static void vector_path(char *path, size_t size, const char *name)
{
    const char *dir = getenv("MAILLAGE_SHARED_DIR");
    if (dir == NULL) dir = MAILLAGE_SHARED_DIR;
    (void)snprintf(path, size, "%s/vectors/zstd-hostile/%s", dir, name);
}

static int setup(void **state)
{
    static struct mg_zstd zstd;
    *state = &zstd;
    return mg_zstd_init(&zstd) == MG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    mg_zstd_free(*state);
    return 0;
}

/* Bytes with some repetition; the same for the same SEED. */
static void fill(uint8_t *to, size_t len, uint32_t seed)
{
    uint32_t x = seed * 2654435761U + 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525U + 1013904223U;
        to[i] = x >> 30 == 0 ? (uint8_t)(x >> 16) : (uint8_t)("maillage"[i % 8]);
    }
}

static void what_is_compressed_comes_back(void **state)
{
    const size_t lengths[] = {0, 1, 255, 256, 257, 65535, 65536, 65792, 300000, MAX_OUT};
    uint8_t *plain = malloc(MAX_OUT);
    assert_non_null(plain);
    struct mg_buf packed;
    struct mg_buf back;
    mg_buf_init(&packed, 2 * MAX_OUT);
    mg_buf_init(&back, MAX_OUT + 3);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (int level = 1; level <= 19; level += 6) {
            fill(plain, lengths[i], (uint32_t)i);
            mg_buf_clear(&packed);
            mg_buf_clear(&back);
            mg_buf_put(&back, "old", 3);
            assert_int_equal(
                mg_zstd_compress(*state, (struct mg_bytes){plain, lengths[i]}, level, &packed),
                MG_OK);
            assert_int_equal(mg_zstd_decompress(*state, mg_buf_bytes(&packed), lengths[i], &back),
                             MG_OK);
            assert_int_equal(back.len, lengths[i] + 3);
            assert_memory_equal(back.data, "old", 3);
            if (lengths[i] > 0) assert_memory_equal(back.data + 3, plain, lengths[i]);
            if (lengths[i] == 0) continue;
            assert_int_equal(
                mg_zstd_decompress(*state, mg_buf_bytes(&packed), lengths[i] - 1, &back),
                MG_BAD_BYTES);
        }
    }
    mg_buf_free(&packed);
    mg_buf_free(&back);
    free(plain);
}

static void more_than_a_window_comes_back_too(void **state)
{
    size_t len = 3 * MAX_OUT;
    uint8_t *plain = malloc(len);
    assert_non_null(plain);
    fill(plain, len, 5);
    struct mg_buf packed;
    struct mg_buf back;
    mg_buf_init(&packed, 2 * len);
    mg_buf_init(&back, len);
    struct mg_bytes in = {plain, len};
    assert_int_equal(mg_zstd_compress(*state, in, 19, &packed), MG_OK);
    assert_int_equal(mg_zstd_decompress(*state, mg_buf_bytes(&packed), len, &back), MG_OK);
    assert_int_equal(back.len, len);
    assert_memory_equal(back.data, plain, len);
    mg_buf_free(&packed);
    mg_buf_free(&back);
    free(plain);
}

static void too_little_room_fails_and_the_contexts_serve_on(void **state)
{
    uint8_t plain[5000];
    fill(plain, sizeof plain, 1);
    struct mg_bytes in = {plain, sizeof plain};
    struct mg_buf packed;
    struct mg_buf small;
    mg_buf_init(&packed, 10000);
    assert_int_equal(mg_zstd_compress(*state, in, 3, &packed), MG_OK);
    for (size_t max = 3; max < packed.len + 3; max += 50) {
        mg_buf_init(&small, max);
        mg_buf_put(&small, "old", 3);
        assert_int_equal(mg_zstd_compress(*state, in, 3, &small), MG_FAILED);
        assert_int_equal(small.len, 3);
        mg_buf_free(&small);
    }
    mg_buf_init(&small, sizeof plain - 1);
    assert_int_equal(mg_zstd_decompress(*state, mg_buf_bytes(&packed), MAX_OUT, &small), MG_FAILED);
    assert_int_equal(small.len, 0);
    mg_buf_free(&small);

    struct mg_buf again;
    mg_buf_init(&again, 10000);
    assert_int_equal(mg_zstd_compress(*state, in, 3, &again), MG_OK);
    assert_int_equal(again.len, packed.len);
    assert_memory_equal(again.data, packed.data, packed.len);
    mg_buf_free(&again);
    mg_buf_free(&packed);
}

/* A frame by zstd itself, with the parameters that we refuse. */
static size_t foreign_frame(uint8_t *to, size_t room, struct mg_bytes in, ZSTD_cParameter parameter,
                            int value)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    assert_non_null(cctx);
    (void)ZSTD_CCtx_setParameter(cctx, parameter, value);
    size_t size = ZSTD_compress2(cctx, to, room, in.data, in.len);
    assert_false(ZSTD_isError(size));
    (void)ZSTD_freeCCtx(cctx);
    return size;
}

static mg_status try_bytes(struct mg_zstd *zstd, const uint8_t *data, size_t len)
{
    struct mg_buf out;
    mg_buf_init(&out, MAX_OUT);
    mg_status status = mg_zstd_decompress(zstd, (struct mg_bytes){data, len}, MAX_OUT, &out);
    if (status != MG_OK) assert_int_equal(out.len, 0);
    mg_buf_free(&out);
    return status;
}

static void frames_outside_our_rules_are_refused(void **state)
{
    size_t len = MAX_OUT + 1;
    uint8_t *plain = calloc(1, len);
    uint8_t packed[4 * KIB];
    assert_non_null(plain);
    struct mg_bytes in = {plain, 1000};
    size_t size = foreign_frame(packed, sizeof packed, in, ZSTD_c_contentSizeFlag, 0);
    assert_int_equal(try_bytes(*state, packed, size), MG_BAD_BYTES);
    size = foreign_frame(packed, sizeof packed, in, ZSTD_c_checksumFlag, 1);
    assert_int_equal(try_bytes(*state, packed, size), MG_OK); /* allowed, and checked: */
    packed[size - 1] ^= 1;
    assert_int_equal(try_bytes(*state, packed, size), MG_BAD_BYTES);

    in.len = len; /* one byte over what is allowed out; then a window over the limit */
    size = foreign_frame(packed, sizeof packed, in, ZSTD_c_windowLog, 20);
    assert_int_equal(try_bytes(*state, packed, size), MG_BAD_BYTES);
    struct mg_buf out;
    mg_buf_init(&out, len);
    assert_int_equal(mg_zstd_decompress(*state, (struct mg_bytes){packed, size}, len, &out), MG_OK);
    size = foreign_frame(packed, sizeof packed, in, ZSTD_c_windowLog, 21);
    assert_int_equal(mg_zstd_decompress(*state, (struct mg_bytes){packed, size}, len, &out),
                     MG_BAD_BYTES);
    mg_buf_free(&out);
    free(plain);
}

/* Each of these gives the right content, which is none, if its one oddity is overlooked. */
static void exactly_one_frame_means_exactly_one(void **state)
{
    static const uint8_t empty[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00};
    static const uint8_t skippable[8 + 0x20] = {0x50, 0x2a, 0x4d, 0x18, 0x20};
    static const uint8_t dictionary_0[] = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 0, 0, 0x01, 0, 0};
    static const uint8_t reserved_bit[] = {0x28, 0xb5, 0x2f, 0xfd, 0x28, 0, 0x01, 0, 0};
    assert_int_equal(try_bytes(*state, empty, sizeof empty), MG_OK);
    assert_int_equal(try_bytes(*state, skippable, sizeof skippable), MG_BAD_BYTES);
    assert_int_equal(try_bytes(*state, dictionary_0, sizeof dictionary_0), MG_BAD_BYTES);
    assert_int_equal(try_bytes(*state, reserved_bit, sizeof reserved_bit), MG_BAD_BYTES);

    uint8_t both[sizeof empty + sizeof skippable];
    memcpy(both, empty, sizeof empty);
    memcpy(both + sizeof empty, empty, sizeof empty);
    assert_int_equal(try_bytes(*state, both, 2 * sizeof empty), MG_BAD_BYTES);
    memcpy(both + sizeof empty, skippable, sizeof skippable);
    assert_int_equal(try_bytes(*state, both, sizeof both), MG_BAD_BYTES);
}

static void a_damaged_frame_never_gives_more_than_was_asked(void **state)
{
    uint8_t plain[700];
    fill(plain, sizeof plain, 9);
    struct mg_buf packed;
    mg_buf_init(&packed, KIB + 1);
    struct mg_bytes in = {plain, sizeof plain};
    assert_int_equal(mg_zstd_compress(*state, in, 3, &packed), MG_OK);

    for (size_t cut = 0; cut < packed.len; cut++) {
        assert_int_equal(try_bytes(*state, packed.data, cut), MG_BAD_BYTES);
    }
    size_t whole = packed.len;
    mg_buf_put_u8(&packed, 0);
    assert_int_equal(try_bytes(*state, packed.data, packed.len), MG_BAD_BYTES);

    /* Without a checksum a flipped bit may give other bytes; Noise sees to that. Here: no crash,
     * no more than the ceiling, and every bit of the first five bytes but the window's matters. */
    for (size_t bit = 0; bit < 8 * whole; bit++) {
        packed.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        mg_status status = try_bytes(*state, packed.data, whole);
        assert_true(status == MG_OK || status == MG_BAD_BYTES);
        if (bit < 32) assert_int_equal(status, MG_BAD_BYTES);
        packed.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(try_bytes(*state, packed.data, whole), MG_OK);
    mg_buf_free(&packed);
}

static size_t load_vector(const char *name, uint8_t *to, size_t room)
{
    char path[KIB];
    vector_path(path, sizeof path, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(to, 1, room, file);
    assert_true(len > 0 && len < room);
    (void)fclose(file);
    return len;
}

/* 1: refused, with the ceiling that a message has; 2: and refused whatever the caller allows, which may be for want of memory. */
static int refused(struct mg_bytes bytes)
{
    struct mg_zstd zstd;
    struct mg_buf out;
    if (mg_zstd_init(&zstd) != MG_OK) return 0;
    mg_buf_init(&out, MAX_OUT);
    bool bounded = try_bytes(&zstd, bytes.data, bytes.len) == MG_BAD_BYTES;
    bool unbounded = mg_zstd_decompress(&zstd, bytes, SIZE_MAX, &out) != MG_OK && out.len == 0;
    mg_buf_free(&out);
    mg_zstd_free(&zstd);
    return (bounded ? 1 : 0) + (unbounded ? 2 : 0);
}

static void the_hostile_folder_is_refused(void **state)
{
    char path[KIB];
    (void)state;
    vector_path(path, sizeof path, "cases.json");
    json_t *root = json_load_file(path, 0, NULL);
    if (root == NULL) {
        print_message("skipped: %s is not here; see MAILLAGE_SHARED_DIR\n", path);
        skip();
    }
    static uint8_t bytes[64 * KIB];
    size_t index;
    json_t *one;
    json_t *cases = json_object_get(root, "cases");
    assert_int_equal(json_array_size(cases), 10);
    json_array_foreach(cases, index, one)
    {
        const char *name = json_string_value(json_object_get(one, "file"));
        size_t len = load_vector(name, bytes, sizeof bytes);
        assert_int_equal(len, json_integer_value(json_object_get(one, "bytes")));
        /* The bomb is 1 GiB; 2^64 - 16 bytes are claimed. */
        if (in_bounds(16, refused, (struct mg_bytes){bytes, len}) != 3) fail_msg("%s", name);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_compressed_comes_back),
        cmocka_unit_test(more_than_a_window_comes_back_too),
        cmocka_unit_test(too_little_room_fails_and_the_contexts_serve_on),
        cmocka_unit_test(frames_outside_our_rules_are_refused),
        cmocka_unit_test(exactly_one_frame_means_exactly_one),
        cmocka_unit_test(a_damaged_frame_never_gives_more_than_was_asked),
        cmocka_unit_test(the_hostile_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
