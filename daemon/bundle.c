/*
 * bundle.c - bundles as files: one session, with a file on either side of it. [P 10]
 *
 * What is written grows as FILE.part, and gets its name when it is whole and on the disk: a key
 * that is full, or pulled out, leaves no bundle that looks like one. Each STORE request is a
 * transaction of its own, so a bundle that ends in the middle keeps what it brought until there.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/call.h"
#include "daemon/perform.h"

enum { PATH_ROOM = 4096 };

/* --- the file that is written --- */

struct written {
    const char *path; /* NULL: nothing is written */
    char part[PATH_ROOM];
    int file; /* -1: not begun */
};

static mg_status file_failed(struct mg_error *err, const char *path, const char *what)
{
    int why = errno;
    if (why == ENOSPC || why == EDQUOT || why == EFBIG)
        return mg_fail(err, MG_STORAGE, "%s: no room is left for it: free some, or take another key; nothing was left there", path);
    return mg_fail(err, MG_STORAGE, "%s %s: %s", path, what, strerror(why));
}

/* What is there and is no bundle is somebody's. */
static mg_status may_replace(const char *path, struct mg_error *err)
{
    uint8_t start[MG_BUNDLE_START_LEN];
    size_t size;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return errno == ENOENT ? MG_OK : file_failed(err, path, "cannot be written");
    ssize_t len = read(file, start, sizeof start);
    close(file);
    if (len == (ssize_t)sizeof start && mg_bundle_head_size(start, &size) == MG_OK) return MG_OK;
    return mg_fail(err, MG_FAILED, "%s exists and is no bundle: name another file", path);
}

static mg_status begin_file(struct written *out, const char *path, struct mg_error *err)
{
    *out = (struct written){.path = path, .file = -1};
    if (snprintf(out->part, sizeof out->part, "%s.part", path) >= (int)sizeof out->part)
        return mg_fail(err, MG_USAGE, "the file's name is too long");
    mg_status status = may_replace(path, err);
    if (status != MG_OK) return status;
    out->file = open(out->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return out->file >= 0 ? MG_OK : file_failed(err, path, "cannot be written");
}

static mg_status put(struct written *out, struct mg_bytes bytes, struct mg_error *err)
{
    while (bytes.len > 0) {
        ssize_t n = write(out->file, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_failed(err, out->path, "cannot be written");
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
    return MG_OK;
}

/* The name itself is durable too, where the key's file system knows how. */
static void settle_name(const char *path)
{
    char dir[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    (void)snprintf(dir, sizeof dir, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1, slash == NULL ? "." : path);
    int file = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    (void)fsync(file);
    close(file);
}

static mg_status finish_file(struct written *out, struct mg_error *err)
{
    mg_status status = MG_OK;
    if (out->file < 0) return MG_OK;
    if (fsync(out->file) != 0) status = file_failed(err, out->path, "cannot be written");
    if (close(out->file) != 0 && status == MG_OK) status = file_failed(err, out->path, "cannot be written");
    out->file = -1;
    if (status == MG_OK && rename(out->part, out->path) != 0) status = file_failed(err, out->path, "cannot get its name");
    if (status != MG_OK) (void)unlink(out->part);
    else settle_name(out->path);
    return status;
}

static void drop_file(struct written *out)
{
    if (out->file < 0) return;
    close(out->file);
    out->file = -1;
    (void)unlink(out->part);
}

/* --- the session between the files --- */

struct exchange {
    struct mg_store *store;
    struct mg_session *session;
    int input; /* -1: none */
    bool shares; /* the hub's maillaged runs, and numbers beside this */
    struct written out;
    mg_status broken; /* a file failed, not the session */
    struct mg_error error;
    bool closed;
    struct mg_bundle_result *result;
    const struct mg_progress *progress; /* NULL: nobody watches */
    struct mg_progress_at at; /* bytes of the bundle: of the file that is read, else of the one that is written */
};

static void perform(struct exchange *exchange, const struct mg_effect *effect)
{
    struct mg_error err = {""};
    mg_status status = mg_apply_begin(exchange->store, &err);
    if (status == MG_OK) {
        if (exchange->shares) status = mg_hub_continue(exchange->store, &err);
        if (status == MG_OK) status = mg_perform(exchange->store, effect->request, effect->result, &err);
        if (status == MG_OK) status = mg_apply_commit(exchange->store, &err);
        else mg_apply_rollback(exchange->store);
    }
    mg_session_done(exchange->session, effect->ticket, status, &err, 0);
}

static void keep_close(struct exchange *exchange, const struct mg_close *close)
{
    struct mg_bundle_result *result = exchange->result;
    struct mg_call call = {.figures = close->figures};
    exchange->closed = true;
    mg_call_result(&call, &result->figures);
    result->report = *mg_session_bundle(exchange->session);
    if (close->peer != NULL) memcpy(result->node, close->peer->name, sizeof result->node);
    if (exchange->broken == MG_OK && close->status != MG_OK) {
        exchange->broken = close->status;
        exchange->error = close->error;
    }
}

static void break_off(struct exchange *exchange, mg_status status)
{
    exchange->broken = status;
    mg_session_stop(exchange->session, 0);
}

/* Between two transactions: whoever wants to stop loses none that is done. */
static void tick(struct exchange *exchange)
{
    if (exchange->broken != MG_OK || mg_progress_go_on(exchange->progress, &exchange->at)) return;
    break_off(exchange, exchange->input < 0 ? mg_fail(&exchange->error, MG_STOPPED, "stopped: no bundle was written; run it again to write one")
                                            : mg_fail(&exchange->error, MG_STOPPED, "stopped: what was taken in so far stays; run it again to take in the rest"));
}

static void drive(struct exchange *exchange)
{
    struct mg_effect effect;
    while (!exchange->closed && mg_session_next(exchange->session, &effect)) {
        if (effect.kind == MG_EFFECT_STORE) {
            perform(exchange, &effect);
            tick(exchange);
        } else if (effect.kind == MG_EFFECT_CLOSE) {
            keep_close(exchange, effect.close);
        } else if (exchange->broken == MG_OK && exchange->out.file >= 0) {
            mg_status status = put(&exchange->out, effect.send, &exchange->error);
            if (status != MG_OK) break_off(exchange, status);
            else if (exchange->input < 0) exchange->at.done += (int64_t)effect.send.len;
        }
    }
}

/* From the first byte to CLOSE. */
static void run(struct exchange *exchange)
{
    static _Thread_local uint8_t room[MG_FRAME_READ_MAX / 2];
    bool ended = exchange->input < 0;
    drive(exchange);
    while (!exchange->closed) {
        mg_assert(!ended); /* a session that has heard everything goes on until it closes */
        ssize_t len = read(exchange->input, room, sizeof room);
        if (len < 0 && errno == EINTR) continue;
        ended = len <= 0;
        if (len < 0) break_off(exchange, mg_fail(&exchange->error, MG_STORAGE, "the bundle cannot be read: %s", strerror(errno)));
        else if (len == 0) mg_session_lost(exchange->session, 0);
        exchange->at.done += len > 0 ? len : 0;
        if (len > 0) mg_session_feed(exchange->session, (struct mg_bytes){room, (size_t)len}, 0);
        drive(exchange);
    }
}

typedef mg_status session_maker(const struct mg_session_params *params, struct mg_session **session, struct mg_error *err);

static mg_status exchange_files(struct exchange *exchange, session_maker *make, struct mg_error *err)
{
    struct mg_workshop workshop;
    uint8_t ephemeral[MG_KEY_LEN];
    if (mg_workshop_init(&workshop) != MG_OK) return mg_fail(err, MG_FAILED, "out of memory");
    randombytes_buf(ephemeral, sizeof ephemeral);
    struct mg_session_params params = {.workshop = &workshop, .identity = mg_store_identity(exchange->store), .ephemeral = ephemeral};
    mg_status status = make(&params, &exchange->session, err);
    sodium_memzero(ephemeral, sizeof ephemeral);
    if (status == MG_OK) {
        run(exchange);
        mg_session_free(exchange->session);
        status = exchange->broken == MG_OK ? finish_file(&exchange->out, err) : mg_fail(err, exchange->broken, "%s", exchange->error.text);
    }
    drop_file(&exchange->out);
    mg_workshop_free(&workshop);
    return status;
}

/* --- the two verbs --- */

mg_status mg_bundle_write(struct mg_store *store, const char *path, const struct mg_progress *progress, struct mg_bundle_result *result,
                          struct mg_error *err)
{
    struct exchange exchange = {.store = store, .input = -1, .out = {.file = -1}, .result = result, .progress = progress,
                                .at = {.doing = "writing the bundle", .unit = "bytes"}};
    int lock;
    memset(result, 0, sizeof *result);
    mg_status status = mg_lock_take(mg_store_dir(store), "sync.lock", &lock, err);
    if (status != MG_OK) return status;
    status = begin_file(&exchange.out, path, err);
    if (status == MG_OK) status = mg_runs_begin(store, MG_TRIGGER_BUNDLE, 0, err);
    if (status == MG_OK) status = exchange_files(&exchange, mg_session_new_bundle_out, err);
    mg_runs_forget(store);
    drop_file(&exchange.out);
    close(lock);
    return status;
}

static mg_status begin_sequencing(struct mg_store *store, struct mg_error *err)
{
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_hub_start(store, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

static mg_status open_input(const char *path, struct exchange *exchange, struct mg_error *err)
{
    struct stat what;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0 && fstat(file, &what) == 0 && S_ISREG(what.st_mode)) {
        exchange->input = file;
        exchange->at.total = (int64_t)what.st_size;
        return MG_OK;
    }
    mg_status status = file < 0 ? mg_fail(err, MG_FAILED, "%s cannot be read: %s", path, strerror(errno))
                                 : mg_fail(err, MG_FAILED, "%s is no file", path);
    if (file >= 0) close(file);
    return status;
}

/* A hub gives numbers in the history of one run. When its maillaged runs, the bundle is taken in beside it, request by request in
 * transactions of their own, in that one's history; else this is a run of its own, and keeps a maillaged from starting meanwhile. */
static mg_status take_at_hub(struct exchange *exchange, const char *answer, struct mg_error *err)
{
    int lock = -1;
    mg_status status = mg_lock_take(mg_store_dir(exchange->store), "daemon.lock", &lock, NULL);
    exchange->shares = status != MG_OK;
    status = begin_file(&exchange->out, answer, err);
    if (status == MG_OK && !exchange->shares) status = begin_sequencing(exchange->store, err);
    if (status == MG_OK) status = exchange_files(exchange, mg_session_new_bundle_in, err);
    drop_file(&exchange->out);
    if (lock >= 0) close(lock);
    return status;
}

static mg_status take_answer(struct exchange *exchange, struct mg_error *err)
{
    int lock;
    mg_status status = mg_lock_take(mg_store_dir(exchange->store), "sync.lock", &lock, err);
    if (status != MG_OK) return status;
    status = exchange_files(exchange, mg_session_new_bundle_in, err);
    close(lock);
    return status;
}

mg_status mg_bundle_take(struct mg_store *store, const char *path, const char *answer, const struct mg_progress *progress,
                         struct mg_bundle_result *result, struct mg_error *err)
{
    struct exchange exchange = {.store = store, .input = -1, .out = {.file = -1}, .result = result, .progress = progress,
                                .at = {.doing = "reading the bundle", .unit = "bytes"}};
    memset(result, 0, sizeof *result);
    mg_status status = open_input(path, &exchange, err);
    if (status != MG_OK) return status;
    status = mg_store_identity(store)->hub ? take_at_hub(&exchange, answer, err) : take_answer(&exchange, err);
    close(exchange.input);
    return status;
}
