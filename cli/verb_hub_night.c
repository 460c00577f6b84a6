/*
 * verb_hub_night.c - `maillage hub night`: what a night brought, antenna by antenna.
 *
 * Made for two readers: a coordinator over coffee, and a monitor that looks at the exit status. It is 1
 * when somebody has to do something: an antenna is silent, owes commits, or differs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/runs.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

static const char *const names[] = {"antenna", "scopes", "run", "how", "sent", "received", "bytes", "took", "conflicts", "drift", "waiting", "heard"};
enum { COLUMNS = sizeof names / sizeof *names, SILENT_DAYS_MAX = 366 };

struct night {
    bool json;
    int64_t now_ms, silent_ms;
    struct mg_array array;
    struct mg_rows rows;
    char wrong[400]; /* what somebody has to look at */
    int wrong_count;
};

static void __attribute__((format(printf, 2, 3))) note_wrong(struct night *night, const char *format, ...)
{
    size_t used = strlen(night->wrong);
    va_list args;
    night->wrong_count++;
    if (used > 0) used += (size_t)snprintf(night->wrong + used, sizeof night->wrong - used, "; ");
    if (used >= sizeof night->wrong - 1) return; /* the list above tells the others */
    va_start(args, format);
    (void)vsnprintf(night->wrong + used, sizeof night->wrong - used, format, args);
    va_end(args);
}

/* --- one antenna --- */

struct judged {
    bool silent, owes;
    int64_t waiting;
};

static struct judged judge(struct night *night, const struct mg_night_line *line)
{
    int64_t since = line->last_seen != 0 ? line->last_seen : line->enrolled;
    struct judged judged = {.silent = night->now_ms - since > night->silent_ms, .waiting = line->waiting};
    bool broken_off = line->run != NULL && !line->run->complete;
    if (broken_off && (int64_t)line->run->waiting > judged.waiting) judged.waiting = (int64_t)line->run->waiting;
    judged.owes = judged.waiting > 0;
    char at[MG_TIME_TEXT_MAX];
    mg_time_text(since, at);
    if (judged.silent) note_wrong(night, line->last_seen != 0 ? "%s is silent since %s" : "%s has not called since it joined at %s", line->name, at);
    if (judged.owes) note_wrong(night, "%s owes %lld %s", line->name, (long long)judged.waiting, judged.waiting == 1 ? "commit" : "commits");
    if (!line->agrees) note_wrong(night, "data or verdicts of %s and of the hub differ", line->name);
    return judged;
}

static void add_json(struct night *night, const struct mg_night_line *line, const struct judged *judged)
{
    json_t *out = mg_need(json_object()), *run = json_null();
    mg_json_put(out, "role", mg_json_text("node"));
    mg_json_put(out, "node", mg_json_id(line->node));
    mg_json_put(out, "name", mg_json_text(line->name));
    mg_json_put(out, "scopes", mg_json_text(line->scopes));
    if (line->run != NULL) {
        run = mg_need(json_object());
        mg_json_put_run(run, line->run);
    }
    mg_json_put(out, "run", run);
    mg_json_put(out, "runs", mg_json_int((int64_t)line->runs));
    mg_json_put(out, "conflicts", mg_json_int((int64_t)line->conflicts));
    mg_json_put(out, "drift", mg_json_int((int64_t)line->drift));
    mg_json_put(out, "waiting", judged->waiting < 0 ? json_null() : mg_json_int(judged->waiting));
    mg_json_put(out, "last_seen", mg_json_time(line->last_seen));
    mg_json_put(out, "silent", json_boolean(judged->silent));
    mg_json_put(out, "agrees", json_boolean(line->agrees));
    mg_array_add(&night->array, out);
}

static void add_row(struct night *night, const struct mg_night_line *line, const struct judged *judged)
{
    const struct mg_run_report *run = line->run;
    char started[MG_TIME_TEXT_MAX] = "", heard[MG_TIME_TEXT_MAX] = "never", took[MG_SPAN_TEXT_MAX] = "", how[MG_OUTCOME_TEXT_MAX] = "no run is known";
    if (run != NULL) {
        mg_time_text(run->started_s * 1000, started);
        mg_run_outcome(run, how);
        mg_span_text(run->ms, took);
    }
    if (line->last_seen != 0) mg_time_text(line->last_seen, heard);
    json_t *const values[COLUMNS] = {
        mg_json_text(line->name), mg_json_text(line->scopes), mg_json_text(started), mg_json_text(how),
        run == NULL ? json_null() : mg_json_int((int64_t)run->pushed), run == NULL ? json_null() : mg_json_int((int64_t)run->pulled),
        run == NULL ? json_null() : mg_json_int((int64_t)(run->bytes_sent + run->bytes_received)), mg_json_text(took),
        mg_json_int((int64_t)line->conflicts), mg_json_int((int64_t)line->drift),
        judged->waiting < 0 ? json_null() : mg_json_int(judged->waiting), mg_json_text(heard)};
    mg_rows_add(&night->rows, values);
}

static void add_line(void *context, const struct mg_night_line *line)
{
    struct night *night = context;
    struct judged judged = judge(night, line);
    if (night->json) add_json(night, line, &judged);
    else add_row(night, line, &judged);
}

/* --- the hub's own line --- */

struct own_line {
    uint64_t sequenced;
    int64_t disk_free, backup_at;
};

static mg_status look_at_hub(struct mg_cli *cli, struct own_line *own, struct mg_error *err)
{
    struct statvfs disk;
    struct mg_standing *standing = mg_need(calloc(1, sizeof *standing));
    mg_status status = mg_stand(cli->store, standing, err);
    own->sequenced = standing->cursor.n;
    free(standing);
    own->disk_free = statvfs(cli->dir, &disk) == 0 ? (int64_t)(disk.f_bavail * disk.f_frsize) : -1;
    return status == MG_OK ? mg_backup_at(cli->store, &own->backup_at, err) : status;
}

static void print_json(struct mg_cli *cli, struct night *night, const struct own_line *own)
{
    json_t *out = mg_need(json_object());
    mg_json_put(out, "role", mg_json_text("hub"));
    mg_json_put(out, "node", mg_json_id(mg_store_identity(cli->store)->node));
    mg_json_put(out, "name", mg_json_text(mg_store_identity(cli->store)->name));
    mg_json_put(out, "sequenced", mg_json_int((int64_t)own->sequenced));
    mg_json_put(out, "disk_free", own->disk_free < 0 ? json_null() : mg_json_int(own->disk_free));
    mg_json_put(out, "backup_at", mg_json_time(own->backup_at));
    mg_array_add(&night->array, out);
    mg_array_print(&night->array);
}

static void print_people(struct mg_cli *cli, struct night *night, const struct own_line *own)
{
    char backup[MG_TIME_TEXT_MAX] = "none yet";
    if (own->backup_at != 0) mg_time_text(own->backup_at, backup);
    mg_rows_print(&night->rows);
    printf("hub %s: sequenced up to %llu, %lld MB of disk free, backup: %s\n", mg_store_identity(cli->store)->name,
           (unsigned long long)own->sequenced, (long long)(own->disk_free / 1000000), backup);
}

/* --- which night --- */

static mg_status read_night(struct mg_cli *cli, const char *text, int64_t *from_s, int64_t *to_s, struct mg_error *err)
{
    struct mg_night_settings settings;
    struct mg_night_clock clock;
    struct mg_date date;
    mg_status status = mg_night_get(cli->store, &settings, err);
    if (status != MG_OK) return status;
    mg_local_clock(cli->env, &clock);
    int64_t night = mg_night_of(&settings, &clock, from_s);
    if (text != NULL) {
        if (!mg_date_read(text, strlen(text), &date))
            return mg_fail(err, MG_USAGE, "--date: \"%s\" is not a date that exists; write YYYY-MM-DD, such as 2020-02-29", text);
        night = mg_date_day(date);
        *from_s = mg_night_begin(&settings, night, &clock);
    }
    *to_s = mg_night_begin(&settings, night + 1, &clock);
    return MG_OK;
}

mg_status mg_verb_hub_night(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct night night = {.json = cli->json, .silent_ms = INT64_C(3) * 86400000};
    struct own_line own = {.sequenced = 0};
    int64_t from_s = 0, to_s = 0;
    mg_status status = mg_args_time(args, "--silent-after", 1, SILENT_DAYS_MAX, &night.silent_ms, err);
    if (status == MG_OK) status = mg_cli_open_hub(cli, err);
    if (status == MG_OK) status = read_night(cli, mg_args_option(args, "--date"), &from_s, &to_s, err);
    if (status == MG_OK) status = look_at_hub(cli, &own, err);
    if (status != MG_OK) return status;

    night.now_ms = cli->env->now_ms(cli->env->context);
    if (cli->json) mg_array_open(&night.array);
    else mg_rows_open(&night.rows, false, names, COLUMNS);
    status = mg_runs_night(cli->store, from_s, to_s, add_line, &night, err);
    if (status != MG_OK) {
        if (cli->json) mg_array_free(&night.array);
        else mg_rows_free(&night.rows);
        return status;
    }
    (cli->json ? print_json : print_people)(cli, &night, &own);
    if (night.wrong_count == 0) return MG_OK;
    return mg_fail(err, MG_FAILED, "%s", night.wrong);
}
