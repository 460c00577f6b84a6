/*
 * verb_status.c - `maillage status`: where this node stands, and what is still owed.
 *
 * "Synchronised" is a promise: nothing of ours is without the hub's signed receipt,
 * and at the last complete session the digests agreed. Anything less is said as how
 * many commits wait, since when, and why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/out.h"
#include "cli/runs.h"
#include "cli/verbs.h"
#include "daemon/daemon.h"

static bool is_synchronised(const struct mg_identity *self, const struct mg_standing *standing)
{
    if (standing->waiting > 0 || standing->held_back > 0) return false;
    return self->hub || (standing->last_sync != 0 && standing->digests_agree && standing->verdicts_agree);
}

/* What maillaged has done and will do by itself. */
struct nights {
    bool off, has_last;
    struct mg_run_report last;
    int64_t next_s; /* 0: none */
    bool running;
};

static void take_last(void *context, const struct mg_run_report *run)
{
    struct nights *nights = context;
    nights->has_last = true;
    nights->last = *run;
}

static mg_status look_at_nights(struct mg_cli *cli, struct nights *nights, struct mg_error *err)
{
    const struct mg_identity *self = mg_store_identity(cli->store);
    struct mg_night_settings settings;
    struct mg_night_clock clock;
    int64_t last_good_s = 0;
    if (self->hub) return MG_OK;
    mg_status status = mg_night_get(cli->store, &settings, err);
    if (status == MG_OK) status = mg_runs_last_good(cli->store, &last_good_s, err);
    if (status == MG_OK) status = mg_runs_list(cli->store, NULL, 1, take_last, nights, err);
    if (status != MG_OK) return status;
    mg_local_clock(cli->env, &clock);
    nights->off = settings.off;
    nights->next_s = settings.off ? 0 : mg_night_due(&settings, self->node, last_good_s, &clock);
    nights->running = mg_control_is_running(cli->dir);
    return MG_OK;
}

static json_t *last_run_json(const struct nights *nights)
{
    if (!nights->has_last) return json_null();
    json_t *run = mg_need(json_object());
    mg_json_put_run(run, &nights->last);
    return run;
}

static void print_nights(const struct nights *nights)
{
    char at[MG_TIME_TEXT_MAX], how[MG_OUTCOME_TEXT_MAX];
    if (nights->has_last) {
        mg_time_text(nights->last.started_s * 1000, at);
        mg_run_outcome(&nights->last, how);
        printf("last run (%s) at %s: ", mg_trigger_word(nights->last.trigger), at);
        mg_print_text(stdout, how);
        (void)putchar('\n');
    }
    mg_time_text(nights->next_s * 1000, at);
    if (nights->off) printf("no run by itself: `maillage night --on` changes that\n");
    else printf("next run: %s%s\n", at, nights->running ? "" : ", once maillaged runs: it does not now");
}

static void print_json(const struct mg_identity *self, const struct mg_standing *standing, const struct nights *nights)
{
    char hex[17];
    json_t *out = mg_need(json_object());
    mg_json_put(out, "role", mg_json_text(self->hub ? "hub" : "node"));
    mg_json_put(out, "node", mg_json_id(self->node));
    mg_json_put(out, "name", mg_json_text(self->name));
    (void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)self->incarnation);
    mg_json_put(out, "incarnation", mg_json_text(hex));
    mg_json_put(out, "scopes", mg_json_scopes(self));
    mg_json_put(out, "cursor", mg_json_int((int64_t)standing->cursor.n));
    (void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)standing->cursor.history);
    mg_json_put(out, "history", mg_json_text(hex));
    mg_json_put(out, "waiting", mg_json_int(standing->waiting));
    mg_json_put(out, "waiting_since", mg_json_time(standing->waiting_since));
    mg_json_put(out, "last_sync", mg_json_time(standing->last_sync));
    mg_json_put(out, "conflicts", mg_json_int(standing->conflicts));
    mg_json_put(out, "quarantined", mg_json_int(standing->quarantined));
    mg_json_put(out, "held_back", mg_json_int(standing->held_back));
    mg_json_put(out, "held_back_why", mg_json_text(standing->held_back > 0 ? standing->held_back_why : NULL));
    mg_json_put(out, "digests", mg_json_digests(standing));
    mg_json_put(out, "verdicts_agree", json_boolean(standing->verdicts_agree));
    mg_json_put(out, "review", mg_json_int(standing->review));
    mg_json_put(out, "synchronised", json_boolean(is_synchronised(self, standing)));
    mg_json_put(out, "last_failure",
                mg_json_text(standing->last_failure[0] == '\0' ? NULL : standing->last_failure));
    mg_json_put(out, "schema", mg_json_int(standing->schema));
    mg_json_put(out, "migration_waits", mg_json_text(standing->migration_waits[0] == '\0' ? NULL : standing->migration_waits));
    mg_json_put(out, "clock_skew_ms", mg_json_int(standing->skew_ms));
    mg_json_put(out, "last_run", last_run_json(nights));
    mg_json_put(out, "next_run", mg_json_time(nights->next_s * 1000));
    mg_print_json(out);
}

static void print_who(const struct mg_identity *self)
{
    char id[MG_ID_TEXT_LEN + 1];
    mg_id_format(self->node, id);
    printf("%s %s (%s)\n", self->hub ? "hub" : "node", self->name, id);
    if (self->hub) return;
    printf("hub  %s at %s\n", self->hub_name, self->hub_address);
    for (int i = 0; i < self->scope_count; i++)
        printf("%s%s", i == 0 ? "for  " : ", ", self->scopes[i]);
    (void)putchar('\n');
}

static void print_waiting(const struct mg_identity *self, const struct mg_standing *standing)
{
    char since[MG_TIME_TEXT_MAX];
    if (standing->waiting == 0) return;
    mg_time_text(standing->waiting_since, since);
    printf("%lld %s for %s, the oldest since %s", (long long)standing->waiting,
           standing->waiting == 1 ? "commit waits" : "commits wait",
           self->hub ? "a number of the sequence" : "the hub's receipt", since);
    if (standing->last_failure[0] == '\0') {
        printf("; %s\n", self->hub ? "maillaged gives it" : "run `maillage sync`");
        return;
    }
    printf(": ");
    mg_print_text(stdout, standing->last_failure);
    (void)putchar('\n');
}

static void print_sessions(const struct mg_identity *self, const struct mg_standing *standing)
{
    char at[MG_TIME_TEXT_MAX];
    mg_time_text(standing->last_sync, at);
    if (self->hub) {
        printf("sequenced up to %llu\n", (unsigned long long)standing->cursor.n);
    } else if (is_synchronised(self, standing)) {
        printf("synchronised with %s at %s\n", self->hub_name, at);
    } else if (standing->last_sync == 0) {
        printf("no session with the hub was complete yet\n");
    } else {
        printf("last complete session at %s%s\n", at,
               !standing->digests_agree ? "; the digests differed" : !standing->verdicts_agree ? "; the verdicts differed" : "");
    }
    print_waiting(self, standing);
    if (standing->waiting == 0 && standing->last_failure[0] != '\0') {
        printf("the newest session failed: ");
        mg_print_text(stdout, standing->last_failure);
        (void)putchar('\n');
    }
}

static void print_count(int64_t count, const char *one, const char *many)
{
    if (count > 0) printf("%lld %s\n", (long long)count, count == 1 ? one : many);
}

static void print_people(const struct mg_identity *self, const struct mg_standing *standing, const struct nights *nights)
{
    print_who(self);
    print_sessions(self, standing);
    if (!self->hub) print_nights(nights);
    print_count(standing->conflicts, "conflict to settle: see `maillage conflicts`",
                "conflicts to settle: see `maillage conflicts`");
    print_count(standing->review, "invariant that a dossier breaks: see `maillage rules review`",
                "invariants that dossiers break: see `maillage rules review`");
    print_count(standing->quarantined, "commit in quarantine: it could not be applied here",
                "commits in quarantine: they could not be applied here");
    print_count(standing->held_back, "row written by another program cannot be sent as it is",
                "rows written by another program cannot be sent as they are");
    if (standing->held_back > 0) printf("  %s\n", standing->held_back_why);
    if (standing->migration_waits[0] != '\0') {
        printf("a change of the tables waits: ");
        mg_print_text(stdout, standing->migration_waits);
        (void)putchar('\n');
    }
    int64_t skew_s = standing->skew_ms / 1000;
    if (skew_s > 60 || skew_s < -60)
        printf("this machine's clock is %lld seconds %s the hub's\n",
               (long long)llabs(skew_s), skew_s > 0 ? "ahead of" : "behind");
}

mg_status mg_verb_status(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err)
{
    (void)args;
    struct mg_standing *standing = mg_need(calloc(1, sizeof *standing));
    struct nights nights = {.off = false};
    mg_status status = mg_cli_open(cli, err);
    if (status == MG_OK) status = mg_stand(cli->store, standing, err);
    if (status == MG_OK) status = look_at_nights(cli, &nights, err);
    if (status == MG_OK)
        (cli->json ? print_json : print_people)(mg_store_identity(cli->store), standing, &nights);
    free(standing);
    return status;
}
