/*
 * daemon.c - maillaged, before it is known what it is: one process a directory, its
 * store open, then hub (server.c) or node (node.c).
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/serve.h"

static mg_status serve(struct mg_store *store, const struct mg_daemon_options *options,
                       struct mg_error *err)
{
    const struct mg_identity *identity = mg_store_identity(store);
    char name[2 * MG_NAME_MAX];
    if (!identity->hub && options->listen != NULL)
        return mg_fail(err, MG_USAGE,
                       "%s is the node %s, and only a hub listens: leave --listen out",
                       options->dir, identity->name);
    mg_log_line(MG_LOG_INFO, "start", "role=%s name=%s pid=%ld", identity->hub ? "hub" : "node",
                mg_log_quote(identity->name, name, sizeof name), (long)getpid());
    mg_status status =
        identity->hub ? mg_serve_hub(store, options, err) : mg_serve_node(store, options, err);
    mg_log_line(MG_LOG_INFO, "stop", "status=%d", (int)status);
    return status;
}

static mg_status take_lock(const char *dir, int *lock, struct mg_error *err)
{
    errno = 0;
    mg_status status = mg_lock_take(dir, "daemon.lock", lock, err);
    if (status == MG_OK || errno != EWOULDBLOCK) return status;
    return mg_fail(err, status, "another maillaged runs on %s: use that one, or end it first", dir);
}

mg_status mg_daemon_run(const struct mg_daemon_options *options, struct mg_error *err)
{
    struct mg_store *store = NULL;
    int lock;
    signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of write(), told as one */
    if (sodium_init() < 0) return mg_fail(err, MG_FAILED, "libsodium does not start");
    if (!mg_store_exists(options->dir))
        return mg_fail(err, MG_FAILED,
                       "there is no node in %s: `maillage join CODE` makes one from an invitation, "
                       "`maillage hub init --name NAME` makes a hub",
                       options->dir);
    mg_status status = take_lock(options->dir, &lock, err);
    if (status != MG_OK) return status;
    const struct mg_env *env = options->env != NULL ? options->env : mg_env_system();
    status = mg_store_open(options->dir, env, &store, err);
    if (status == MG_OK) status = serve(store, options, err);
    mg_store_close(store);
    close(lock);
    return status;
}
