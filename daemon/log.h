/*
 * log.h - what maillaged says while nobody looks: one `key=value` line an event.
 *
 * A line names nodes, counts and durations; never a value of a row: a log is read by
 * people who have no right to a dossier.
 */
#ifndef MG_DAEMON_LOG_H
#define MG_DAEMON_LOG_H

#include <stddef.h>

/* syslog's numbers: journald reads them in front of a line. */
enum mg_log_level { MG_LOG_ERROR = 3, MG_LOG_WARNING = 4, MG_LOG_INFO = 6 };

/* Writes `event=EVENT FIELDS` on stderr in one write, so that threads do not mix their lines. Text
 * that may hold a space goes through mg_log_quote. Any thread. */
void mg_log_line(enum mg_log_level level, const char *event, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

/* TEXT as one value: in quotes when needed, control characters replaced, cut to fit. Returns
 * OUT. */
const char *mg_log_quote(const char *text, char *out, size_t size);

/* The time now, UTC, as people and programs read it: 2026-11-24T02:46:04Z. Returns OUT. */
enum { MG_LOG_TIME_MAX = 24 };
const char *mg_log_time(char out[MG_LOG_TIME_MAX]);

/* A line for whoever started us, exactly as given. */
void mg_log_announce(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
