/*
 * writer.h - one thread that does what sessions ask of the hub's store.
 *
 * The store has one writer whatever we do, and a commit waits for the disk: so the
 * loop never touches the store, and all requests that came while one commit was on
 * its way to the disk share the next (group commit).
 */
#ifndef MG_DAEMON_WRITER_H
#define MG_DAEMON_WRITER_H

#include <uv.h>

#include "sync/sync.h"

struct mg_writer;

/* One request. Belongs to the writer from submit until DONE, which is called in the loop's thread
 * when what was written is durable, or has failed; DONE may submit the job again or free it. */
struct mg_writer_job {
    struct mg_writer_job *next;
    const struct mg_store_request *request;
    struct mg_store_result *result;
    void (*done)(struct mg_writer_job *job);
    mg_status status;
    struct mg_error error; /* when status is not MG_OK */
};

/* STORE is the writer's alone until mg_writer_stop. ASIDE: a second thread, with an mg_store of its own on the same directory,
 * for the requests that are mg_store_op_is_aside: each has its own transactions, and the writer does not wait for it. Gives
 * *WRITER. */
mg_status mg_writer_start(uv_loop_t *loop, struct mg_store *store, bool aside, struct mg_writer **result,
                          struct mg_error *err) MG_MUST_CHECK;
void mg_writer_submit(struct mg_writer *writer, struct mg_writer_job *job);

/* When no job is out. Ends the thread; the rest is freed when the loop has run once more. */
void mg_writer_stop(struct mg_writer *writer);

#endif
