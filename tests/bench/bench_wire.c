/*
 * bench_wire.c - I0, I50 and D: bytes on the line of whole sessions, everything of ours above TCP counted, handshake included.
 *
 *   bench_wire [PARTICIPANTS]      10,000
 *
 * A hub's maillaged and two nodes of one antenna, on loopback. One holds the workload; the other has just joined. I0: both call
 * with nothing new. I50: one changes the hours of 50 steps, each in a transaction of its own as people do, and calls; the other
 * calls. D: a third of the steps (20,000), 10 a transaction.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/edits.h"
#include "tests/bench/measure.h"
#include "tests/bench/workload.h"
#include "tests/support/served.h"

static struct workload work;
static struct served hub;

static struct mg_dial_result call(struct mg_store *node) { return served_call(hub.address, node, MG_TRIGGER_NIGHT); }

static void change(struct mg_store *node, uint64_t first, uint64_t count, int a_tx)
{
    struct edits edits = {.store = node, .captures = true, .most = a_tx};
    edits_begin(&edits);
    workload_update_each(&work, mg_store_db(node), first, count, first + 5, edits_wrote, &edits);
    edits_commit(&edits);
}

static void tell(const char *what, const struct mg_dial_result *result)
{
    printf("%-48s %8lld bytes out, %8lld in, %lld round trips, %.2f s\n", what, (long long)result->bytes_sent, (long long)result->bytes_received,
           (long long)result->round_trips, result->seconds);
}

static void tell_cells(const char *what, int64_t bytes, uint64_t cells)
{
    printf("%-48s %8.1f bytes a cell of %llu, asked 14\n", what, (double)bytes / (double)cells, (unsigned long long)cells);
}

int main(int argc, char **argv)
{
    uint64_t participants = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    if (participants < 50) {
        (void)fputs("usage: bench_wire [PARTICIPANTS], 50 at least\n", stderr);
        return 2;
    }
    workload_make(&work, participants);
    served_begin(&hub, bench_dir());
    struct mg_store *one = served_join(&hub, bench_dir(), "une", WORKLOAD_ANTENNA);
    (void)call(one);
    struct edits edits = {.store = one, .captures = true};
    edits_begin(&edits);
    workload_write(&work, mg_store_db(one), edits_wrote, &edits);
    edits_commit(&edits);
    struct mg_dial_result result = call(one);
    tell("    all of it, pushed a dossier a transaction", &result);
    struct mg_store *other = served_join(&hub, bench_dir(), "autre", WORKLOAD_ANTENNA);
    result = call(other);
    tell("    all of it, by the other's first session", &result);
    (void)call(one);

    struct mg_dial_result idle = call(one);
    tell("I0  nothing new, asked 300 each way, 2 trips", &idle);
    change(one, 0, 50, 1);
    result = call(one);
    tell("I50 50 cells, their author, asked 1600 in all", &result);
    result = call(other);
    tell("I50 50 cells, a reader, asked 1600 in all", &result);

    uint64_t cells = work.step_count / 3;
    change(one, 50, cells, 10);
    result = call(one);
    tell("    a third of the steps, their author", &result);
    tell_cells("D   a delta, out", result.bytes_sent - idle.bytes_sent, cells);
    result = call(other);
    tell("    a third of the steps, a reader", &result);
    tell_cells("D   a delta, in", result.bytes_received - idle.bytes_received, cells);
    mg_store_close(one);
    mg_store_close(other);
    served_end(&hub);
    workload_free(&work);
    bench_dir_remove();
    return 0;
}
