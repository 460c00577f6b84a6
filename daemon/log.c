/*
 * log.c - see log.h.
 *
 * Under systemd a line starts with `<6>` and the journal adds the time; elsewhere it
 * starts with the time. Which of the two is asked of JOURNAL_STREAM: it names the
 * device and inode of the journal's socket, so a stderr that was sent to a file
 * inside a service is recognised too.
 */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 1024 };

static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat about;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &about) == 0 && about.st_dev == device && about.st_ino == inode;
}

const char *mg_log_time(char out[MG_LOG_TIME_MAX])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    if (strftime(out, MG_LOG_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) out[0] = '\0';
    return out;
}

static size_t put_prefix(char *line, size_t size, enum mg_log_level level)
{
    char now[MG_LOG_TIME_MAX];
    if (is_journal()) return (size_t)snprintf(line, size, "<%d>", (int)level);
    return (size_t)snprintf(line, size, "time=%s ", mg_log_time(now));
}

static const char *level_name(enum mg_log_level level)
{
    switch (level) {
    case MG_LOG_ERROR: return "error";
    case MG_LOG_WARNING: return "warning";
    case MG_LOG_INFO: return "info";
    }
    return "info";
}

/* One line, one write. What cannot be written (stderr closed, disk full) is lost on purpose: a
 * daemon does not stop because nobody can read its log. */
static void write_line(const char *line, size_t len)
{
    ssize_t unused = write(STDERR_FILENO, line, len);
    (void)unused;
}

static size_t clamp(size_t used, int written, size_t size)
{
    size_t end = written < 0 ? used : used + (size_t)written;
    return end < size ? end : size - 1;
}

void mg_log_line(enum mg_log_level level, const char *event, const char *fields, ...)
{
    char line[LINE_MAX_LEN];
    size_t room = sizeof line - 1; /* the newline's */
    size_t used = put_prefix(line, room, level);
    used = clamp(used,
                 snprintf(line + used, room - used, "level=%s event=%s ", level_name(level), event),
                 room);
    va_list args;
    va_start(args, fields);
    used = clamp(used, vsnprintf(line + used, room - used, fields, args), room);
    va_end(args);
    while (used > 0 && line[used - 1] == ' ') used--;
    line[used++] = '\n';
    write_line(line, used);
}

const char *mg_log_quote(const char *text, char *out, size_t size)
{
    size_t used = 0;
    bool plain = text[0] != '\0' && strpbrk(text, " =\"\t\r\n") == NULL;
    if (!plain) out[used++] = '"';
    for (const char *c = text; *c != '\0' && used + 3 < size; c++) {
        if (*c == '"' || *c == '\\') out[used++] = '\\';
        out[used++] = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    }
    if (!plain) out[used++] = '"';
    out[used] = '\0';
    return out;
}

void mg_log_announce(const char *format, ...)
{
    char line[LINE_MAX_LEN];
    va_list args;
    va_start(args, format);
    size_t used = clamp(0, vsnprintf(line, sizeof line - 1, format, args), sizeof line - 1);
    va_end(args);
    line[used++] = '\n';
    write_line(line, used);
}
