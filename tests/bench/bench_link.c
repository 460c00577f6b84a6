/*
 * bench_link.c - the slow link: a night of 500 edits through the fault relay, and the same night cut off somewhere.
 *
 *   bench_link [DELAY_MS [RATE_KBIT]]      600 ms each way, 30 kbit/s
 *
 * 250 dossiers; 500 transactions of one person's work: a changed cell each (the hours of a step), or by turns a telephone number, a
 * new interview with its note, and a new step, each new row with an id of 74 random bits. The cuts are on a quick line, a night
 * for each, spread over all that goes up and all that comes down: the session after the cut has to bring everything, and to end with
 * digests that agree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"
#include "tests/support/served.h"

enum { DOSSIERS = 250, EDITS = 500, ROUNDS = 3, CUTS = 12 };

static struct served hub;
static struct workload work;
static uint64_t state = 20260907;

static unsigned chance(unsigned below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((state >> 33) % below);
}

/* In one of the dossiers, each as often as any other. */
static void edit(struct mg_store *node, int number)
{
    static const char *const notes[] = {"a confirmé son inscription", "attend une réponse", "reprend la formation en mars", "absent, à rappeler"};
    struct edits edits = {.store = node, .captures = true};
    int dossier = (number * 7) % DOSSIERS;
    char sql[500];
    if (number % 3 == 0)
        (void)snprintf(sql, sizeof sql, "UPDATE participant SET phone = '06%08u' WHERE id = (SELECT id FROM participant ORDER BY id LIMIT 1 OFFSET %d)",
                       chance(100000000), dossier);
    else if (number % 3 == 1)
        (void)snprintf(sql, sizeof sql, "INSERT INTO interview(participant, held_on, note) SELECT id, '2026-%02u-%02u', '%s' FROM participant ORDER BY id LIMIT 1 OFFSET %d",
                       1 + chance(12), 1 + chance(28), notes[chance(4)], dossier);
    else
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO step(participant, kind, label, provider, starts_on, hours) SELECT id, 'training', 'Remise à niveau', 'GRETA', '2026-%02u-%02u', %u "
                       "FROM participant ORDER BY id LIMIT 1 OFFSET %d",
                       1 + chance(12), 1 + chance(28), 7 * (1 + chance(20)), dossier);
    edits_begin(&edits);
    run_sql(mg_store_db(node), sql);
    edits_commit(&edits);
}

static void changed_cells(struct mg_store *node)
{
    struct edits edits = {.store = node, .captures = true, .most = 1};
    edits_begin(&edits);
    workload_update_each(&work, mg_store_db(node), chance(1000), EDITS, chance(1000), edits_wrote, &edits);
    edits_commit(&edits);
}

static void night(struct mg_store *node)
{
    for (int i = 0; i < EDITS; i++) edit(node, i);
}

static struct mg_dial_result slow_night(struct mg_store *node, void (*work_of)(struct mg_store *node), const char *what, const struct mg_relay_options *options)
{
    struct series took = {.count = 0};
    struct mg_dial_result result = {0};
    struct served_relay relay;
    served_relay_begin(&relay, &hub, options);
    for (int round = 0; round < ROUNDS; round++) {
        work_of(node);
        result = served_call(relay.address, node, MG_TRIGGER_NIGHT);
        series_add(&took, result.seconds);
    }
    served_relay_end(&relay);
    printf("L  %d %s, %lld ms each way, %lld kbit/s: %.1f s (asked 4), %lld bytes out, %lld in, %lld round trips\n", EDITS, what,
           (long long)options->delay_ms, (long long)options->rate_kbit, series_median(&took), (long long)result.bytes_sent, (long long)result.bytes_received, (long long)result.round_trips);
    return result;
}

/* *AGAIN: bytes of both sessions, beyond those of one. */
static void cut_night(struct mg_store *node, int64_t cut_up, int64_t cut_down, int64_t whole, int64_t *again)
{
    const struct mg_relay_options options = {.cut_up = cut_up, .cut_down = cut_down};
    struct served_relay relay;
    struct mg_dial_result first = {0};
    struct mg_error err = {""};
    night(node);
    served_relay_begin(&relay, &hub, &options);
    const struct mg_dial_options dial = {.address = relay.address, .trigger = MG_TRIGGER_NIGHT};
    mg_status status = mg_dial_sync(node, &dial, &first, &err);
    if (status != MG_OK && status != MG_UNREACHABLE) must(status, &err);
    struct mg_dial_result second = served_call(relay.address, node, MG_TRIGGER_NIGHT);
    served_relay_end(&relay);
    int64_t more = first.bytes_sent + first.bytes_received + second.bytes_sent + second.bytes_received - whole;
    if (more > *again) *again = more;
}

int main(int argc, char **argv)
{
    const struct mg_relay_options options = {
        .delay_ms = argc > 1 ? strtoll(argv[1], NULL, 10) : 600, .rate_kbit = argc > 2 ? strtoll(argv[2], NULL, 10) : 30};
    int64_t again = 0;
    if (options.delay_ms < 0 || options.rate_kbit < 1) {
        (void)fputs("usage: bench_link [DELAY_MS [RATE_KBIT]]\n", stderr);
        return 2;
    }
    workload_make(&work, DOSSIERS);
    served_begin(&hub, bench_dir());
    struct mg_store *node = served_join(&hub, bench_dir(), "une", WORKLOAD_ANTENNA);
    (void)served_call(hub.address, node, MG_TRIGGER_NIGHT);
    struct edits edits = {.store = node, .captures = true};
    edits_begin(&edits);
    workload_write(&work, mg_store_db(node), edits_wrote, &edits);
    edits_commit(&edits);
    (void)served_call(hub.address, node, MG_TRIGGER_NIGHT);

    (void)slow_night(node, changed_cells, "changed cells", &options);
    struct mg_dial_result whole = slow_night(node, night, "edits of a night, two thirds of them new rows", &options);
    int64_t both = whole.bytes_sent + whole.bytes_received;
    for (int i = 0; i < CUTS; i++) cut_night(node, 1 + whole.bytes_sent * i / CUTS, 0, both, &again);
    for (int i = 0; i < CUTS; i++) cut_night(node, 0, 1 + whole.bytes_received * i / CUTS, both, &again);
    printf("L  the same cut at %d places: all of it came with the next session, with at most %lld bytes more in both together\n", 2 * CUTS, (long long)again);
    mg_store_close(node);
    served_end(&hub);
    workload_free(&work);
    bench_dir_remove();
    return 0;
}
