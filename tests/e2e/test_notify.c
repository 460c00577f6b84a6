/*
 * test_notify.c - maillaged and the service manager: the test is the manager.
 *
 * It binds the socket that systemd would bind, starts the real maillaged on a hub and on
 * a node, and listens: ready only when it serves, the watchdog again and again, stopping.
 */
#include "tests/support/world.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world world, *const w = &world;

enum { PATIENCE_MS = 20000 };

struct manager {
    int fd;
    pid_t pid;
    char socket[sizeof((struct sockaddr_un *)0)->sun_path];
};

static void listen_at(struct manager *manager, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    assert_true(len < sizeof address.sun_path);
    memcpy(address.sun_path, name, len);
    memcpy(manager->socket, name, len + 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager->fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, size), 0);
}

static void start(struct manager *manager, const char *dir, const char *watchdog_us, bool hub)
{
    const char *bin = getenv("MAILLAGE_BIN");
    char program[4096];
    assert_non_null(bin);
    (void)snprintf(program, sizeof program, "%s/maillaged", bin);
    manager->pid = fork();
    assert_true(manager->pid >= 0);
    if (manager->pid > 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setenv("NOTIFY_SOCKET", manager->socket, 1);
    if (watchdog_us != NULL) (void)setenv("WATCHDOG_USEC", watchdog_us, 1);
    (void)execl(program, program, "--dir", dir, hub ? "--listen" : NULL, "127.0.0.1:0", NULL);
    _exit(127);
}

/* The next message; "" when none comes in MS. */
static const char *hear(struct manager *manager, int ms)
{
    static char text[1024];
    struct pollfd ready = {.fd = manager->fd, .events = POLLIN};
    text[0] = '\0';
    if (poll(&ready, 1, ms) <= 0) return text;
    ssize_t len = recv(manager->fd, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

/* Hears on until WORD has come COUNT times; what is in STATUS then was the last status before. */
static void expect_word(struct manager *manager, const char *word, int count, char status[256])
{
    while (count > 0) {
        const char *text = hear(manager, PATIENCE_MS);
        if (text[0] == '\0') fail_msg("%s was never said", word);
        const char *line = strstr(text, "STATUS=");
        if (line != NULL && status != NULL) (void)snprintf(status, 256, "%s", line + 7);
        if (strstr(text, word) != NULL) count--;
    }
}

static void finish(struct manager *manager)
{
    int state = -1;
    assert_int_equal(kill(manager->pid, SIGTERM), 0);
    expect_word(manager, "STOPPING=1", 1, NULL);
    assert_int_equal(waitpid(manager->pid, &state, 0), manager->pid);
    assert_true(WIFEXITED(state) && WEXITSTATUS(state) == 0);
    close(manager->fd);
}

static void a_hub_says_that_it_serves(void **state)
{
    (void)state;
    struct manager manager;
    char path[64], status[256] = "";
    mg_store_close(w->nodes[HUB].store);
    w->nodes[HUB].store = NULL;
    (void)snprintf(path, sizeof path, "/tmp/maillage-test-%ld", (long)getpid()); /* the world's may be too long */
    (void)unlink(path);
    listen_at(&manager, path);
    start(&manager, w->nodes[HUB].dir, "40000", true);
    expect_word(&manager, "READY=1", 1, status);
    assert_non_null(strstr(status, "listening on 127.0.0.1:"));
    expect_word(&manager, "WATCHDOG=1", 3, NULL);
    finish(&manager);
    (void)unlink(path);
    world_reopen(w, HUB);
}

static void a_node_says_so_at_an_abstract_address(void **state)
{
    (void)state;
    struct manager manager;
    char name[64], status[256] = "";
    mg_store_close(w->nodes[1].store);
    w->nodes[1].store = NULL;
    (void)snprintf(name, sizeof name, "@maillage-test-%ld", (long)getpid());
    listen_at(&manager, name);
    start(&manager, w->nodes[1].dir, NULL, false);
    expect_word(&manager, "READY=1", 1, status);
    assert_non_null(strstr(status, "ready"));
    assert_string_equal(hear(&manager, 300), ""); /* nobody asked for a watchdog */
    finish(&manager);
    world_reopen(w, 1);
}

static int open_world(void **state)
{
    (void)state;
    world_open(w, 1);
    (void)world_join(w, "anne", "martigues/mdfj");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_says_that_it_serves),
        cmocka_unit_test(a_node_says_so_at_an_abstract_address),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
