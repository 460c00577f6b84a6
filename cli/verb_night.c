/*
 * verb_night.c - `maillage night`: when maillaged calls the hub by itself.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

/* A budget: a whole number, 0 for none. */
static mg_status read_budget(const struct mg_args *args, const char *name, int64_t max, int64_t least, int64_t *budget, struct mg_error *err)
{
    const char *text = mg_args_option(args, name);
    if (text == NULL) return MG_OK;
    if (strcmp(text, "0") == 0) {
        *budget = 0;
        return MG_OK;
    }
    mg_status status = mg_args_number(args, name, max, budget, err);
    if (status == MG_OK && *budget < least)
        return mg_fail(err, MG_USAGE, "%s below %lld would get nothing done; 0 takes the budget away", name, (long long)least);
    return status;
}

static mg_status change(const struct mg_args *args, struct mg_night_settings *settings, bool *changed, struct mg_error *err)
{
    const struct mg_night_settings before = *settings;
    const char *window = mg_args_option(args, "--window");
    bool on = mg_args_option(args, "--on") != NULL, off = mg_args_option(args, "--off") != NULL;
    if (on && off) return mg_fail(err, MG_USAGE, "--on and --off contradict each other");
    mg_status status = window == NULL ? MG_OK : mg_night_window_parse(window, settings, err);
    if (status == MG_OK) status = read_budget(args, "--max-bytes", INT64_C(1) << 50, 4096, &settings->max_bytes, err);
    if (status == MG_OK) status = read_budget(args, "--max-seconds", 86400, 1, &settings->max_seconds, err);
    if (on || off) settings->off = off;
    *changed = before.off != settings->off || before.start_min != settings->start_min || before.end_min != settings->end_min ||
               before.max_bytes != settings->max_bytes || before.max_seconds != settings->max_seconds;
    return status;
}

static void window_text(const struct mg_night_settings *settings, char text[16])
{
    (void)snprintf(text, 16, "%02d:%02d-%02d:%02d", settings->start_min / 60 % 24, settings->start_min % 60, settings->end_min / 60 % 24,
                   settings->end_min % 60);
}

static json_t *budget(int64_t number)
{
    return number == 0 ? json_null() : mg_json_int(number);
}

static void print_json(const struct mg_night_settings *settings, int64_t next_s, bool running)
{
    char window[16];
    json_t *out = mg_need(json_object());
    window_text(settings, window);
    mg_json_put(out, "on", json_boolean(!settings->off));
    mg_json_put(out, "window", mg_json_text(window));
    mg_json_put(out, "max_bytes", budget(settings->max_bytes));
    mg_json_put(out, "max_seconds", budget(settings->max_seconds));
    mg_json_put(out, "next", mg_json_time(next_s * 1000));
    mg_json_put(out, "running", json_boolean(running));
    mg_print_json(out);
}

static void print_people(const struct mg_night_settings *settings, bool hub, int64_t next_s, bool running)
{
    char window[16], at[MG_TIME_TEXT_MAX];
    window_text(settings, window);
    if (hub) {
        printf("a night begins with the window %s, local time\n", window);
        return;
    }
    if (settings->off) {
        printf("off: nothing runs by itself; `maillage night --on` changes that\n");
        return;
    }
    printf("every night in the window %s, local time\n", window);
    if (settings->max_bytes > 0) printf("at most %lld bytes a session\n", (long long)settings->max_bytes);
    if (settings->max_seconds > 0) printf("at most %lld seconds a session\n", (long long)settings->max_seconds);
    mg_time_text(next_s * 1000, at);
    printf("next run: %s, or some minutes later%s\n", at, running ? "" : ", once maillaged runs: it does not now");
}

mg_status mg_verb_night(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct mg_night_settings settings;
    struct mg_night_clock clock;
    int64_t last_good_s = 0;
    bool changed = false;
    mg_status status = mg_cli_open(cli, err);
    if (status == MG_OK) status = mg_night_get(cli->store, &settings, err);
    if (status == MG_OK) status = change(args, &settings, &changed, err);
    if (status == MG_OK && changed) status = mg_night_set(cli->store, &settings, err);
    if (status == MG_OK) status = mg_runs_last_good(cli->store, &last_good_s, err);
    if (status != MG_OK) return status;
    const struct mg_identity *self = mg_store_identity(cli->store);
    mg_local_clock(cli->env, &clock);
    bool none = self->hub || settings.off;
    int64_t next_s = none ? 0 : mg_night_due(&settings, self->node, last_good_s, &clock);
    bool running = !self->hub && mg_control_is_running(cli->dir);
    if (cli->json) print_json(&settings, next_s, running);
    else print_people(&settings, self->hub, next_s, running);
    return MG_OK;
}
