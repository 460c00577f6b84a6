/*
 * test_control.c - requests and answers survive the line, and nothing else gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control.h"

static void cut_newline(char *line)
{
    size_t len = strlen(line);
    assert_int_equal(line[len - 1], '\n');
    line[len - 1] = '\0';
    assert_null(strchr(line, '\n'));
}

static void a_request_survives_the_line(void **state)
{
    (void)state;
    struct mg_control_request sent = {.address = "[::1]:7447", .max_bytes = INT64_MAX, .max_ms = 3},
                              got;
    struct mg_error err;
    char line[MG_CONTROL_LINE_MAX];
    mg_control_put_request(&sent, line);
    assert_string_equal(line, "sync [::1]:7447 9223372036854775807 3\n");
    cut_newline(line);
    assert_int_equal(mg_control_get_request(line, &got, &err), MG_OK);
    assert_string_equal(got.address, sent.address);
    assert_true(got.max_bytes == sent.max_bytes && got.max_ms == sent.max_ms);
}

static void what_a_request_leaves_out_has_a_default(void **state)
{
    (void)state;
    const char *const lines[] = {"sync", "sync -", "sync - 0", "sync - 0 0"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct mg_control_request got = {.address = "x", .max_bytes = 1, .max_ms = 1};
        struct mg_error err;
        assert_int_equal(mg_control_get_request(lines[i], &got, &err), MG_OK);
        assert_string_equal(got.address, "");
        assert_true(got.max_bytes == 0 && got.max_ms == 0);
    }
}

static void anything_else_is_not_a_request(void **state)
{
    (void)state;
    const char *const lines[] = {"",
                                 " ",
                                 "SYNC",
                                 "synch",
                                 "stop",
                                 "sync - 1 2 3",
                                 "sync - x",
                                 "sync - -1",
                                 "sync - +1",
                                 "sync - 1x",
                                 "sync - 9223372036854775808",
                                 "sync :1",
                                 "sync a:b:c"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct mg_control_request got;
        struct mg_error err;
        assert_int_not_equal(mg_control_get_request(lines[i], &got, &err), MG_OK);
    }
    char line[3 * MG_CONTROL_LINE_MAX];
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    struct mg_control_request got;
    assert_int_equal(mg_control_get_request(line, &got, NULL), MG_BAD_BYTES);
}

static struct mg_control_answer full_answer(void)
{
    return (struct mg_control_answer){
        .status = MG_UNREACHABLE,
        .result = {.pushed = 1,
                   .pulled = 2,
                   .bytes_sent = 3,
                   .bytes_received = 4,
                   .round_trips = 5,
                   .cursor = {.history = INT64_MAX, .n = 7},
                   .complete = true,
                   .digests_agree = true,
                   .waiting = 8,
                   .seconds = 9.25},
        .error = {"pushed=3 text=the line\nbroke"},
    };
}

static void assert_same_result(const struct mg_dial_result *a, const struct mg_dial_result *b)
{
    assert_true(a->pushed == b->pushed && a->pulled == b->pulled &&
                a->bytes_sent == b->bytes_sent && a->bytes_received == b->bytes_received &&
                a->round_trips == b->round_trips);
    assert_true(a->cursor.history == b->cursor.history && a->cursor.n == b->cursor.n);
    assert_true(a->complete == b->complete && a->digests_agree == b->digests_agree &&
                a->waiting == b->waiting);
    assert_true(a->seconds > b->seconds - 0.002 && a->seconds < b->seconds + 0.002);
}

static void an_answer_survives_the_line_whatever_its_sentence_holds(void **state)
{
    (void)state;
    struct mg_control_answer sent = full_answer(), got;
    struct mg_error err;
    char line[MG_CONTROL_LINE_MAX];
    mg_control_put_answer(&sent, line);
    cut_newline(line);
    assert_int_equal(mg_control_get_answer(line, &got, &err), MG_OK);
    assert_int_equal(got.status, MG_UNREACHABLE);
    assert_string_equal(got.error.text, "pushed=3 text=the line broke");
    assert_same_result(&got.result, &sent.result);
}

static void the_longest_answer_fits_the_line(void **state)
{
    (void)state;
    struct mg_control_answer sent = full_answer(), got;
    char line[MG_CONTROL_LINE_MAX];
    memset(sent.error.text, 'x', sizeof sent.error.text - 1);
    sent.error.text[sizeof sent.error.text - 1] = '\0';
    sent.result.pushed = sent.result.pulled = sent.result.bytes_sent = INT64_MAX;
    sent.result.bytes_received = sent.result.round_trips = sent.result.waiting = INT64_MAX;
    sent.result.cursor.n = INT64_MAX;
    mg_control_put_answer(&sent, line);
    cut_newline(line);
    assert_int_equal(mg_control_get_answer(line, &got, NULL), MG_OK);
    assert_string_equal(got.error.text, sent.error.text);
}

static void a_damaged_answer_is_refused(void **state)
{
    (void)state;
    struct mg_control_answer sent = full_answer(), got;
    char line[MG_CONTROL_LINE_MAX];
    mg_control_put_answer(&sent, line);
    size_t fields = (size_t)(strstr(line, "text=") - line);
    for (size_t cut = 0; cut < fields; cut++) {
        char copy[MG_CONTROL_LINE_MAX];
        memcpy(copy, line, cut);
        copy[cut] = '\0';
        assert_int_equal(mg_control_get_answer(copy, &got, NULL), MG_BAD_BYTES);
    }
    assert_int_equal(mg_control_get_answer("99 pushed=1", &got, NULL), MG_BAD_BYTES);
    assert_int_equal(mg_control_get_answer("-1 pushed=1", &got, NULL), MG_BAD_BYTES);
}

/* --- the socket --- */

struct server {
    int socket;
    const char *answer; /* NULL: closes without a word */
    char request[MG_CONTROL_LINE_MAX];
};

static void *serve_one(void *context)
{
    struct server *server = context;
    int line = -1;
    while (line < 0) line = accept(server->socket, NULL, NULL);
    ssize_t len = recv(line, server->request, sizeof server->request - 1, 0);
    server->request[len < 0 ? 0 : len] = '\0';
    if (server->answer != NULL)
        (void)send(line, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    close(line);
    return NULL;
}

static mg_status call_server(const char *dir, const char *answer, struct mg_dial_result *result,
                             struct mg_error *err)
{
    struct server server = {.answer = answer};
    pthread_t thread;
    assert_int_equal(mg_control_bind(dir, &server.socket, err), MG_OK);
    assert_int_equal(listen(server.socket, 4), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_one, &server), 0);
    struct mg_dial_options options = {.address = "hub", .max_bytes = 5};
    bool running = false;
    mg_status status = mg_control_sync(dir, &options, &running, result, err);
    pthread_join(thread, NULL);
    close(server.socket);
    assert_true(running);
    assert_string_equal(server.request, "sync hub:7447 5 0\n");
    return status;
}

static void a_call_reaches_the_daemon_and_brings_its_answer(void **state)
{
    (void)state;
    /* longer than a socket's path may be */
    char dir[300] = "/tmp/maillage-test-control-XXXXXX";
    assert_non_null(mkdtemp(dir));
    size_t base = strlen(dir);
    dir[base] = '/';
    memset(dir + base + 1, 'd', 200);
    dir[base + 201] = '\0';
    assert_int_equal(mkdir(dir, 0700), 0);

    struct mg_dial_result result;
    struct mg_error err;
    struct mg_dial_options options = {0};
    bool running = true;
    assert_int_equal(mg_control_sync(dir, &options, &running, &result, &err), MG_OK);
    assert_false(running);

    struct mg_control_answer answer = full_answer();
    char line[MG_CONTROL_LINE_MAX];
    mg_control_put_answer(&answer, line);
    assert_int_equal(call_server(dir, line, &result, &err), MG_UNREACHABLE);
    assert_string_equal(err.text, "pushed=3 text=the line broke");
    assert_same_result(&result, &answer.result);

    /* the socket is the owner's only, and one left behind by a dead daemon means "none runs" */
    char path[400];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", dir, MG_CONTROL_SOCKET);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    running = true;
    assert_int_equal(mg_control_sync(dir, &options, &running, &result, &err), MG_OK);
    assert_false(running);

    answer.status = MG_OK;
    mg_control_put_answer(&answer, line);
    assert_int_equal(call_server(dir, line, &result, &err), MG_OK); /* binds over what was left */
    assert_int_equal(call_server(dir, NULL, &result, &err), MG_UNREACHABLE);
    assert_int_equal(call_server(dir, "what?\n", &result, &err), MG_BAD_BYTES);

    mg_control_unbind(dir);
    assert_int_equal(rmdir(dir), 0); /* nothing is left */
    dir[base] = '\0';
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_survives_the_line),
        cmocka_unit_test(what_a_request_leaves_out_has_a_default),
        cmocka_unit_test(anything_else_is_not_a_request),
        cmocka_unit_test(an_answer_survives_the_line_whatever_its_sentence_holds),
        cmocka_unit_test(the_longest_answer_fits_the_line),
        cmocka_unit_test(a_damaged_answer_is_refused),
        cmocka_unit_test(a_call_reaches_the_daemon_and_brings_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
