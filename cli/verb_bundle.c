/*
 * verb_bundle.c - `maillage bundle out` and `bundle in`: exchange with the hub by USB key.
 *
 * What happened to a bundle on its way is said in words, because it is a person who carries it: lost, brought twice,
 * brought late, cut short, of somebody else. Nothing of that loses anything.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

/* As `sync` has it, and whose bundle it was. */
static void print_json(const struct mg_bundle_result *result, const char *written)
{
    const struct mg_dial_result *figures = &result->figures;
    const struct mg_bundle_report *report = &result->report;
    json_t *out = mg_need(json_object());
    mg_json_put(out, "pushed", mg_json_int(figures->pushed));
    mg_json_put(out, "pulled", mg_json_int(figures->pulled));
    mg_json_put(out, "bytes_sent", mg_json_int(figures->bytes_sent));
    mg_json_put(out, "bytes_received", mg_json_int(figures->bytes_received));
    mg_json_put(out, "cursor", mg_json_int((int64_t)figures->cursor.n));
    mg_json_put(out, "digests_agree", figures->complete ? json_boolean(figures->digests_agree) : json_null());
    mg_json_put(out, "verdicts_agree", figures->complete ? json_boolean(figures->verdicts_agree) : json_null());
    mg_json_put(out, "waiting", mg_json_int(figures->waiting));
    mg_json_put(out, "complete", json_boolean(figures->complete));
    mg_json_put(out, "number", report->number == 0 ? json_null() : mg_json_int((int64_t)report->number));
    mg_json_put(out, "answers", report->answers == 0 ? json_null() : mg_json_int((int64_t)report->answers));
    mg_json_put(out, "node", mg_json_text(result->node[0] == '\0' ? NULL : result->node));
    mg_json_put(out, "file", mg_json_text(written));
    mg_print_json(out);
}

static const char *commits(int64_t count)
{
    return count == 1 ? "commit" : "commits";
}

/* --- out --- */

mg_status mg_verb_bundle_out(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_bundle_result result;
    const char *file = mg_args_option(args, "--to");
    if (file[0] == '\0') return mg_fail(err, MG_USAGE, "--to is empty: name the file for the bundle");
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    if (mg_store_identity(cli->store)->hub) return mg_fail(err, MG_FAILED, "this is the hub: nodes write bundles, and `bundle in` here writes the answer");
    mg_store_watch(cli->store, NULL); /* between two transactions, not in the middle of one */
    status = mg_bundle_write(cli->store, file, cli->progress, &result, err);
    mg_progress_erase();
    if (status != MG_OK) return status;
    if (cli->json) print_json(&result, file);
    mg_note(cli, "bundle %llu: %lld %s, %lld bytes, in %s; take it to %s, run `maillage bundle in` there, and bring the answer back",
            (unsigned long long)result.report.number, (long long)result.figures.pushed, commits(result.figures.pushed),
            (long long)result.figures.bytes_sent, file, mg_store_identity(cli->store)->hub_name);
    return MG_OK;
}

/* --- in, at the hub --- */

static void tell_history(const struct mg_cli *cli, const struct mg_bundle_result *result)
{
    const struct mg_bundle_news *news = &result->report.news;
    uint64_t number = result->report.number;
    char at[MG_TIME_TEXT_MAX];
    if (news->repeated_at != 0) {
        mg_time_text(news->repeated_at, at);
        mg_note(cli, "this very bundle was taken in at %s already; its answer was written again", at);
    } else if (news->number_was_used) {
        mg_note(cli, "another bundle %llu of %s was here before: its directory was restored or copied; nothing is lost by that",
                (unsigned long long)number, result->node);
    } else if (number < news->newest) {
        mg_time_text(news->newest_at, at);
        mg_note(cli, "it is older than bundle %llu, which was taken in at %s; what was not in that one is here now", (unsigned long long)news->newest, at);
    } else if (news->missing_from != 0 && news->missing_from == news->missing_to) {
        mg_note(cli, "bundle %llu of %s never came; nothing is missing, each carries all that has no receipt", (unsigned long long)news->missing_from, result->node);
    } else if (news->missing_from != 0) {
        mg_note(cli, "bundles %llu to %llu of %s never came; nothing is missing, each carries all that has no receipt",
                (unsigned long long)news->missing_from, (unsigned long long)news->missing_to, result->node);
    }
}

static void tell_wants(const struct mg_cli *cli, const struct mg_bundle_report *report)
{
    if (report->forked) mg_note(cli, "the hub holds other commits of this node, so it goes on under a new name: its next bundle brings the rest");
    switch (report->asks) {
    case MG_BUNDLE_ASKS_NOTHING: return;
    case MG_BUNDLE_ASKS_LINEAGE:
        mg_note(cli, "the hub was restored and does not know what the node has read: the answer asks for it, the next bundle brings it");
        return;
    case MG_BUNDLE_ASKS_REFILL: mg_note(cli, "the hub was restored and lost what the node holds: the answer asks for it, the next bundle brings it"); return;
    case MG_BUNDLE_ASKS_EARLIER: mg_note(cli, "the hub was restored and lost commits of the node: the answer asks for them, the next bundle brings them"); return;
    default: return;
    }
}

static void tell_taken(const struct mg_cli *cli, const struct mg_bundle_result *result, const char *answer)
{
    const struct mg_dial_result *figures = &result->figures;
    mg_note(cli, "bundle %llu of %s: %lld new %s taken", (unsigned long long)result->report.number, result->node, (long long)figures->pushed,
            commits(figures->pushed));
    tell_history(cli, result);
    tell_wants(cli, &result->report);
    mg_note(cli, "the answer is in %s, %lld bytes: bring it back to %s and run `maillage bundle in` there", answer, (long long)figures->bytes_sent,
            result->node);
}

/* --- in, at a node --- */

static void tell_answer(const struct mg_cli *cli, const struct mg_bundle_result *result)
{
    const struct mg_dial_result *figures = &result->figures;
    const struct mg_bundle_report *report = &result->report;
    char at[MG_TIME_TEXT_MAX];
    mg_note(cli, "answer to bundle %llu: %lld %s acknowledged, %lld received", (unsigned long long)report->answers, (long long)figures->pushed,
            commits(figures->pushed), (long long)figures->pulled);
    if (report->answered_at != 0) {
        mg_time_text(report->answered_at, at);
        mg_note(cli, "an answer to this bundle was taken in at %s already; that does no harm", at);
    } else if (report->newest_answered > report->answers) {
        mg_note(cli, "the answer to bundle %llu, which is newer, was taken in before; that does no harm", (unsigned long long)report->newest_answered);
    }
    if (report->overtaken) mg_note(cli, "this node knows more than the answer, by a session or a newer one");
    tell_wants(cli, report);
    if (figures->waiting > 0)
        mg_note(cli, "%lld %s of this node %s for a receipt: the next bundle carries %s", (long long)figures->waiting, commits(figures->waiting),
                figures->waiting == 1 ? "waits" : "wait", figures->waiting == 1 ? "it" : "them");
    else if (figures->complete && figures->digests_agree && figures->verdicts_agree)
        mg_note(cli, "synchronised with %s", mg_store_identity(cli->store)->hub_name);
}

static mg_status answer_name(const struct mg_args *args, const char *file, char *name, size_t size, struct mg_error *err)
{
    const char *given = mg_args_option(args, "--answer");
    int len = given != NULL ? snprintf(name, size, "%s", given) : snprintf(name, size, "%s.answer", file);
    if (len <= 0 || (size_t)len >= size) return mg_fail(err, MG_USAGE, "the name of the answer is empty or too long");
    return strcmp(name, file) == 0 ? mg_fail(err, MG_USAGE, "the answer would take the place of the bundle: name another file with --answer") : MG_OK;
}

mg_status mg_verb_bundle_in(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_bundle_result result;
    char answer[4096];
    const char *file = args->words[0];
    mg_status status = mg_cli_open(cli, err);
    if (status != MG_OK) return status;
    bool hub = mg_store_identity(cli->store)->hub;
    if (!hub && mg_args_option(args, "--answer") != NULL)
        return mg_fail(err, MG_USAGE, "--answer is for the hub: on a node, `bundle in FILE` takes the answer");
    status = answer_name(args, file, answer, sizeof answer, err);
    mg_store_watch(cli->store, NULL); /* between two transactions, not in the middle of one */
    if (status == MG_OK) status = mg_bundle_take(cli->store, file, hub ? answer : NULL, cli->progress, &result, err);
    mg_progress_erase();
    if (status != MG_OK) return status;
    if (cli->json) print_json(&result, hub ? answer : NULL);
    if (hub) tell_taken(cli, &result, answer);
    else tell_answer(cli, &result);
    return hub ? MG_OK : mg_session_judge(cli, &result.figures, err);
}
