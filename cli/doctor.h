/*
 * doctor.h - what `maillage doctor` looks at, in the order in which it does.
 *
 * A check is one row here and one function in doctor_*.c that finds one thing: how it is, and, unless it
 * is well, what to do. It finds nothing where it has no say (a hub has no hub). Those of the second list
 * need the store; when that cannot be opened, the rest is still worth knowing.
 */
#ifndef MG_CLI_DOCTOR_H
#define MG_CLI_DOCTOR_H

#include "cli/cli.h"
#include "daemon/daemon.h"

/* X(name, function) */
#define MG_CHECKS_OF_MACHINE(X)                                                                   \
    X("directory", mg_check_directory)                                                            \
    X("disk", mg_check_disk)                                                                      \
    X("daemon", mg_check_daemon)                                                                  \
    X("store", mg_check_store)
#define MG_CHECKS_OF_STORE(X)                                                                     \
    X("pages", mg_check_pages)                                                                    \
    X("log", mg_check_log)                                                                        \
    X("foreign rows", mg_check_foreign)                                                           \
    X("quarantine", mg_check_quarantine)                                                          \
    X("rule packs", mg_check_packs)                                                               \
    X("backup", mg_check_backup)                                                                  \
    X("hub", mg_check_hub)                                                                        \
    X("clock", mg_check_clock)                                                                    \
    X("sessions", mg_check_sessions)                                                              \
    X("waiting", mg_check_waiting)

/* A warning may wait, a problem may not. */
enum mg_health { MG_HEALTH_NOTHING, MG_HEALTH_OK, MG_HEALTH_WARNING, MG_HEALTH_PROBLEM };

struct mg_finding {
    enum mg_health health;
    char text[640];
    char advice[400];
};

struct mg_patient {
    struct mg_cli *cli;
    int64_t now; /* ms */
    mg_status opened; /* how opening the store went */
    struct mg_error why_not;
    struct mg_standing standing; /* when it is open */
    int64_t hub_time_off;        /* this clock minus the hub's, as the hub just said */
    bool hub_told_time;
    bool stopped; /* the person does not want to know any more */
};

#define MG_X(name, function) void function(struct mg_patient *patient, struct mg_finding *finding);
MG_CHECKS_OF_MACHINE(MG_X)
MG_CHECKS_OF_STORE(MG_X)
#undef MG_X

void mg_find(struct mg_finding *finding, enum mg_health health, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mg_advise(struct mg_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
