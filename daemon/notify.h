/*
 * notify.h - what maillaged tells the service manager that started it.
 *
 * systemd learns that we serve, what we are at, that we are leaving, and, as long as the
 * loop turns, that it turns: a loop that hangs is killed and started again. Nothing of
 * it happens, and nothing is needed, where nobody asked (NOTIFY_SOCKET is not set).
 */
#ifndef MG_DAEMON_NOTIFY_H
#define MG_DAEMON_NOTIFY_H

#include <uv.h>

void mg_notify_ready(void);
void mg_notify_stopping(void);
/* One line for `systemctl status`. As a log line (log.h), it names no value of a row. */
void mg_notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says from LOOP, twice in each period that the manager set, that it turns. Keeps no loop alive;
 * stop it before the loop is closed, also when there was nothing to start. */
struct mg_watchdog {
    uv_timer_t timer;
};
void mg_watchdog_start(struct mg_watchdog *watchdog, uv_loop_t *loop);
void mg_watchdog_stop(struct mg_watchdog *watchdog);

#endif
