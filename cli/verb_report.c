/*
 * verb_report.c - `maillage report`: the indicators that the funders ask for, against their targets.
 *
 * One document a pack. At the hub, without a name or a scope, there is one a PLIE, and the document on top has the sums of
 * what they share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/args.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/rules.h"
#include "cli/verbs.h"

enum { COLUMNS_FOR_PEOPLE = 8 }; /* more groups than this go below each other */

struct report_job {
    struct mg_cli *cli;
    struct mg_pack *packs[MG_PACKS_MAX];
    struct mg_report *reports[MG_PACKS_MAX];
    struct mg_report_request requests[MG_PACKS_MAX];
    int count;
    struct mg_date as_of;
    const char *from, *to, *scope;
    enum mg_dimension by;
};

/* --- what is asked --- */

/* In UTC, as the day of judgement is: the kept verdicts serve as they are. */
static struct mg_date today(void)
{
    time_t now = time(NULL);
    struct tm utc;
    (void)gmtime_r(&now, &utc);
    return (struct mg_date){(int16_t)(utc.tm_year + 1900), (int8_t)(utc.tm_mon + 1), (int8_t)utc.tm_mday};
}

static mg_status read_day(const struct mg_args *args, const char *name, struct mg_date *day, struct mg_error *err)
{
    const char *text = mg_args_option(args, name);
    if (text == NULL || mg_date_read(text, strlen(text), day)) return MG_OK;
    return mg_fail(err, MG_USAGE, "%s: \"%s\" is not a date that exists; write YYYY-MM-DD, such as 2020-02-29", name, text);
}

static mg_status read_dimension(const char *text, enum mg_dimension *by, struct mg_error *err)
{
    *by = MG_BY_nothing;
    if (text == NULL || (*by = mg_dimension_find(text)) != MG_BY_nothing) return MG_OK;
    char list[200] = "";
    for (int i = 1; i < MG_DIMENSION_COUNT; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), i > 1 ? ", %s" : "%s", mg_dimension_names[i]);
    return mg_fail(err, MG_USAGE, "--by: \"%s\" is none of: %s", text, list);
}

static bool plie_is(const struct mg_pack_info *pack, const char *scope)
{
    size_t len = strlen(pack->plie);
    return strncmp(scope, pack->plie, len) == 0 && (scope[len] == '\0' || scope[len] == '/');
}

/* This node holds something of the PLIE. */
static bool holds(const struct mg_identity *self, const struct mg_pack_info *pack)
{
    bool any = self->hub;
    for (int i = 0; i < self->scope_count; i++) any |= plie_is(pack, self->scopes[i]);
    return any;
}

/* A scope that there is: a PLIE, or an antenna of the table. */
static mg_status check_scope(struct report_job *job, struct mg_error *err)
{
    sqlite3_stmt *stmt;
    sqlite3 *db = mg_store_db(job->cli->store);
    if (job->scope == NULL || strchr(job->scope, '/') == NULL) return MG_OK;
    if (sqlite3_prepare_v2(db, "SELECT 1 FROM antenna WHERE code = ?1", -1, &stmt, NULL) != SQLITE_OK)
        return mg_sqlite_fail(err, db, "looking for the antenna");
    (void)sqlite3_bind_text(stmt, 1, job->scope, -1, SQLITE_STATIC);
    bool there = sqlite3_step(stmt) == SQLITE_ROW;
    (void)sqlite3_finalize(stmt);
    return there ? MG_OK : mg_fail(err, MG_USAGE, "there is no antenna \"%s\"; `maillage list antenna` shows them", job->scope);
}

/* The pack that NAME says (its id, or a PLIE); without one, of each PLIE the one that is valid, or was last, on the day. */
static mg_status choose_packs(struct report_job *job, const char *name, struct mg_error *err)
{
    struct mg_pack *all[MG_PACKS_MAX];
    const struct mg_identity *self = mg_store_identity(job->cli->store);
    char day[MG_DATE_LEN + 1];
    int count;
    mg_status status = mg_rules_packs(job->cli->store, all, &count, err);
    if (status != MG_OK) return status;
    mg_date_write(job->as_of, day);
    for (int i = 0; i < count; i++) {
        const struct mg_pack_info *pack = mg_pack_info(all[i]);
        bool asked = name != NULL && strcmp(pack->id, name) == 0;
        if (!asked && ((name != NULL && strcmp(pack->plie, name) != 0) || !holds(self, pack))) continue;
        if (job->scope != NULL && !plie_is(pack, job->scope)) continue;
        const struct mg_pack_info *last = job->count > 0 ? mg_pack_info(job->packs[job->count - 1]) : NULL;
        bool same_plie = last != NULL && strcmp(last->plie, pack->plie) == 0;
        if (!asked && same_plie && strcmp(pack->valid_from, day) > 0) continue; /* not begun yet, and another is there */
        if (same_plie) job->count--;
        job->packs[job->count++] = all[i];
        if (asked) {
            job->packs[0] = all[i];
            job->count = 1;
            break;
        }
    }
    if (job->count > 0) return MG_OK;
    return mg_fail(err, MG_USAGE, "no rule pack in force answers to %s; `maillage rules list` shows those that there are",
                   name != NULL ? name : job->scope != NULL ? job->scope : "this node");
}

/* The pack's own time where none was asked for, not beyond the day. */
static mg_status fill_request(struct report_job *job, int i, const struct mg_args *args, struct mg_error *err)
{
    const struct mg_pack_info *pack = mg_pack_info(job->packs[i]);
    const struct mg_identity *self = mg_store_identity(job->cli->store);
    struct mg_report_request *request = &job->requests[i];
    const char *until = pack->valid_to != NULL ? pack->valid_to : "9999-12-31";
    *request = (struct mg_report_request){.scope = job->scope != NULL ? job->scope : pack->plie, .as_of = job->as_of, .by = job->by};
    if (job->scope == NULL && !self->hub && self->scope_count == 1) request->scope = self->scopes[0];
    request->mask = self->hub || mg_args_option(args, "--mask") != NULL;
    (void)mg_date_read(pack->valid_from, MG_DATE_LEN, &request->from);
    (void)mg_date_read(until, MG_DATE_LEN, &request->to);
    if (mg_date_order(request->to, job->as_of) > 0) request->to = job->as_of;
    mg_status status = read_day(args, "--from", &request->from, err);
    if (status == MG_OK) status = read_day(args, "--to", &request->to, err);
    char from[MG_DATE_LEN + 1], to[MG_DATE_LEN + 1];
    mg_date_write(request->from, from);
    mg_date_write(request->to, to);
    if (status == MG_OK && strcmp(from, to) > 0)
        status = mg_fail(err, MG_USAGE, "the period of %s ends before it begins: %s to %s; say it with --from, --to and --as-of", pack->id, from, to);
    return status;
}

/* --- JSON --- */

static json_t *figure_value(const struct mg_figure *figure)
{
    return figure->told ? mg_json_int(figure->value) : json_null();
}

static json_t *percent_value(const struct mg_figure *figure)
{
    return figure->told && figure->percent >= 0 ? mg_json_int(figure->percent) : json_null();
}

static json_t *groups_json(const struct mg_report *report, int indicator)
{
    json_t *array = mg_need(json_array());
    for (int g = 0; g < report->group_count; g++) {
        const struct mg_figure *figure = &report->groups[g].figures[indicator];
        json_t *group = mg_need(json_object());
        mg_json_put(group, "group", mg_json_text(report->groups[g].name[0] != '\0' ? report->groups[g].name : NULL));
        mg_json_put(group, "value", figure_value(figure));
        mg_json_put(group, "percent", percent_value(figure));
        mg_json_put(group, "masked", json_boolean(figure->masked));
        mg_json_append(array, group);
    }
    return array;
}

static json_t *indicator_json(const struct mg_report *report, int i, bool grouped)
{
    const struct mg_indicator *one = &report->pack->indicators[i];
    const struct mg_figure *figure = &report->total.figures[i];
    struct mg_target target = mg_report_target(report, i);
    json_t *out = mg_need(json_object());
    mg_json_put(out, "id", mg_json_text(one->id));
    mg_json_put(out, "label", mg_json_text(mg_speaks_french() ? one->text.fr : one->text.en));
    mg_json_put(out, "value", figure_value(figure));
    mg_json_put(out, "target", target.has ? mg_json_int(target.wanted) : json_null());
    mg_json_put(out, "percent", percent_value(figure));
    mg_json_put(out, "over", mg_json_text(one->over >= 0 ? report->pack->indicators[one->over].id : NULL));
    mg_json_put(out, "target_is", target.has ? mg_json_text(target.percent ? "percent" : target.at_most ? "at most" : "at least") : json_null());
    mg_json_put(out, "met", target.has && figure->told ? json_boolean(target.met) : json_null());
    mg_json_put(out, "fr", mg_json_text(one->text.fr));
    mg_json_put(out, "en", mg_json_text(one->text.en));
    if (grouped) mg_json_put(out, "by", groups_json(report, i));
    return out;
}

static json_t *period_json(const struct mg_report_request *request)
{
    char text[MG_DATE_LEN + 1];
    json_t *period = mg_need(json_object());
    mg_date_write(request->from, text);
    mg_json_put(period, "from", mg_json_text(text));
    mg_date_write(request->to, text);
    mg_json_put(period, "to", mg_json_text(text));
    return period;
}

static json_t *report_json(const struct report_job *job, int i)
{
    const struct mg_report *report = job->reports[i];
    char day[MG_DATE_LEN + 1];
    json_t *out = mg_need(json_object()), *indicators = mg_need(json_array());
    mg_date_write(job->as_of, day);
    mg_json_put(out, "pack", mg_json_text(report->pack->id));
    mg_json_put(out, "scope", mg_json_text(job->requests[i].scope));
    mg_json_put(out, "period", period_json(&job->requests[i]));
    mg_json_put(out, "as_of", mg_json_text(day));
    for (int k = 0; k < report->pack->indicator_count; k++) mg_json_append(indicators, indicator_json(report, k, job->by != MG_BY_nothing));
    mg_json_put(out, "indicators", indicators);
    return out;
}

static int find_indicator(const struct mg_pack_info *pack, const char *id)
{
    for (int i = 0; i < pack->indicator_count; i++)
        if (strcmp(pack->indicators[i].id, id) == 0) return i;
    return -1;
}

/* What all packs count under one id, summed; a share of the sums. */
static json_t *sums_json(const struct report_job *job)
{
    const struct mg_pack_info *first = job->reports[0]->pack;
    json_t *array = mg_need(json_array());
    for (int i = 0; i < first->indicator_count; i++) {
        const struct mg_indicator *one = &first->indicators[i];
        int64_t value = 0, base = 0;
        bool all = true;
        for (int r = 0; r < job->count && all; r++) {
            const struct mg_report *report = job->reports[r];
            int at = find_indicator(report->pack, one->id);
            all = at >= 0 && report->total.figures[at].told;
            if (!all) break;
            value += report->total.figures[at].value;
            int over = report->pack->indicators[at].over;
            if (over >= 0) base += report->total.figures[over].value;
        }
        if (!all) continue;
        json_t *out = mg_need(json_object());
        mg_json_put(out, "id", mg_json_text(one->id));
        mg_json_put(out, "label", mg_json_text(mg_speaks_french() ? one->text.fr : one->text.en));
        mg_json_put(out, "value", mg_json_int(value));
        mg_json_put(out, "target", json_null());
        mg_json_put(out, "percent", base > 0 ? mg_json_int((200 * value + base) / (2 * base)) : json_null());
        mg_json_append(array, out);
    }
    return array;
}

static void print_json(const struct report_job *job)
{
    char ids[MG_PACKS_MAX * (MG_PACK_ID_MAX + 4)] = "";
    if (job->count == 1) {
        mg_print_json(report_json(job, 0));
        return;
    }
    struct mg_report_request widest = job->requests[0];
    json_t *out = mg_need(json_object()), *reports = mg_need(json_array());
    for (int i = 0; i < job->count; i++) {
        const struct mg_report_request *one = &job->requests[i];
        (void)snprintf(ids + strlen(ids), sizeof ids - strlen(ids), i > 0 ? " + %s" : "%s", job->reports[i]->pack->id);
        if (mg_date_order(one->from, widest.from) < 0) widest.from = one->from;
        if (mg_date_order(one->to, widest.to) > 0) widest.to = one->to;
        mg_json_append(reports, report_json(job, i));
    }
    mg_json_put(out, "pack", mg_json_text(ids));
    mg_json_put(out, "scope", mg_json_text("/"));
    mg_json_put(out, "period", period_json(&widest));
    mg_json_put(out, "indicators", sums_json(job));
    mg_json_put(out, "reports", reports);
    mg_print_json(out);
}

/* --- CSV (RFC 4180) --- */

static void csv_text(const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        printf("%s", text);
        return;
    }
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"') (void)putchar('"');
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static void csv_line(const struct report_job *job, int r, int i, const struct mg_report_group *group, const char *name)
{
    const struct mg_report *report = job->reports[r];
    const struct mg_indicator *one = &report->pack->indicators[i];
    const struct mg_figure *figure = &group->figures[i];
    struct mg_target target = mg_report_target(report, i);
    char from[MG_DATE_LEN + 1], to[MG_DATE_LEN + 1];
    mg_date_write(job->requests[r].from, from);
    mg_date_write(job->requests[r].to, to);
    printf("%s,", report->pack->id);
    csv_text(job->requests[r].scope);
    printf(",%s,%s,%s,", from, to, one->id);
    csv_text(mg_speaks_french() ? one->text.fr : one->text.en);
    (void)putchar(',');
    csv_text(name);
    (void)putchar(',');
    if (figure->told) printf("%lld", (long long)figure->value);
    else if (figure->masked) printf("*");
    (void)putchar(',');
    if (figure->told && figure->percent >= 0) printf("%d", figure->percent);
    bool total = group == &report->total;
    (void)putchar(',');
    if (total && target.has) printf("%lld%s", (long long)target.wanted, target.percent ? "%" : "");
    (void)putchar(',');
    if (total && target.has && figure->told) printf("%s", target.met ? "yes" : "no");
    printf("\r\n");
}

static void print_csv(const struct report_job *job)
{
    printf("pack,scope,from,to,indicator,label,%s,value,percent,target,met\r\n", job->by != MG_BY_nothing ? mg_dimension_names[job->by] : "group");
    for (int r = 0; r < job->count; r++)
        for (int i = 0; i < job->reports[r]->pack->indicator_count; i++) {
            const struct mg_report *report = job->reports[r];
            csv_line(job, r, i, &report->total, "");
            for (int g = 0; g < report->group_count; g++)
                csv_line(job, r, i, &report->groups[g], report->groups[g].name[0] != '\0' ? report->groups[g].name : "?");
        }
}

/* --- for people --- */

static void figure_text(const struct mg_figure *figure, char text[64])
{
    text[0] = '\0';
    if (figure->masked) (void)snprintf(text, 64, "*");
    if (!figure->told) return;
    if (figure->percent >= 0) (void)snprintf(text, 64, "%lld (%d %%)", (long long)figure->value, figure->percent);
    else (void)snprintf(text, 64, "%lld", (long long)figure->value);
}

static void target_text(const struct mg_report *report, int i, char text[64])
{
    struct mg_target target = mg_report_target(report, i);
    bool french = mg_speaks_french();
    text[0] = '\0';
    if (!target.has || !report->total.figures[i].told) return;
    (void)snprintf(text, 64, "%s %lld%s  %s", target.at_most ? "<=" : ">=", (long long)target.wanted, target.percent ? " %" : "",
                   target.met ? (french ? "atteint" : "met") : french ? "non atteint" : "not met");
}

static void add_text(json_t **values, int *count, const char *text)
{
    values[(*count)++] = mg_json_text(text);
}

static void print_table(const struct report_job *job, const struct mg_report *report)
{
    const char *names[4 + COLUMNS_FOR_PEOPLE];
    bool french = mg_speaks_french(), wide = report->group_count <= COLUMNS_FOR_PEOPLE;
    int columns = 0;
    names[columns++] = french ? "indicateur" : "indicator";
    if (!wide) names[columns++] = mg_dimension_names[job->by];
    names[columns++] = french ? "valeur" : "value";
    names[columns++] = french ? "objectif" : "target";
    for (int g = 0; wide && g < report->group_count; g++) names[columns++] = report->groups[g].name[0] != '\0' ? report->groups[g].name : "?";
    struct mg_rows rows;
    mg_rows_open(&rows, false, names, columns);
    for (int i = 0; i < report->pack->indicator_count; i++) {
        json_t *values[4 + COLUMNS_FOR_PEOPLE];
        char text[64];
        int count = 0;
        const char *label = french ? report->pack->indicators[i].text.fr : report->pack->indicators[i].text.en;
        add_text(values, &count, label);
        if (!wide) add_text(values, &count, "");
        figure_text(&report->total.figures[i], text);
        add_text(values, &count, text);
        target_text(report, i, text);
        add_text(values, &count, text);
        for (int g = 0; wide && g < report->group_count; g++) {
            figure_text(&report->groups[g].figures[i], text);
            add_text(values, &count, text);
        }
        mg_rows_add(&rows, values);
        for (int g = 0; !wide && g < report->group_count; g++) {
            const struct mg_figure *figure = &report->groups[g].figures[i];
            if (!figure->masked && (!figure->told || figure->value == 0)) continue;
            figure_text(figure, text);
            json_t *const below[] = {mg_json_text(""), mg_json_text(report->groups[g].name[0] != '\0' ? report->groups[g].name : "?"),
                                     mg_json_text(text), mg_json_text("")};
            mg_rows_add(&rows, below);
        }
    }
    mg_rows_print(&rows);
}

static void print_for_people(const struct report_job *job)
{
    bool french = mg_speaks_french(), masked = false;
    mg_progress_erase();
    for (int r = 0; r < job->count; r++) {
        const struct mg_report *report = job->reports[r];
        char from[MG_DATE_LEN + 1], to[MG_DATE_LEN + 1];
        mg_date_write(job->requests[r].from, from);
        mg_date_write(job->requests[r].to, to);
        printf("%s%s\n%s, %s %s %s %s\n", r > 0 ? "\n" : "", french ? report->pack->title.fr : report->pack->title.en, job->requests[r].scope,
               french ? "du" : "from", from, french ? "au" : "to", to);
        print_table(job, report);
        for (int g = 0; g < report->group_count; g++)
            for (int i = 0; i < report->pack->indicator_count; i++) masked |= report->groups[g].figures[i].masked;
    }
    if (masked) printf("%s\n", french ? "*: masqué, secret statistique" : "*: masked, statistical confidentiality");
}

mg_status mg_verb_report(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    struct report_job job = {.cli = cli, .as_of = today(), .scope = mg_args_option(args, "--scope")};
    bool csv = mg_args_option(args, "--csv") != NULL;
    if (csv && cli->json) return mg_fail(err, MG_USAGE, "either --csv or --json");
    mg_status status = read_day(args, "--as-of", &job.as_of, err);
    if (status == MG_OK) status = read_dimension(mg_args_option(args, "--by"), &job.by, err);
    if (status == MG_OK) status = mg_cli_open(cli, err);
    if (status == MG_OK) status = check_scope(&job, err);
    if (status == MG_OK) status = choose_packs(&job, args->count > 0 ? args->words[0] : NULL, err);
    for (int i = 0; i < job.count && status == MG_OK; i++) {
        status = fill_request(&job, i, args, err);
        if (status == MG_OK) status = mg_report_make(cli->store, job.packs[i], &job.requests[i], &job.reports[i], err);
    }
    if (status == MG_OK) {
        if (cli->json) print_json(&job);
        else if (csv) print_csv(&job);
        else print_for_people(&job);
    }
    for (int i = 0; i < job.count; i++) mg_report_free(job.reports[i]);
    return status;
}
