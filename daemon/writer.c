/*
 * writer.c - group commit.
 *
 *   loop -> [todo] -> thread: BEGIN, each job in its savepoint, COMMIT -> [done] -> loop
 *
 * A job that fails is undone alone. When the group as a whole fails (a full disk makes
 * SQLite roll everything back; one job's leftovers make the commit fail), each job is
 * tried again in a transaction of its own, so that no peer can make another peer's
 * request fail. Nothing is reported before its commit, also what only reads: it may
 * have read what a job before it wrote.
 *
 * Always true: a job is in exactly one of todo, the group, done, or with its owner.
 */
#include "daemon/writer.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/perform.h"

enum {
    GROUP_JOBS_MAX = 64,
    GROUP_MS_MAX = 50, /* the first of a group has waited so long: commit, the others come next */
};

struct queue {
    struct mg_writer_job *head, **tail;
};

struct mg_writer {
    struct mg_store *store;
    bool aside;
    uv_thread_t thread;
    uv_async_t wake_loop;
    uv_mutex_t mutex; /* of what follows */
    uv_cond_t wake_thread;
    struct queue todo, done;
    bool stopping;
};

static void queue_init(struct queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
}

static void queue_put(struct queue *queue, struct mg_writer_job *job)
{
    job->next = NULL;
    *queue->tail = job;
    queue->tail = &job->next;
}

static struct mg_writer_job *queue_take(struct queue *queue)
{
    struct mg_writer_job *job = queue->head;
    if (job == NULL) return NULL;
    queue->head = job->next;
    if (queue->head == NULL) queue->tail = &queue->head;
    return job;
}

/* --- the thread --- */

static int64_t now_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* As the session gave it: zeros and empty. */
static void reset_result(struct mg_store_result *result)
{
    mg_buf_clear(&result->bytes);
    memset(&result->out, 0, sizeof result->out);
    result->why = MG_ERROR_NONE;
}

/* One job in its savepoint. What is returned is the group's state; the job's own is in the job. */
static mg_status run_job(struct mg_store *store, struct mg_writer_job *job, struct mg_error *err)
{
    mg_status status = mg_apply_save(store, err);
    if (status != MG_OK) return status;
    job->status = mg_perform(store, job->request, job->result, &job->error);
    return job->status == MG_OK ? mg_apply_keep(store, err) : mg_apply_undo(store, err);
}

/* Runs up to COUNT jobs in one transaction; how many it got to is *RAN: none when it could not
 * begin. */
static mg_status run_transaction(struct mg_store *store, struct mg_writer_job **jobs, size_t count,
                                 size_t *ran, struct mg_error *err)
{
    int64_t started = now_ms();
    *ran = 0;
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    while (status == MG_OK && *ran < count && (*ran == 0 || now_ms() - started < GROUP_MS_MAX))
        status = run_job(store, jobs[(*ran)++], err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

static void fail_job(struct mg_writer_job *job, mg_status status, const struct mg_error *err)
{
    /* its own reason, where it has one, says more than that the group failed */
    if (job->status != MG_OK) return;
    job->status = status;
    job->error = *err;
}

static void run_alone(struct mg_store *store, struct mg_writer_job *job)
{
    struct mg_error err = {""};
    size_t ran;
    job->status = MG_OK;
    reset_result(job->result);
    mg_status status = run_transaction(store, &job, 1, &ran, &err);
    if (status != MG_OK) fail_job(job, status, &err);
}

static void log_failure(size_t jobs, mg_status status, const struct mg_error *err)
{
    char quoted[sizeof err->text];
    mg_log_line(MG_LOG_ERROR, "transaction_failed", "jobs=%zu status=%d text=%s", jobs, (int)status,
                mg_log_quote(err->text, quoted, sizeof quoted));
}

/* Returns how many of JOBS were done, well or badly. */
static size_t run_group(struct mg_store *store, struct mg_writer_job **jobs, size_t count)
{
    struct mg_error err = {""};
    size_t ran;
    mg_status status = run_transaction(store, jobs, count, &ran, &err);
    if (status == MG_OK) return ran;

    bool began = ran > 0;
    if (!began)
        ran = count; /* the store is locked or lost: each alone would wait as long for the same */
    log_failure(ran, status, &err);
    for (size_t i = 0; i < ran; i++) {
        if (began && ran > 1)
            run_alone(store, jobs[i]);
        else
            fail_job(jobs[i], status, &err);
    }
    return ran;
}

/* Waits for work; false when there will be none any more. */
static size_t take_group(struct mg_writer *writer, struct mg_writer_job **jobs)
{
    size_t count = 0;
    uv_mutex_lock(&writer->mutex);
    while (writer->todo.head == NULL && !writer->stopping)
        uv_cond_wait(&writer->wake_thread, &writer->mutex);
    while (count < GROUP_JOBS_MAX && writer->todo.head != NULL)
        jobs[count++] = queue_take(&writer->todo);
    uv_mutex_unlock(&writer->mutex);
    return count;
}

static void give_back(struct mg_writer *writer, struct mg_writer_job **jobs, size_t count)
{
    uv_mutex_lock(&writer->mutex);
    for (size_t i = 0; i < count; i++) queue_put(&writer->done, jobs[i]);
    uv_mutex_unlock(&writer->mutex);
    uv_async_send(&writer->wake_loop);
}

/* Not in anybody's transaction, so a failure is its own. */
static size_t run_aside(struct mg_store *store, struct mg_writer_job *job)
{
    job->status = mg_perform(store, job->request, job->result, &job->error);
    return 1;
}

static void run_thread(void *context)
{
    struct mg_writer *writer = context;
    struct mg_writer_job *jobs[GROUP_JOBS_MAX];
    size_t count;
    while ((count = take_group(writer, jobs)) > 0) {
        for (size_t done = 0, ran; done < count; done += ran) {
            ran = writer->aside ? run_aside(writer->store, jobs[done]) : run_group(writer->store, jobs + done, count - done);
            give_back(writer, jobs + done, ran);
        }
    }
}

/* --- the loop's side --- */

static void on_done(uv_async_t *async)
{
    struct mg_writer *writer = async->data;
    struct queue done;
    queue_init(&done);
    uv_mutex_lock(&writer->mutex);
    if (writer->done.head != NULL) {
        done.head = writer->done.head;
        done.tail = writer->done.tail;
        queue_init(&writer->done);
    }
    uv_mutex_unlock(&writer->mutex);
    for (struct mg_writer_job *job; (job = queue_take(&done)) != NULL;) job->done(job);
}

void mg_writer_submit(struct mg_writer *writer, struct mg_writer_job *job)
{
    mg_assert(writer->aside == mg_store_op_is_aside(job->request->op));
    job->status = MG_OK;
    job->error.text[0] = '\0';
    uv_mutex_lock(&writer->mutex);
    mg_assert(!writer->stopping);
    queue_put(&writer->todo, job);
    uv_cond_signal(&writer->wake_thread);
    uv_mutex_unlock(&writer->mutex);
}

mg_status mg_writer_start(uv_loop_t *loop, struct mg_store *store, bool aside, struct mg_writer **result,
                          struct mg_error *err)
{
    struct mg_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) return mg_fail(err, MG_FAILED, "out of memory");
    writer->store = store;
    writer->aside = aside;
    queue_init(&writer->todo);
    queue_init(&writer->done);
    if (uv_async_init(loop, &writer->wake_loop, on_done) != 0) goto no_async;
    writer->wake_loop.data = writer;
    if (uv_mutex_init(&writer->mutex) != 0) goto no_mutex;
    if (uv_cond_init(&writer->wake_thread) != 0) goto no_cond;
    if (uv_thread_create(&writer->thread, run_thread, writer) != 0) goto no_thread;
    *result = writer;
    return MG_OK;

no_thread:
    uv_cond_destroy(&writer->wake_thread);
no_cond:
    uv_mutex_destroy(&writer->mutex);
no_mutex:
    uv_close((uv_handle_t *)&writer->wake_loop, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
no_async:
    free(writer);
    return mg_fail(err, MG_FAILED, "the thread that writes cannot be started");
}

static void on_async_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void mg_writer_stop(struct mg_writer *writer)
{
    uv_mutex_lock(&writer->mutex);
    mg_assert(writer->todo.head == NULL && writer->done.head == NULL);
    writer->stopping = true;
    uv_cond_signal(&writer->wake_thread);
    uv_mutex_unlock(&writer->mutex);
    uv_thread_join(&writer->thread);
    uv_cond_destroy(&writer->wake_thread);
    uv_mutex_destroy(&writer->mutex);
    uv_close((uv_handle_t *)&writer->wake_loop, on_async_closed);
}
