/*
 * control_socket.c - both ends of DIR/control.sock.
 *
 * A socket's path is limited to 107 bytes, a directory's is not: both ends name the
 * socket through /proc/self/fd/N, N being the directory opened. The mode is set on
 * the socket before it is bound, so that there is no moment at which others may call.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"

enum { LOOK_MS = 100 }; /* between two looks at whether to stop */

static void socket_path(int dir_fd, struct sockaddr_un *path)
{
    *path = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(path->sun_path, sizeof path->sun_path, "/proc/self/fd/%d/" MG_CONTROL_SOCKET, dir_fd);
}

static int open_dir(const char *dir)
{
    return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

mg_status mg_control_bind(const char *dir, int *result, struct mg_error *err)
{
    mg_status status = MG_OK;
    struct sockaddr_un path;
    int made = -1;
    int dir_fd = open_dir(dir);
    if (dir_fd < 0)
        return mg_fail(err, MG_STORAGE, "%s cannot be opened: %s", dir, strerror(errno));

    socket_path(dir_fd, &path);
    (void)unlinkat(dir_fd, MG_CONTROL_SOCKET, 0);
    made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0 || fchmod(made, 0600) != 0 ||
        bind(made, (const struct sockaddr *)&path, sizeof path) != 0) {
        status = mg_fail(err, MG_STORAGE, "%s/" MG_CONTROL_SOCKET " cannot be made: %s", dir,
                         strerror(errno));
        if (made >= 0) close(made);
        made = -1;
    }
    close(dir_fd);
    *result = made;
    return status;
}

void mg_control_unbind(const char *dir)
{
    int dir_fd = open_dir(dir);
    if (dir_fd < 0) return;
    (void)unlinkat(dir_fd, MG_CONTROL_SOCKET, 0);
    close(dir_fd);
}

/* -1 when nobody listens there (errno says why). */
static int call(const char *dir)
{
    int dir_fd = open_dir(dir);
    if (dir_fd < 0) return -1;
    struct sockaddr_un path;
    socket_path(dir_fd, &path);
    int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line >= 0 && connect(line, (const struct sockaddr *)&path, sizeof path) != 0) {
        int why = errno;
        close(line);
        errno = why;
        line = -1;
    }
    int why = errno;
    close(dir_fd);
    errno = why;
    return line;
}

bool mg_control_is_running(const char *dir)
{
    int line = call(dir);
    if (line >= 0) close(line);
    return line >= 0;
}

static bool send_all(int line, const char *text, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(line, text + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        sent += (size_t)n;
    }
    return true;
}

/* False: STOP was set before anything came. */
static bool wait_to_read(int line, const atomic_bool *stop)
{
    struct pollfd ready = {.fd = line, .events = POLLIN};
    for (;;) {
        if (stop != NULL && atomic_load(stop)) return false;
        if (poll(&ready, 1, LOOK_MS) > 0) return true;
    }
}

/* One line, without its newline; false when the other end closed first, or STOP was set. */
static bool receive_line(int line, const atomic_bool *stop, char *text, size_t size)
{
    size_t used = 0;
    while (used + 1 < size && wait_to_read(line, stop)) {
        ssize_t n = recv(line, text + used, size - 1 - used, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        char *newline = memchr(text + used, '\n', (size_t)n);
        used += (size_t)n;
        if (newline != NULL) {
            *newline = '\0';
            return true;
        }
    }
    return false;
}

static mg_status make_request(const struct mg_dial_options *options,
                              struct mg_control_request *request, struct mg_error *err)
{
    *request =
        (struct mg_control_request){.max_bytes = options->max_bytes, .max_ms = options->max_ms};
    if (options->address == NULL) return MG_OK;
    struct mg_address address;
    mg_status status = mg_address_parse(options->address, false, &address, err);
    if (status == MG_OK) mg_address_format(&address, request->address);
    return status;
}

mg_status mg_control_sync(const char *dir, const struct mg_dial_options *options, bool *running,
                          struct mg_dial_result *result, struct mg_error *err)
{
    struct mg_control_request request;
    struct mg_control_answer answer = {0};
    char text[MG_CONTROL_LINE_MAX];
    *running = false;
    *result = (struct mg_dial_result){0};
    mg_status status = make_request(options, &request, err);
    if (status != MG_OK) return status;

    int line = call(dir);
    if (line < 0) {
        if (errno == EACCES)
            return mg_fail(err, MG_STORAGE, "%s/" MG_CONTROL_SOCKET " belongs to another user",
                           dir);
        return MG_OK; /* nobody listens: ENOENT, or ECONNREFUSED after a kill -9 */
    }
    *running = true;
    mg_control_put_request(&request, text);
    if (send_all(line, text, strlen(text)) && receive_line(line, options->stop, text, sizeof text))
        status = mg_control_get_answer(text, &answer, err);
    else if (options->stop != NULL && atomic_load(options->stop))
        status = mg_fail(err, MG_STOPPED, "stopped waiting; the session goes on in maillaged, and `maillage status` says how it went");
    else
        status = mg_fail(
            err, MG_UNREACHABLE,
            "maillaged ended during the session; what was acknowledged stays: run sync again");
    close(line);
    if (status != MG_OK) return status;
    *result = answer.result;
    return answer.status == MG_OK ? MG_OK : mg_fail(err, answer.status, "%s", answer.error.text);
}

mg_status mg_daemon_runs(const char *dir, bool hub, bool *runs, struct mg_error *err)
{
    int lock;
    *runs = false;
    if (!mg_has_file(dir, "daemon.lock")) return MG_OK;
    if (mg_lock_take(dir, "daemon.lock", &lock, NULL) == MG_OK) {
        close(lock);
        return MG_OK;
    }
    *runs = true;
    if (hub) return MG_OK; /* it has no such socket */
    int line = call(dir);
    if (line < 0)
        return mg_fail(err, MG_FAILED, "maillaged runs, but %s/" MG_CONTROL_SOCKET " does not answer: %s", dir,
                       strerror(errno));
    close(line);
    return MG_OK;
}
