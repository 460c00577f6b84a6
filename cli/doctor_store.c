/*
 * doctor_store.c - what is in the store: its pages, its log, what could not be taken, its rules, its backups.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/out.h"

enum { BACKUP_OLD_HOURS = 48 };

/* --- is it what was written? --- */

static void find_verified(struct mg_patient *patient, struct mg_finding *finding, mg_status status, const struct mg_error *err)
{
    patient->stopped = status == MG_STOPPED;
    mg_find(finding, MG_HEALTH_PROBLEM, "%s", err->text);
    mg_advise(finding, "keep a copy of the directory, then bring a backup back with `maillage restore FILE --force`");
}

void mg_check_pages(struct mg_patient *patient, struct mg_finding *finding)
{
    struct mg_error err = {""};
    mg_status status = mg_verify_pages(patient->cli->store, true, &err);
    if (status == MG_OK)
        mg_find(finding, MG_HEALTH_OK, "every page is as it was written");
    else
        find_verified(patient, finding, status, &err);
}

void mg_check_log(struct mg_patient *patient, struct mg_finding *finding)
{
    struct mg_error err = {""};
    struct mg_verify_report report = {0};
    mg_status status = mg_log_verify(patient->cli->store, &report, &err);
    if (status == MG_OK)
        mg_find(finding, MG_HEALTH_OK, "%" PRId64 " commits, %" PRId64 " signatures and every row hold", report.commits,
                report.signatures);
    else
        find_verified(patient, finding, status, &err);
}

/* --- what could not be taken --- */

void mg_check_foreign(struct mg_patient *patient, struct mg_finding *finding)
{
    const struct mg_standing *standing = &patient->standing;
    if (standing->held_back == 0) {
        mg_find(finding, MG_HEALTH_OK, "nothing that another program wrote is held back");
        return;
    }
    mg_find(finding, MG_HEALTH_PROBLEM, "%" PRId64 " %s another program wrote cannot be sent: %s", standing->held_back,
            standing->held_back == 1 ? "row that" : "rows that", standing->held_back_why);
    mg_advise(finding, "correct them in that program, or with `maillage set`; they stay here meanwhile");
}

void mg_check_quarantine(struct mg_patient *patient, struct mg_finding *finding)
{
    int64_t count = patient->standing.quarantined;
    if (count == 0) {
        mg_find(finding, MG_HEALTH_OK, "every commit that came could be applied");
        return;
    }
    sqlite3_stmt *stmt = NULL;
    const char *why = NULL;
    if (sqlite3_prepare_v2(mg_store_db(patient->cli->store), "SELECT reason FROM mg_quarantine ORDER BY q DESC LIMIT 1", -1, &stmt,
                           NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        why = (const char *)sqlite3_column_text(stmt, 0);
    mg_find(finding, MG_HEALTH_PROBLEM, "%" PRId64 " %s could not be applied; the last: %s", count,
            count == 1 ? "commit that came" : "commits that came", why != NULL ? why : "for a reason that cannot be read");
    sqlite3_finalize(stmt);
    mg_advise(finding, "see whether this maillage is older than the hub's, and tell whoever keeps the hub; all else goes on");
}

/* --- the rules --- */

struct packs {
    int in_force, refused;
    struct mg_finding *finding;
};

static void see_pack(void *context, const struct mg_published *pack)
{
    struct packs *packs = context;
    if (pack->in_force)
        packs->in_force++;
    else if (packs->refused++ == 0)
        mg_find(packs->finding, MG_HEALTH_PROBLEM, "the pack %s is not in force here: %s", pack->code,
                pack->reason != NULL ? pack->reason : "for no reason that is known");
}

void mg_check_packs(struct mg_patient *patient, struct mg_finding *finding)
{
    struct mg_error err = {""};
    struct packs packs = {.finding = finding};
    if (mg_rules_published(patient->cli->store, see_pack, &packs, &err) != MG_OK) {
        mg_find(finding, MG_HEALTH_PROBLEM, "%s", err.text);
        mg_advise(finding, "publish the packs again on the hub");
    } else if (packs.refused > 0) {
        mg_advise(finding, "bring this maillage up to date, or publish a corrected pack on the hub: see `maillage rules list`");
    } else if (packs.in_force == 0) {
        mg_find(finding, MG_HEALTH_WARNING, "no rule pack is in force: nobody is judged");
        mg_advise(finding, "on the hub: `maillage rules publish PACK.yaml`; here it comes with the next session");
    } else {
        mg_find(finding, MG_HEALTH_OK, "%d in force", packs.in_force);
    }
}

/* --- its backups: the hub holds what its nodes may forget --- */

void mg_check_backup(struct mg_patient *patient, struct mg_finding *finding)
{
    struct mg_backup_mark last, before;
    struct mg_error err = {""};
    char at[MG_TIME_TEXT_MAX];
    if (!mg_store_identity(patient->cli->store)->hub) return;
    if (mg_backup_marks(patient->cli->store, &last, &before, &err) != MG_OK) {
        mg_find(finding, MG_HEALTH_PROBLEM, "%s", err.text);
        mg_advise(finding, "make a backup now: `maillage backup FILE`");
        return;
    }
    mg_time_text(last.at, at);
    int64_t age_hours = (patient->now - last.at) / (3600 * 1000);
    if (last.at == 0)
        mg_find(finding, MG_HEALTH_WARNING, "there was never a backup of this hub");
    else
        mg_find(finding, age_hours > BACKUP_OLD_HOURS ? MG_HEALTH_WARNING : MG_HEALTH_OK,
                "the last was made at %s, up to number %" PRIu64 " of %" PRIu64, at, last.n, patient->standing.cursor.n);
    if (finding->health != MG_HEALTH_OK)
        mg_advise(finding, "systemctl enable --now maillage-backup.timer, or `maillage backup --into DIR` each night, on another disk");
}
