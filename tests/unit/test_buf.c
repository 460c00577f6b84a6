/*
 * test_buf.c - a buffer never passes its ceiling, and a failure sticks until it is cleared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/status.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER
#endif
#endif

static void what_is_put_is_there(void **state)
{
    (void)state;
    struct mg_buf buf;
    mg_buf_init(&buf, 100000);
    for (unsigned i = 0; i < 50000; i++) mg_buf_put_u8(&buf, (uint8_t)(i * 7));
    mg_buf_put(&buf, "abc", 3);
    mg_buf_put(&buf, NULL, 0);
    assert_false(buf.failed);
    struct mg_bytes bytes = mg_buf_bytes(&buf);
    assert_int_equal(bytes.len, 50003);
    for (unsigned i = 0; i < 50000; i++) assert_int_equal(bytes.data[i], (uint8_t)(i * 7));
    assert_memory_equal(bytes.data + 50000, "abc", 3);
    mg_buf_free(&buf);
}

static void the_ceiling_is_exact(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max++) {
        struct mg_buf buf;
        mg_buf_init(&buf, max);
        for (size_t i = 0; i < max; i++) mg_buf_put_u8(&buf, 1);
        assert_false(buf.failed);
        assert_int_equal(buf.len, max);
        mg_buf_put_u8(&buf, 1);
        assert_true(buf.failed);
        assert_int_equal(buf.len, max);
        assert_true(buf.cap <= (max == 0 ? 1 : max));
        mg_buf_free(&buf);
    }
}

static void a_failure_sticks_until_cleared(void **state)
{
    (void)state;
    struct mg_buf buf;
    mg_buf_init(&buf, 4);
    mg_buf_put(&buf, "abc", 3);
    mg_buf_put(&buf, "de", 2); /* all or nothing */
    assert_true(buf.failed);
    mg_buf_put_u8(&buf, 'd'); /* would fit, and is not written */
    assert_null(mg_buf_extend(&buf, 0));
    assert_int_equal(buf.len, 3);
    mg_buf_clear(&buf);
    assert_false(buf.failed);
    mg_buf_put(&buf, "wxyz", 4);
    assert_false(buf.failed);
    assert_memory_equal(buf.data, "wxyz", 4);
    mg_buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.max, 4);
}

static void a_huge_length_does_not_wrap_around(void **state)
{
    (void)state;
    struct mg_buf buf;
    mg_buf_init(&buf, 1000);
    mg_buf_put(&buf, "abc", 3);
    assert_null(mg_buf_extend(&buf, SIZE_MAX));
    assert_true(buf.failed);
    mg_buf_clear(&buf);
    mg_buf_put(&buf, "abc", 3);
    assert_null(mg_buf_extend(&buf, SIZE_MAX - 2));
    assert_int_equal(buf.len, 3);
    mg_buf_free(&buf);
}

static void memory_that_runs_out_is_a_failure(void **state)
{
    (void)state;
#ifdef UNDER_SANITIZER
    skip(); /* the sanitizer takes such a request for a bug and stops */
#endif
    struct mg_buf buf;
    mg_buf_init(&buf, SIZE_MAX);
    mg_buf_put(&buf, "abc", 3);
    assert_null(mg_buf_extend(&buf, SIZE_MAX / 2 + 10)); /* no malloc gives that */
    assert_true(buf.failed);
    assert_memory_equal(buf.data, "abc", 3);
    mg_buf_free(&buf);
}

static void room_of_nothing_is_a_pointer(void **state)
{
    (void)state;
    struct mg_buf buf;
    mg_buf_init(&buf, 0);
    assert_non_null(mg_buf_extend(&buf, 0));
    assert_false(buf.failed);
    mg_buf_free(&buf);
}

static void a_refusal_is_a_sentence_and_a_status(void **state)
{
    (void)state;
    struct mg_error err = {"untouched"};
    assert_int_equal(mg_fail(&err, MG_REFUSED, "%s is not a date", "31/02"), MG_REFUSED);
    assert_string_equal(err.text, "31/02 is not a date");
    assert_int_equal(mg_fail(NULL, MG_DENIED, "nobody reads this"), MG_DENIED);

    char name[sizeof err.text + 10];
    for (size_t shift = 0; shift < 4; shift++) { /* cut before, in and after each character */
        memset(name, 'x', shift);
        for (size_t i = shift; i + 4 <= sizeof name; i += 3) memcpy(name + i, "\xe2\x82\xac", 4);
        assert_int_equal(mg_fail(&err, MG_REFUSED, "%s", name), MG_REFUSED);
        size_t len = strlen(err.text);
        assert_true(len >= sizeof err.text - 3);
        assert_int_equal((len - shift) % 3, 0);
    }
}

static void a_status_is_an_exit_status(void **state)
{
    (void)state;
    assert_int_equal(mg_exit_status(MG_OK), 0);
    assert_int_equal(mg_exit_status(MG_STORAGE), 7);
    assert_int_equal(mg_exit_status(MG_BAD_BYTES), 3); /* CLI.md knows 0 to 7 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_there),
        cmocka_unit_test(the_ceiling_is_exact),
        cmocka_unit_test(a_failure_sticks_until_cleared),
        cmocka_unit_test(a_huge_length_does_not_wrap_around),
        cmocka_unit_test(memory_that_runs_out_is_a_failure),
        cmocka_unit_test(room_of_nothing_is_a_pointer),
        cmocka_unit_test(a_refusal_is_a_sentence_and_a_status),
        cmocka_unit_test(a_status_is_an_exit_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
