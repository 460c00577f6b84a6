/*
 * runs.c - see runs.h.
 */
#include "cli/runs.h"

#include <stdio.h>

#include "cli/out.h"

static const char *outcome_word(const struct mg_run_report *run)
{
    if (run->status != MG_OK) return run->status == MG_DENIED ? "refused" : "failed";
    if (!run->complete) return run->trigger == MG_TRIGGER_BUNDLE ? "written to a bundle" : "ended early by its budget";
    if (!run->digests_agree) return "complete, but the data differ";
    return run->verdicts_agree ? "complete" : "complete, but the verdicts differ";
}

void mg_run_outcome(const struct mg_run_report *run, char text[MG_OUTCOME_TEXT_MAX])
{
    bool reason = run->why[0] != '\0';
    (void)snprintf(text, MG_OUTCOME_TEXT_MAX, "%s%s%s", outcome_word(run), reason ? ": " : "", run->why);
}

void mg_json_put_run(json_t *object, const struct mg_run_report *run)
{
    mg_json_put(object, "number", mg_json_int((int64_t)run->number));
    mg_json_put(object, "started", mg_json_time(run->started_s * 1000));
    mg_json_put(object, "trigger", mg_json_text(mg_trigger_word(run->trigger)));
    mg_json_put(object, "complete", json_boolean(run->complete));
    mg_json_put(object, "status", mg_json_int(run->status));
    mg_json_put(object, "why", mg_json_text(run->why[0] == '\0' ? NULL : run->why));
    mg_json_put(object, "attempts", mg_json_int((int64_t)run->attempts));
    mg_json_put(object, "pushed", mg_json_int((int64_t)run->pushed));
    mg_json_put(object, "pulled", mg_json_int((int64_t)run->pulled));
    mg_json_put(object, "conflicts", mg_json_int((int64_t)run->conflicts));
    mg_json_put(object, "drift", mg_json_int((int64_t)run->drift));
    mg_json_put(object, "waiting", mg_json_int((int64_t)run->waiting));
    mg_json_put(object, "quarantined", mg_json_int((int64_t)run->quarantined));
    mg_json_put(object, "bytes_sent", mg_json_int((int64_t)run->bytes_sent));
    mg_json_put(object, "bytes_received", mg_json_int((int64_t)run->bytes_received));
    mg_json_put(object, "duration_ms", mg_json_int((int64_t)run->ms));
    mg_json_put(object, "digests_agree", run->complete ? json_boolean(run->digests_agree) : json_null());
    mg_json_put(object, "verdicts_agree", run->complete ? json_boolean(run->verdicts_agree) : json_null());
}

void mg_span_text(uint64_t ms, char text[MG_SPAN_TEXT_MAX])
{
    if (ms < 10000) (void)snprintf(text, MG_SPAN_TEXT_MAX, "%llu ms", (unsigned long long)ms);
    else (void)snprintf(text, MG_SPAN_TEXT_MAX, "%llu s", (unsigned long long)(ms / 1000));
}
