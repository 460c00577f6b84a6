/*
 * session.c - a session, seen from the keyboard.
 */
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/out.h"
#include "cli/progress.h"

/* What goes has a known end, what comes has none: the hub says at the end that it is the end. */
static void show_progress(void *context, const struct mg_dial_result *so_far)
{
    const struct mg_progress *progress = context;
    bool sending = so_far->waiting > 0 && so_far->pulled == 0;
    struct mg_progress_at at = {.doing = "sending", .unit = "commits", .done = so_far->pushed,
                                .total = so_far->pushed + so_far->waiting};
    if (!sending)
        at = (struct mg_progress_at){.doing = "receiving", .unit = "commits", .done = so_far->pulled};
    if (at.done == 0) at = (struct mg_progress_at){.doing = "exchanging", .unit = "bytes", .done = so_far->bytes_sent + so_far->bytes_received};
    (void)mg_progress_go_on(progress, &at);
}

/* ctrl-C ends a session as a spent budget does: what was acknowledged stays. */
static mg_status judge_stop(const struct mg_dial_result *result, mg_status status, struct mg_error *err)
{
    if (!mg_progress_stopped() || (status != MG_OK && status != MG_UNREACHABLE) || (status == MG_OK && result->complete))
        return status;
    if (result->pushed + result->pulled == 0)
        return mg_fail(err, MG_STOPPED, "stopped before anything was exchanged; `maillage sync` begins again");
    return mg_fail(err, MG_STOPPED,
                   "stopped: %lld commits sent and %lld received so far stay; `maillage sync` goes on from there",
                   (long long)result->pushed, (long long)result->pulled);
}

mg_status mg_session_run(struct mg_cli *cli, struct mg_dial_options *options,
                         struct mg_dial_result *result, struct mg_error *err)
{
    bool running = false;
    options->stop = cli->progress->stop;
    mg_status status = mg_control_sync(cli->dir, options, &running, result, err);
    if (status != MG_OK || running) return status;

    options->progress = show_progress;
    options->context = (void *)(uintptr_t)cli->progress;
    mg_store_watch(cli->store, NULL); /* a session ends between two chunks, not in the middle of one */
    status = judge_stop(result, mg_dial_sync(cli->store, options, result, err), err);
    mg_store_watch(cli->store, cli->progress);
    mg_progress_erase();
    return status;
}

/* Whose verdict it is was kept by the session. */
static mg_status verdicts_differ(struct mg_cli *cli, struct mg_error *err)
{
    char id[MG_ID_TEXT_LEN + 1] = "";
    struct mg_standing *standing = mg_need(calloc(1, sizeof *standing));
    if (mg_stand(cli->store, standing, NULL) == MG_OK && standing->has_differing)
        mg_id_format(standing->differing, id);
    free(standing);
    return mg_fail(err, MG_DIFFER,
                   "the session was complete, but the rules do not give the same verdicts here and at the hub%s%s: "
                   "compare `maillage rules list` here and there, and `maillage rules check` of that participant",
                   id[0] != '\0' ? "; the first participant that differs is " : "", id);
}

mg_status mg_session_judge(struct mg_cli *cli, const struct mg_dial_result *result, struct mg_error *err)
{
    if (!result->complete || (result->digests_agree && result->verdicts_agree)) return MG_OK;
    if (result->digests_agree) return verdicts_differ(cli, err);
    return mg_fail(err, MG_DIFFER,
                   "the session was complete, but this node and the hub do not hold the same data: "
                   "compare `maillage digest` here and on the hub, and run `maillage log verify`");
}

void mg_session_tell(const struct mg_cli *cli, const struct mg_dial_result *result)
{
    mg_note(cli, "sent %lld, received %lld; %lld bytes out, %lld in, %lld round trips",
            (long long)result->pushed, (long long)result->pulled, (long long)result->bytes_sent,
            (long long)result->bytes_received, (long long)result->round_trips);
    const char *hub = mg_store_identity(cli->store)->hub_name;
    if (!result->complete)
        mg_note(cli,
                "the session ended before everything was exchanged; run `maillage sync` again");
    else if (result->waiting > 0)
        mg_note(cli, "%lld of this node's commits still wait for the hub's receipt",
                (long long)result->waiting);
    else if (result->digests_agree && result->verdicts_agree)
        mg_note(cli, "synchronised with %s", hub);
}
