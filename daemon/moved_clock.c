/*
 * moved_clock.c - a wall clock that a file moves, so that a trial can live through a week in seconds.
 *
 * For trials only: `--clock-offset-file FILE` of both programs, which no help shows. FILE holds
 * seconds to be added to the machine's clock, as a decimal number, and is read again each time the clock
 * is. It goes through mg_env, so what is written, signed and planned sees one time. An option and no
 * environment variable, because it has to be said anew for each process and cannot be inherited.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"

static const char *offset_file;      /* set once, before there are threads */
static atomic_int_fast64_t offset_s; /* as last read well: a file that is being written is not 0 */

static bool read_offset(void)
{
    char text[32], *end;
    int fd = open(offset_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0) return false;
    text[len] = '\0';
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (end == text || (*end != '\n' && *end != '\0') || errno != 0) return false;
    if (seconds > INT64_C(100000000000) || seconds < -INT64_C(100000000000)) return false;
    atomic_store(&offset_s, seconds);
    return true;
}

static int64_t moved_now(void *context)
{
    const struct mg_env *system = mg_env_system();
    (void)context;
    (void)read_offset();
    return system->now_ms(system->context) + (int64_t)atomic_load(&offset_s) * 1000;
}

static void moved_random(void *context, void *out, size_t len)
{
    const struct mg_env *system = mg_env_system();
    (void)context;
    system->random(system->context, out, len);
}

mg_status mg_env_moved(const char *file, const struct mg_env **env, struct mg_error *err)
{
    static const struct mg_env moved = {.context = NULL, .now_ms = moved_now, .random = moved_random};
    *env = mg_env_system();
    if (file == NULL) return MG_OK;
    offset_file = file;
    if (!read_offset())
        return mg_fail(err, MG_USAGE, "%s does not hold the seconds by which to move the clock", file);
    *env = &moved;
    return MG_OK;
}
