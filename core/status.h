/*
 * status.h - the one list of outcomes, and the sentence that goes with a bad one.
 *
 * A status is the exit status of the command line (CLI.md), so that no table has
 * to translate one into the other. Every function that can be refused by data, a
 * peer or a disk returns one and must be looked at; a bug in our own code is an
 * assertion instead, and ends the process.
 */
#ifndef MG_CORE_STATUS_H
#define MG_CORE_STATUS_H

#include <stdarg.h>

/* X(name, exit status, what it means) */
#define MG_STATUSES(X)                                                                            \
    X(MG_OK, 0, "done")                                                                           \
    X(MG_FAILED, 1, "failed for another reason")                                                  \
    X(MG_USAGE, 2, "unknown verb, option, table or column")                                       \
    X(MG_REFUSED, 3, "the data was refused; nothing was changed")                                 \
    X(MG_UNREACHABLE, 4, "the hub cannot be reached, or the link broke")                          \
    X(MG_DENIED, 5, "the hub refused this node")                                                  \
    X(MG_DIFFER, 6, "replicas or verdicts differ after a complete session")                       \
    X(MG_STORAGE, 7, "storage: disk full, corrupt page, wrong key, another process holds it")     \
    X(MG_BAD_BYTES, 8, "bytes that do not follow PROTOCOL.md")                                    \
    X(MG_STOPPED, 130, "stopped by ctrl-C or SIGTERM; the sentence says what was kept")

enum mg_status {
#define MG_X(name, code, text) name = (code),
    MG_STATUSES(MG_X)
#undef MG_X
};

typedef enum mg_status mg_status;

#define MG_MUST_CHECK __attribute__((warn_unused_result))

/* What went wrong, where, and what to do, as one sentence for a person. Filled by
 * the function that returns a bad status; untouched when all went well. */
struct mg_error {
    char text[600];
};

/* Writes the sentence and gives STATUS, so that a refusal is one line:
 *     return mg_fail(err, MG_REFUSED, "%s is not a date", text);
 * ERR may be NULL: the caller does not want the sentence. (A macro, so that whoever reads one file alone, a person or an
 * analyser, sees that what comes out is not MG_OK.) */
#define mg_fail(err, status, ...) (mg_error_say((err), __VA_ARGS__), mg_not_ok(status))
void mg_error_say(struct mg_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of a process that ends with STATUS: 0 to 7 of CLI.md, or 130. */
int mg_exit_status(mg_status status);

/* A bug in our own code. Stays on in release builds: an engine that merges wrongly
 * for ever is worse than one that stops. */
void mg_bug(const char *file, int line, const char *what) __attribute__((noreturn));

#define mg_assert(condition)                                                                      \
    do {                                                                                          \
        if (!(condition)) mg_bug(__FILE__, __LINE__, #condition);                                 \
    } while (0)

MG_MUST_CHECK static inline mg_status mg_not_ok(mg_status status)
{
    mg_assert(status != MG_OK);
    return status;
}

#endif
