/*
 * control.h - the line protocol of DIR/control.sock.
 *
 * One request line, one answer line, then the connection is closed:
 *
 *   sync ADDRESS MAX_BYTES MAX_MS          ADDRESS is `-` for the node's own hub;
 *                                          what is left out is `-`, 0, 0
 *   STATUS pushed=N pulled=N ... text=SENTENCE
 *
 * STATUS is the number of an mg_status; the sentence is the rest of the line and empty
 * when all went well. Whoever can open the socket (mode 0600) owns the store anyway.
 */
#ifndef MG_DAEMON_CONTROL_H
#define MG_DAEMON_CONTROL_H

#include "daemon/daemon.h"

#define MG_CONTROL_SOCKET "control.sock"

enum { MG_CONTROL_LINE_MAX = 2048 }; /* the longest line, its newline and a final NUL counted */

struct mg_control_request {
    char address[MG_ADDRESS_TEXT_MAX]; /* empty: the node's own hub */
    int64_t max_bytes, max_ms;
};

struct mg_control_answer {
    mg_status status;
    struct mg_dial_result result;
    struct mg_error error;
};

/* LINE has room for MG_CONTROL_LINE_MAX and ends with a newline and NUL. */
void mg_control_put_request(const struct mg_control_request *request, char *line);
void mg_control_put_answer(const struct mg_control_answer *answer, char *line);

/* LINE without its newline, NUL-ended. MG_BAD_BYTES when it is not one of ours. */
mg_status mg_control_get_request(const char *line, struct mg_control_request *request,
                                 struct mg_error *err) MG_MUST_CHECK;
mg_status mg_control_get_answer(const char *line, struct mg_control_answer *answer,
                                struct mg_error *err) MG_MUST_CHECK;

/* A stream socket bound to DIR/control.sock with mode 0600, in place of what a dead maillaged left
 * there: hold daemon.lock. *SOCKET is yours to close. */
mg_status mg_control_bind(const char *dir, int *result, struct mg_error *err) MG_MUST_CHECK;
void mg_control_unbind(const char *dir);

#endif
