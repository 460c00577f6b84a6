/*
 * nightly.c - see nightly.h.
 */
#include "daemon/nightly.h"

#include <string.h>
#include <time.h>

#include "daemon/log.h"

enum {
    POLL_MS = 30 * 1000,
    POLL_MOVED_MS = 100, /* in a trial days pass in seconds */
};

static void on_timer(uv_timer_t *timer)
{
    struct mg_nightly *nightly = timer->data;
    nightly->wanted(nightly->context);
}

static void wait_ms(struct mg_nightly *nightly, uint64_t ms)
{
    if (uv_is_closing((const uv_handle_t *)&nightly->timer)) return;
    uv_timer_start(&nightly->timer, on_timer, ms, 0);
}

void mg_nightly_start(struct mg_nightly *nightly, uv_loop_t *loop, const struct mg_identity *identity, const struct mg_env *env,
                      void (*wanted)(void *context), void *context)
{
    *nightly = (struct mg_nightly){.env = env, .poll_ms = env == mg_env_system() ? POLL_MS : POLL_MOVED_MS, .wanted = wanted, .context = context};
    memcpy(nightly->node, identity->node, sizeof nightly->node);
    uv_timer_init(loop, &nightly->timer);
    nightly->timer.data = nightly;
    wait_ms(nightly, 0);
}

void mg_nightly_stop(struct mg_nightly *nightly)
{
    if (!uv_is_closing((const uv_handle_t *)&nightly->timer)) uv_close((uv_handle_t *)&nightly->timer, NULL);
}

void mg_nightly_look(struct mg_nightly *nightly, struct mg_store *store)
{
    nightly->status = mg_night_get(store, &nightly->settings, &nightly->error);
    if (nightly->status == MG_OK) nightly->status = mg_runs_last_good(store, &nightly->last_good_s, &nightly->error);
}

/* One line a change of mind: when the next run is due. */
static void log_next(struct mg_nightly *nightly)
{
    char text[32] = "never";
    time_t moment = (time_t)nightly->step.until_s;
    struct tm utc;
    if (nightly->step.until_s == nightly->told_until_s) return;
    nightly->told_until_s = nightly->step.until_s;
    if (nightly->step.until_s != INT64_MAX && gmtime_r(&moment, &utc) != NULL) (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    mg_log_line(MG_LOG_INFO, "night", "next=%s trigger=%s failures=%u", text, mg_trigger_word(nightly->step.trigger), nightly->plan.failures);
}

bool mg_nightly_looked(struct mg_nightly *nightly, struct mg_dial_options *options)
{
    char quoted[sizeof nightly->error.text];
    struct mg_night_clock clock;
    if (nightly->status != MG_OK) {
        mg_log_line(MG_LOG_ERROR, "night", "status=%d text=%s", (int)nightly->status, mg_log_quote(nightly->error.text, quoted, sizeof quoted));
        wait_ms(nightly, nightly->poll_ms);
        return false;
    }
    mg_local_clock(nightly->env, &clock);
    mg_night_next(&nightly->plan, &nightly->settings, nightly->node, nightly->last_good_s, &clock, &nightly->step);
    if (!nightly->step.run) {
        int64_t left_s = nightly->step.until_s - clock.utc_s;
        bool soon = left_s < (int64_t)nightly->poll_ms / 1000;
        log_next(nightly);
        wait_ms(nightly, soon ? (uint64_t)left_s * 1000 : nightly->poll_ms);
        return false;
    }
    mg_log_line(MG_LOG_INFO, "night", "run=now trigger=%s failures=%u", mg_trigger_word(nightly->step.trigger), nightly->plan.failures);
    *options = (struct mg_dial_options){.max_bytes = nightly->settings.max_bytes, .max_ms = nightly->settings.max_seconds * 1000,
                                        .trigger = nightly->step.trigger, .since_s = nightly->step.began_s};
    return true;
}

void mg_nightly_tidy(struct mg_nightly *nightly, struct mg_store *store)
{
    const struct mg_prune_options options = {.keep_days = MG_PRUNE_KEEP_DAYS};
    struct mg_pruned pruned;
    struct mg_error error = {""};
    char quoted[sizeof error.text];
    bool due;
    mg_status status = mg_prune_due(store, nightly->env->now_ms(nightly->env->context), &due, &error);
    if (status == MG_OK && !due) return;
    if (status == MG_OK) status = mg_prune(store, &options, &pruned, &error);
    if (status == MG_OK)
        mg_log_line(MG_LOG_INFO, "prune", "commits=%lld kept=%lld bytes_before=%lld bytes_after=%lld", (long long)pruned.commits,
                    (long long)pruned.kept, (long long)pruned.bytes_before, (long long)pruned.bytes_after);
    else mg_log_line(MG_LOG_WARNING, "prune", "status=%d text=%s", (int)status, mg_log_quote(error.text, quoted, sizeof quoted));
}

static enum mg_night_result result_of(mg_status status, bool complete)
{
    switch (status) {
    case MG_OK: return complete ? MG_NIGHT_GOOD : MG_NIGHT_EARLY;
    case MG_UNREACHABLE:
    case MG_STORAGE:
    case MG_STOPPED:
    case MG_FAILED: return MG_NIGHT_FAILED;
    case MG_USAGE:
    case MG_REFUSED:
    case MG_DENIED:
    case MG_DIFFER:
    case MG_BAD_BYTES:
    default: return MG_NIGHT_REFUSED;
    }
}

void mg_nightly_ran(struct mg_nightly *nightly, mg_status status, const struct mg_dial_result *result)
{
    struct mg_night_clock clock;
    mg_local_clock(nightly->env, &clock);
    mg_night_ended(&nightly->plan, &nightly->settings, result_of(status, result->complete), result->retry_s, &clock);
    wait_ms(nightly, 0);
}
