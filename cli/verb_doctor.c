/*
 * verb_doctor.c - `maillage doctor`: every check of doctor.h, and what to do.
 *
 * The store's status decides where it cannot be opened, a problem is a failure, a warning is not.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"

struct check {
    const char *name;
    void (*look)(struct mg_patient *patient, struct mg_finding *finding);
    bool needs_store;
};

static const struct check checks[] = {
#define MG_X(name, function) {name, function, false},
    MG_CHECKS_OF_MACHINE(MG_X)
#undef MG_X
#define MG_X(name, function) {name, function, true},
    MG_CHECKS_OF_STORE(MG_X)
#undef MG_X
};
enum { CHECKS = sizeof checks / sizeof *checks };

static const char *const health_names[] = {
    [MG_HEALTH_NOTHING] = "", [MG_HEALTH_OK] = "ok", [MG_HEALTH_WARNING] = "warning", [MG_HEALTH_PROBLEM] = "problem"};

void mg_find(struct mg_finding *finding, enum mg_health health, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    finding->health = health;
    (void)vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

void mg_advise(struct mg_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->advice, sizeof finding->advice, format, args);
    va_end(args);
}

static void print_json(const struct mg_finding *findings)
{
    struct mg_array array;
    mg_array_open(&array);
    for (int i = 0; i < CHECKS; i++) {
        const struct mg_finding *finding = &findings[i];
        if (finding->health == MG_HEALTH_NOTHING) continue;
        json_t *out = mg_need(json_object());
        mg_json_put(out, "check", mg_json_text(checks[i].name));
        mg_json_put(out, "state", mg_json_text(health_names[finding->health]));
        mg_json_put(out, "text", mg_json_text(finding->text));
        mg_json_put(out, "advice", mg_json_text(finding->advice[0] != '\0' ? finding->advice : NULL));
        mg_array_add(&array, out);
    }
    mg_array_print(&array);
}

static void print_people(const struct mg_finding *findings)
{
    mg_progress_erase();
    for (int i = 0; i < CHECKS; i++) {
        const struct mg_finding *finding = &findings[i];
        if (finding->health == MG_HEALTH_NOTHING) continue;
        printf("%-12s  %-7s  ", checks[i].name, health_names[finding->health]);
        mg_print_text(stdout, finding->text);
        (void)putchar('\n');
        if (finding->advice[0] == '\0') continue;
        printf("%-12s  %-7s  -> ", "", "");
        mg_print_text(stdout, finding->advice);
        (void)putchar('\n');
    }
}

static int count(const struct mg_finding *findings, enum mg_health health)
{
    int found = 0;
    for (int i = 0; i < CHECKS; i++) found += findings[i].health == health;
    return found;
}

static mg_status judge(const struct mg_patient *patient, const struct mg_finding *findings, struct mg_error *err)
{
    int problems = count(findings, MG_HEALTH_PROBLEM), warnings = count(findings, MG_HEALTH_WARNING);
    if (patient->opened != MG_OK) return mg_fail(err, patient->opened, "%s", patient->why_not.text);
    if (problems > 0)
        return mg_fail(err, MG_FAILED, "%d %s; what to do stands behind the arrows", problems, problems == 1 ? "problem" : "problems");
    if (warnings == 0) mg_note(patient->cli, "all is well");
    return MG_OK;
}

static mg_status examine(struct mg_patient *patient, struct mg_finding *findings, struct mg_error *err)
{
    struct mg_cli *cli = patient->cli;
    patient->now = cli->env->now_ms(cli->env->context);
    patient->opened = mg_cli_open(cli, &patient->why_not);
    if (patient->opened == MG_OK) patient->opened = mg_stand(cli->store, &patient->standing, &patient->why_not);
    for (int i = 0; i < CHECKS; i++) {
        if (checks[i].needs_store && patient->opened != MG_OK) continue;
        checks[i].look(patient, &findings[i]);
        if (patient->stopped) return mg_fail(err, MG_STOPPED, "stopped: nothing was changed");
    }
    return MG_OK;
}

mg_status mg_verb_doctor(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    mg_status status = mg_cli_need_dir(cli, err);
    if (status == MG_OK && !mg_store_exists(cli->dir)) return mg_cli_open(cli, err); /* it says how to make one */
    if (status != MG_OK) return status;
    struct mg_patient *patient = mg_need(calloc(1, sizeof *patient));
    struct mg_finding *findings = mg_need(calloc(CHECKS, sizeof *findings));
    patient->cli = cli;
    status = examine(patient, findings, err);
    if (status == MG_OK) (cli->json ? print_json : print_people)(findings);
    if (status == MG_OK) status = judge(patient, findings, err);
    free(findings);
    free(patient);
    return status;
}
