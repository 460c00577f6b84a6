/*
 * notify.c - the protocol of sd_notify(3), written out.
 *
 * It is one datagram of NAME=VALUE lines to the socket in NOTIFY_SOCKET, stable and
 * documented to be written by hand. libsystemd would bring four compression libraries and
 * a cipher library into a process that strangers talk to, for these few lines.
 */
#include "daemon/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX = 512 };

/* A path, or a name that starts with @ in the abstract namespace, whose first byte is NUL. */
static bool read_address(const char *text, struct sockaddr_un *address, socklen_t *len)
{
    size_t text_len = text == NULL ? 0 : strlen(text);
    if (text_len < 2 || text_len >= sizeof address->sun_path) return false;
    if (text[0] != '/' && text[0] != '@') return false;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, text_len);
    if (text[0] == '@') address->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text_len);
    return true;
}

/* What the manager does not hear is lost on purpose: a daemon does not stop for that. FLAGS: MSG_DONTWAIT where
 * the same will be said again. */
static void send_message(const char *message, int flags)
{
    struct sockaddr_un address;
    socklen_t len;
    if (!read_address(getenv("NOTIFY_SOCKET"), &address, &len)) return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)sendto(fd, message, strlen(message), MSG_NOSIGNAL | flags, (const struct sockaddr *)&address, len);
    close(fd);
}

void mg_notify_ready(void)
{
    send_message("READY=1", 0);
}

void mg_notify_stopping(void)
{
    send_message("STOPPING=1\nSTATUS=stopping", 0);
}

void mg_notify_status(const char *format, ...)
{
    char message[MESSAGE_MAX] = "STATUS=";
    size_t used = strlen(message);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message + used, sizeof message - used, format, args);
    va_end(args);
    for (char *c = message; *c != '\0'; c++)
        if (*c == '\n') *c = ' '; /* a newline would begin another variable */
    send_message(message, MSG_DONTWAIT);
}

/* --- the watchdog --- */

/* The period in microseconds that the manager expects of this process; 0: none. */
static uint64_t period_us(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (text == NULL || text[0] < '0' || text[0] > '9') return 0;
    if (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()) return 0;
    char *end;
    errno = 0;
    unsigned long long period = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? period : 0;
}

static void on_turn(uv_timer_t *timer)
{
    (void)timer;
    send_message("WATCHDOG=1", MSG_DONTWAIT);
}

void mg_watchdog_start(struct mg_watchdog *watchdog, uv_loop_t *loop)
{
    uint64_t period = period_us(), half_ms = period / 2000;
    if (period > 0 && half_ms == 0) half_ms = 1;
    uv_timer_init(loop, &watchdog->timer);
    uv_unref((uv_handle_t *)&watchdog->timer);
    if (half_ms > 0) uv_timer_start(&watchdog->timer, on_turn, 0, half_ms);
}

void mg_watchdog_stop(struct mg_watchdog *watchdog)
{
    uv_close((uv_handle_t *)&watchdog->timer, NULL);
}
