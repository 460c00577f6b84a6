/*
 * test_writer.c - the hub's writer: many requests share a commit, and none spoils another's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/perform.h"
#include "daemon/writer.h"

enum { GUESTS = 40, JOBS = 3 * GUESTS };

static const char *const scopes[] = {"martigues/msp-port-de-bouc"};

struct hub {
    char dir[64];
    struct mg_store *store;
    uv_loop_t loop;
    struct mg_writer *writer;
    int out; /* jobs not done yet */
};

/* What goes wrong in a request, after it has written. */
enum fault { NONE, FAILS, SPOILS };

struct request {
    struct mg_writer_job job;
    struct hub *hub;
    enum fault fault;
    struct mg_store_request in;
    struct mg_store_result result;
};

/* Takes perform.c's place: enrolments alone, and faults where they are asked for. */
mg_status mg_perform(struct mg_store *store, const struct mg_store_request *in,
                     struct mg_store_result *result, struct mg_error *err)
{
    const struct request *request =
        (const struct request *)((const char *)in - offsetof(struct request, in));
    mg_status status = mg_hub_enrol(store, in->in.enrol.id, in->in.enrol.noise_public,
                                    in->in.enrol.sign_public, &result->out.enrol.birth, err);
    mg_buf_put_u8(&result->bytes, 1); /* tried again, it must begin empty */
    if (status == MG_OK && request->fault == FAILS) return mg_fail(err, MG_REFUSED, "no");
    if (status == MG_OK && request->fault == SPOILS) mg_apply_rollback(store); /* as a full disk */
    return status;
}

static void make_hub(struct hub *hub)
{
    struct mg_error err = {""};
    static struct mg_birth birth;
    struct mg_identity *self = &birth.identity;
    strcpy(hub->dir, "/tmp/maillage-test-writer-XXXXXX");
    assert_non_null(mkdtemp(hub->dir));
    mg_identity_draw(mg_env_system(), self);
    self->hub = true;
    strcpy(self->name, "hub");
    strcpy(self->hub_name, "hub");
    memcpy(self->hub_node, self->node, sizeof self->hub_node);
    memcpy(self->hub_sign, self->sign_public, sizeof self->hub_sign);
    memcpy(self->hub_noise, self->noise_public, sizeof self->hub_noise);
    if (mg_store_create(hub->dir, mg_env_system(), &birth, &err) != MG_OK ||
        mg_store_open(hub->dir, mg_env_system(), &hub->store, &err) != MG_OK ||
        mg_apply_begin(hub->store, &err) != MG_OK || mg_hub_start(hub->store, &err) != MG_OK ||
        mg_apply_commit(hub->store, &err) != MG_OK)
        fail_msg("%s", err.text);
    assert_int_equal(uv_loop_init(&hub->loop), 0);
}

static void start_writer(struct hub *hub)
{
    assert_int_equal(mg_writer_start(&hub->loop, hub->store, false, &hub->writer, NULL), MG_OK);
}

static void end_hub(struct hub *hub)
{
    char command[128];
    uv_run(&hub->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&hub->loop), 0);
    mg_store_close(hub->store);
    snprintf(command, sizeof command, "rm -r %s", hub->dir);
    assert_int_equal(system(command), 0);
}

static void on_done(struct mg_writer_job *job)
{
    struct request *request = (struct request *)job;
    if (--request->hub->out == 0) mg_writer_stop(request->hub->writer);
}

static void submit(struct hub *hub, struct request *request)
{
    request->hub = hub;
    request->job.request = &request->in;
    request->job.result = &request->result;
    request->job.done = on_done;
    mg_buf_init(&request->result.bytes, MG_CHUNK_RAW_MAX);
    hub->out++;
    mg_writer_submit(hub->writer, &request->job);
}

static void invite(struct hub *hub, int number, struct mg_invitation *invitation)
{
    struct mg_error err = {""};
    char name[16];
    snprintf(name, sizeof name, "guest-%d", number);
    if (mg_hub_invite(hub->store, name, scopes, 1, "127.0.0.1:1", 3600 * 1000, invitation, &err) !=
        MG_OK)
        fail_msg("%s", err.text);
}

static void ask_enrol(struct request *request, const struct mg_invitation *invitation)
{
    static struct mg_identity guest;
    mg_identity_draw(mg_env_system(), &guest);
    request->in.op = MG_STORE_ENROL;
    memcpy(request->in.in.enrol.id, invitation->id, sizeof invitation->id);
    memcpy(request->in.in.enrol.noise_public, guest.noise_public, MG_KEY_LEN);
    memcpy(request->in.in.enrol.sign_public, guest.sign_public, MG_KEY_LEN);
}

static void count_active(void *context, const struct mg_node_standing *node)
{
    int *count = context;
    *count += strcmp(node->state, "active") == 0 && strncmp(node->name, "guest-", 6) == 0;
}

/* Good enrolments, the same invitations by other keys, and unknown invitations, all mixed. */
static void what_is_refused_takes_nothing_with_it(void **state)
{
    (void)state;
    static struct hub hub;
    static struct request requests[JOBS];
    struct mg_invitation invitation;
    make_hub(&hub);
    for (int i = 0; i < GUESTS; i++) {
        invite(&hub, i, &invitation);
        ask_enrol(&requests[3 * i], &invitation);
        ask_enrol(&requests[3 * i + 1], &invitation); /* other keys: too late */
        randombytes_buf(invitation.id, sizeof invitation.id);
        ask_enrol(&requests[3 * i + 2], &invitation);
    }
    start_writer(&hub);
    for (int i = 0; i < JOBS; i++) submit(&hub, &requests[i]);
    uv_run(&hub.loop, UV_RUN_DEFAULT);

    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(requests[i].job.status, i % 3 == 0 ? MG_OK : MG_DENIED);
        assert_int_equal(requests[i].job.error.text[0] == '\0', i % 3 == 0);
        mg_buf_free(&requests[i].result.bytes);
    }
    int active = 0;
    assert_int_equal(mg_hub_nodes(hub.store, count_active, &active, NULL), MG_OK);
    assert_int_equal(active, GUESTS);
    end_hub(&hub);
}

/* Another process has the database: it is said, and all works again afterwards. */
static void a_store_that_cannot_begin_fails_the_requests_and_not_the_hub(void **state)
{
    (void)state;
    static struct hub hub;
    static struct request first, then;
    struct mg_invitation invitation;
    struct mg_store *other;
    make_hub(&hub);
    invite(&hub, 0, &invitation);
    ask_enrol(&first, &invitation);
    assert_int_equal(mg_store_open(hub.dir, mg_env_system(), &other, NULL), MG_OK);
    assert_int_equal(mg_edit_begin(other, NULL), MG_OK);
    start_writer(&hub);
    submit(&hub, &first);
    uv_run(&hub.loop, UV_RUN_DEFAULT); /* as long as the store waits for the other: some seconds */
    assert_int_equal(first.job.status, MG_STORAGE);
    assert_true(first.job.error.text[0] != '\0');
    mg_buf_free(&first.result.bytes);
    mg_edit_rollback(other);
    mg_store_close(other);

    then.in = first.in;
    start_writer(&hub);
    submit(&hub, &then);
    uv_run(&hub.loop, UV_RUN_DEFAULT);
    assert_int_equal(then.job.status, MG_OK);
    assert_string_equal(then.result.out.enrol.birth.identity.name, "guest-0");
    mg_buf_free(&then.result.bytes);
    end_hub(&hub);
}

/* One request that fails after it has written, and one that takes the whole transaction with it:
 * both are as if they had never been, and the others are stored. */
static void a_fault_stays_its_own(void **state)
{
    (void)state;
    enum { FEW = 9 };
    static struct hub hub;
    static struct request requests[FEW];
    struct mg_invitation invitation;
    make_hub(&hub);
    for (int i = 0; i < FEW; i++) {
        invite(&hub, i, &invitation);
        ask_enrol(&requests[i], &invitation);
    }
    requests[3].fault = FAILS;
    requests[6].fault = SPOILS;
    start_writer(&hub);
    for (int i = 0; i < FEW; i++) submit(&hub, &requests[i]);
    uv_run(&hub.loop, UV_RUN_DEFAULT);

    for (int i = 0; i < FEW; i++) {
        assert_int_equal(requests[i].job.status == MG_OK, i != 3 && i != 6);
        assert_int_equal(requests[i].result.bytes.len, 1);
        mg_buf_free(&requests[i].result.bytes);
    }
    int active = 0;
    assert_int_equal(mg_hub_nodes(hub.store, count_active, &active, NULL), MG_OK);
    assert_int_equal(active, FEW - 2);
    end_hub(&hub);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full at the commit: the group fails, then each alone; nobody is told "stored". */
static void a_full_disk_is_told_to_everybody_and_forgotten_when_there_is_room(void **state)
{
    (void)state;
    enum { FEW = 5 };
    static struct hub hub;
    static struct request first[FEW], again[FEW];
    struct mg_invitation invitation;
    make_hub(&hub);
    for (int i = 0; i < FEW; i++) {
        invite(&hub, i, &invitation);
        ask_enrol(&first[i], &invitation);
        again[i].in = first[i].in;
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(16); /* every write of more to a file fails from here */
    start_writer(&hub);
    for (int i = 0; i < FEW; i++) submit(&hub, &first[i]);
    uv_run(&hub.loop, UV_RUN_DEFAULT);
    limit_files(RLIM_INFINITY);
    for (int i = 0; i < FEW; i++) {
        assert_int_equal(first[i].job.status, MG_STORAGE);
        mg_buf_free(&first[i].result.bytes);
    }

    start_writer(&hub);
    for (int i = 0; i < FEW; i++) submit(&hub, &again[i]);
    uv_run(&hub.loop, UV_RUN_DEFAULT);
    for (int i = 0; i < FEW; i++) {
        assert_int_equal(again[i].job.status, MG_OK);
        mg_buf_free(&again[i].result.bytes);
    }
    end_hub(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_takes_nothing_with_it),
        cmocka_unit_test(a_fault_stays_its_own),
        cmocka_unit_test(a_full_disk_is_told_to_everybody_and_forgotten_when_there_is_room),
        cmocka_unit_test(a_store_that_cannot_begin_fails_the_requests_and_not_the_hub),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
