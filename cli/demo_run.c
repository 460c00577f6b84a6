/*
 * demo_run.c - starting, waiting and ending, with the signals in between.
 */
#include "cli/demo_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { PATIENCE_S = 120, LISTEN_S = 15, END_S = 5, ARGS_MAX = 24, LINE_MAX_LEN = 512 };

double mg_demo_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Those that we take in our own time instead of being ended by them. */
static void our_signals(sigset_t *mask)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    (void)sigemptyset(mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) (void)sigaddset(mask, numbers[i]);
}

/* --- the directory --- */

/* Empty when it does not fit, so that open() says what is wrong with it. */
static void join_path(char out[PATH_MAX], const char *dir, const char *name)
{
    int len = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (len < 0 || len >= PATH_MAX) out[0] = '\0';
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) return false;
    int entries = 0;
    while (readdir(dir) != NULL) entries++;
    (void)closedir(dir);
    return entries == 2; /* . and .. */
}

static mg_status make_kept(struct mg_demo_run *run, const char *keep, struct mg_error *err)
{
    if (mkdir(keep, 0700) != 0 && errno != EEXIST)
        return mg_fail(err, MG_FAILED, "%s cannot be made: %s", keep, strerror(errno));
    if (!is_empty(keep))
        return mg_fail(err, MG_USAGE, "--keep takes a new or empty directory, and %s is neither",
                       keep);
    if (realpath(keep, run->dir) == NULL)
        return mg_fail(err, MG_FAILED, "%s cannot be used: %s", keep, strerror(errno));
    run->keep = true;
    return MG_OK;
}

static mg_status make_temporary(struct mg_demo_run *run, struct mg_error *err)
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] != '/') base = "/tmp";
    int len = snprintf(run->dir, sizeof run->dir, "%s/maillage-demo-XXXXXX", base);
    if (len > 0 && (size_t)len < sizeof run->dir && mkdtemp(run->dir) != NULL) return MG_OK;
    run->dir[0] = '\0';
    return mg_fail(err, MG_FAILED, "no temporary directory can be made in %s", base);
}

static mg_status find_programs(struct mg_demo_run *run, struct mg_error *err)
{
    ssize_t len = readlink("/proc/self/exe", run->programs, sizeof run->programs - 1);
    char *slash = NULL;
    if (len > 0) {
        run->programs[len] = '\0';
        slash = strrchr(run->programs, '/');
    }
    if (slash == NULL) return mg_fail(err, MG_FAILED, "/proc does not say where this program is");
    *slash = '\0';
    return MG_OK;
}

mg_status mg_demo_run_open(struct mg_demo_run *run, const char *keep, struct mg_error *err)
{
    sigset_t mask;
    memset(run, 0, sizeof *run);
    our_signals(&mask);
    (void)sigprocmask(SIG_BLOCK, &mask, &run->mask_before);
    (void)signal(SIGCHLD,
                 SIG_DFL); /* whoever started us may ignore it, and children would vanish */
    mg_status status = find_programs(run, err);
    if (status == MG_OK)
        status = keep != NULL ? make_kept(run, keep, err) : make_temporary(run, err);
    if (status != MG_OK) return status;
    join_path(run->said, run->dir, "said");
    if (mkdir(run->said, 0700) == 0) return MG_OK;
    return mg_fail(err, MG_FAILED, "%s cannot be made: %s", run->said, strerror(errno));
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

/* --- starting --- */

static void redirect(const char *path, int to)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, to) < 0) _exit(127);
}

static void become(const struct mg_demo_run *run, const struct mg_demo_child *child, pid_t parent,
                   const char *path, char *const *argv)
{
    /* If we are killed outright, nobody else would end it. The parent may be gone already. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    /* A Ctrl-C at the terminal is for us, who end it in good order. */
    (void)setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) (void)dup2(null, STDIN_FILENO);
    redirect(child->out, STDOUT_FILENO);
    redirect(child->err, STDERR_FILENO);
    (void)sigprocmask(SIG_SETMASK, &run->mask_before, NULL);
    (void)execv(path, argv);
    (void)fprintf(stderr, "%s cannot be run: %s\n", path, strerror(errno));
    _exit(127);
}

static void fill_argv(const char **argv, const char *program, const char *const *args)
{
    int count = 0;
    argv[count++] = program;
    for (; *args != NULL && count < ARGS_MAX; args++) argv[count++] = *args;
    argv[count] = NULL;
}

static struct mg_demo_child *new_child(struct mg_demo_run *run, const char *what)
{
    struct mg_demo_child *child = mg_need(calloc(1, sizeof *child));
    char name[32];
    (void)snprintf(child->what, sizeof child->what, "%s", what);
    (void)snprintf(name, sizeof name, "%04d.out", ++run->count);
    join_path(child->out, run->said, name);
    (void)snprintf(name, sizeof name, "%04d.err", run->count);
    join_path(child->err, run->said, name);
    child->started = mg_demo_now();
    child->next = run->children;
    run->children = child;
    return child;
}

mg_status mg_demo_start(struct mg_demo_run *run, const char *what, const char *program,
                        const char *const *args, struct mg_demo_child **child, struct mg_error *err)
{
    const char *argv[ARGS_MAX + 1];
    char path[PATH_MAX];
    pid_t parent = getpid();
    fill_argv(argv, program, args);
    join_path(path, run->programs, program);
    struct mg_demo_child *new = new_child(run, what);
    (void)fflush(NULL); /* or what is still buffered would be written twice */
    new->pid = fork();
    if (new->pid == 0) become(run, new, parent, path, (char *const *)(uintptr_t)argv);
    if (new->pid < 0) {
        new->pid = 0;
        new->ended = true;
        return mg_fail(err, MG_FAILED, "no process can be started for %s: %s", what,
                       strerror(errno));
    }
    *child = new;
    return MG_OK;
}

/* --- waiting --- */

/* Only our own children, each by its id. */
static bool has_ended(struct mg_demo_child *child)
{
    int state;
    if (child->ended) return true;
    pid_t got = waitpid(child->pid, &state, WNOHANG);
    if (got < 0)
        state = W_EXITCODE(127, 0); /* not ours any more: nothing to wait for */
    else if (got != child->pid)
        return false;
    child->ended = true;
    child->seconds = mg_demo_now() - child->started;
    child->exit_status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    return true;
}

/* Until a child changes, MS pass, or somebody wants us to end. */
mg_status mg_demo_pause(int ms, struct mg_error *err)
{
    sigset_t mask;
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    our_signals(&mask);
    int number = sigtimedwait(&mask, NULL, &time);
    if (number == SIGINT || number == SIGTERM || number == SIGHUP)
        return mg_fail(err, MG_STOPPED, "interrupted; everything that was started is ended");
    return MG_OK;
}

static const struct mg_demo_child *find_running(struct mg_demo_child *const *children, int count)
{
    const struct mg_demo_child *running = NULL;
    for (int i = 0; i < count; i++)
        if (children[i] != NULL && !has_ended(children[i])) running = children[i];
    return running;
}

mg_status mg_demo_wait(struct mg_demo_run *run, struct mg_demo_child *const *children, int count,
                       struct mg_error *err)
{
    (void)run;
    double until = mg_demo_now() + PATIENCE_S;
    const struct mg_demo_child *running;
    while ((running = find_running(children, count)) != NULL) {
        if (mg_demo_now() > until)
            return mg_fail(err, MG_FAILED, "%s has not ended after %d seconds", running->what,
                           PATIENCE_S);
        mg_status status = mg_demo_pause(100, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

static bool find_line(const char *path, const char *prefix, char *rest, size_t size)
{
    char line[LINE_MAX_LEN];
    bool found = false;
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        size_t len = strcspn(line, "\n");
        found = line[len] == '\n' && strncmp(line, prefix, strlen(prefix)) == 0;
        line[len] = '\0';
        if (found) (void)snprintf(rest, size, "%s", line + strlen(prefix));
    }
    (void)fclose(file);
    return found;
}

mg_status mg_demo_wait_line(struct mg_demo_run *run, struct mg_demo_child *child,
                            const char *prefix, char *rest, size_t size, struct mg_error *err)
{
    (void)run;
    double until = mg_demo_now() + LISTEN_S;
    while (!find_line(child->err, prefix, rest, size)) {
        if (has_ended(child)) return mg_demo_expect(child, -1, err);
        if (mg_demo_now() > until)
            return mg_fail(err, MG_FAILED, "%s has not said \"%s\" after %d seconds", child->what,
                           prefix, LISTEN_S);
        mg_status status = mg_demo_pause(5, err);
        if (status != MG_OK) return status;
    }
    return MG_OK;
}

/* The last line of what it said, which is the sentence that matters. */
static void last_line(const char *path, char *out, size_t size)
{
    char line[LINE_MAX_LEN];
    FILE *file = fopen(path, "r");
    out[0] = '\0';
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') (void)snprintf(out, size, "%s", line);
    }
    (void)fclose(file);
}

mg_status mg_demo_expect(const struct mg_demo_child *child, int wanted, struct mg_error *err)
{
    char said[LINE_MAX_LEN];
    if (child->ended && child->exit_status == wanted) return MG_OK;
    last_line(child->err, said, sizeof said);
    return mg_fail(err, MG_FAILED, "%s ended with status %d: %.400s", child->what,
                   child->exit_status, said[0] == '\0' ? "it said nothing" : said);
}

/* --- ending --- */

/* Signals that arrive now change nothing: we are ending already. */
static bool ends_within(struct mg_demo_child *child, double seconds)
{
    const struct timespec nap = {.tv_nsec = 5 * 1000000};
    double until = mg_demo_now() + seconds;
    while (!has_ended(child) && mg_demo_now() < until) (void)nanosleep(&nap, NULL);
    return child->ended;
}

static void ask_to_end(struct mg_demo_child *child)
{
    if (!has_ended(child)) (void)kill(child->pid, SIGTERM);
}

static void make_end(struct mg_demo_child *child)
{
    if (ends_within(child, END_S)) return;
    (void)kill(child->pid, SIGKILL);
    (void)ends_within(child, END_S);
}

void mg_demo_stop(struct mg_demo_run *run, struct mg_demo_child *child)
{
    (void)run;
    ask_to_end(child);
    make_end(child);
}

void mg_demo_run_close(struct mg_demo_run *run)
{
    for (struct mg_demo_child *at = run->children; at != NULL; at = at->next) ask_to_end(at);
    while (run->children != NULL) {
        struct mg_demo_child *child = run->children;
        make_end(child);
        run->children = child->next;
        free(child);
    }
    if (run->dir[0] != '\0' && !run->keep)
        (void)nftw(run->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    /* What was sent to us meanwhile has been obeyed: it must not end us now. */
    const struct timespec none = {.tv_sec = 0};
    sigset_t mask;
    our_signals(&mask);
    while (sigtimedwait(&mask, NULL, &none) > 0) continue;
    (void)sigprocmask(SIG_SETMASK, &run->mask_before, NULL);
}
