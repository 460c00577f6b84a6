/*
 * doctor_hub.c - the way to the hub: does it answer, do the clocks agree, when was the last session, what waits.
 *
 * That a hub does not answer is no problem by itself: the work goes on without it. It becomes one for
 * the person when nothing has been exchanged for days.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor.h"
#include "cli/out.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* No node was made before 2020, and nobody should trust this build in 2100: the clock is wrong. */
#define CLOCK_FIRST_MS INT64_C(1577836800000)
#define CLOCK_LAST_MS  INT64_C(4102444800000)

enum { SESSION_OLD_DAYS = 7, WAITING_OLD_DAYS = 3 };

static bool is_hub(const struct mg_patient *patient)
{
    return mg_store_identity(patient->cli->store)->hub;
}

/* --- does it answer? --- */

static void find_unanswered(struct mg_finding *finding, const struct mg_identity *self, mg_status status, const struct mg_error *err)
{
    if (status == MG_STORAGE) {
        mg_find(finding, MG_HEALTH_OK, "not asked, a session is running: %s", err->text);
        return;
    }
    mg_find(finding, status == MG_UNREACHABLE ? MG_HEALTH_WARNING : MG_HEALTH_PROBLEM, "%s", err->text);
    if (status == MG_UNREACHABLE)
        mg_advise(finding, "work goes on without it; when there is a network here, see whether maillaged runs at %s", self->hub_address);
    else
        mg_advise(finding, "ask whoever keeps the hub %s: `maillage hub nodes` there says what it knows of this node", self->hub_name);
}

void mg_check_hub(struct mg_patient *patient, struct mg_finding *finding)
{
    const struct mg_identity *self = mg_store_identity(patient->cli->store);
    struct mg_probe probe;
    struct mg_error err = {""};
    if (self->hub) return;
    mg_status status = mg_dial_probe(patient->cli->store, &probe, &err);
    if (status != MG_OK) {
        find_unanswered(finding, self, status, &err);
    } else if (probe.forgetful) {
        mg_find(finding, MG_HEALTH_WARNING, "%s at %s answers, but was restored and asks what it has lost", self->hub_name,
                self->hub_address);
        mg_advise(finding, "run `maillage sync`: this node gives it back");
    } else {
        patient->hub_told_time = true;
        patient->hub_time_off = patient->cli->env->now_ms(patient->cli->env->context) - probe.hub_time;
        mg_find(finding, MG_HEALTH_OK, "%s at %s answers in %.0f ms, with its key, and admits this node", self->hub_name,
                self->hub_address, probe.seconds * 1000.0);
    }
}

/* --- the clock --- */

void mg_check_clock(struct mg_patient *patient, struct mg_finding *finding)
{
    char now[MG_TIME_TEXT_MAX];
    int64_t off = patient->hub_told_time ? patient->hub_time_off : patient->standing.skew_ms;
    mg_time_text(patient->now, now);
    if (patient->now < CLOCK_FIRST_MS || patient->now > CLOCK_LAST_MS)
        mg_find(finding, MG_HEALTH_PROBLEM, "it says %s", now);
    else if (is_hub(patient))
        mg_find(finding, MG_HEALTH_OK, "it says %s", now);
    else if (llabs(off) < 5 * MINUTE_MS)
        mg_find(finding, MG_HEALTH_OK, "%.1f seconds from the hub's%s", (double)llabs(off) / 1000.0,
                patient->hub_told_time ? "" : " at the last session");
    else
        mg_find(finding, llabs(off) < DAY_MS ? MG_HEALTH_WARNING : MG_HEALTH_PROBLEM, "it says %s, %" PRId64 " minutes %s the hub's%s",
                now, (int64_t)llabs(off) / MINUTE_MS, off > 0 ? "ahead of" : "behind", patient->hub_told_time ? "" : " at the last session");
    if (finding->health != MG_HEALTH_OK)
        mg_advise(finding, "set it, best by `timedatectl set-ntp true`: nothing is lost meanwhile, but people read these times");
}

/* --- sessions --- */

void mg_check_sessions(struct mg_patient *patient, struct mg_finding *finding)
{
    const struct mg_standing *standing = &patient->standing;
    char at[MG_TIME_TEXT_MAX];
    if (is_hub(patient)) return;
    mg_time_text(standing->last_sync, at);
    if (standing->last_sync == 0) {
        mg_find(finding, MG_HEALTH_WARNING, "none was ever complete");
        mg_advise(finding, "run `maillage sync` where there is a network");
    } else if (!standing->digests_agree) {
        mg_find(finding, MG_HEALTH_PROBLEM, "at %s this node and the hub did not hold the same data", at);
        mg_advise(finding, "compare `maillage digest` here and on the hub, and tell whoever keeps the hub");
    } else if (!standing->verdicts_agree) {
        mg_find(finding, MG_HEALTH_PROBLEM, "at %s the rules did not give the same verdicts here and at the hub", at);
        mg_advise(finding, "compare `maillage rules list` here and there");
    } else if (standing->last_failure[0] != '\0') {
        mg_find(finding, MG_HEALTH_WARNING, "the last complete one was at %s; the newest failed: %s", at, standing->last_failure);
        mg_advise(finding, "run `maillage sync`: what was acknowledged stays");
    } else if (patient->now - standing->last_sync > SESSION_OLD_DAYS * DAY_MS) {
        mg_find(finding, MG_HEALTH_WARNING, "the last complete one was at %s", at);
        mg_advise(finding, "run `maillage sync` where there is a network");
    } else {
        mg_find(finding, MG_HEALTH_OK, "the last was complete at %s, and both sides held the same", at);
    }
}

void mg_check_waiting(struct mg_patient *patient, struct mg_finding *finding)
{
    const struct mg_standing *standing = &patient->standing;
    char since[MG_TIME_TEXT_MAX];
    if (standing->waiting == 0) {
        mg_find(finding, MG_HEALTH_OK, is_hub(patient) ? "every commit has its number" : "the hub has signed for every commit of this node");
        return;
    }
    mg_time_text(standing->waiting_since, since);
    bool old = patient->now - standing->waiting_since > WAITING_OLD_DAYS * DAY_MS;
    mg_find(finding, old ? MG_HEALTH_WARNING : MG_HEALTH_OK, "%" PRId64 " %s since %s", standing->waiting,
            standing->waiting == 1 ? "commit waits" : "commits wait", since);
    if (old) mg_advise(finding, is_hub(patient) ? "start maillaged: it numbers them" : "run `maillage sync`: until then they are on this disk alone");
}
