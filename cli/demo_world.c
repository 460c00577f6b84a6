/*
 * demo_world.c - the network of the demonstration, and how it is spoken to.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/demo.h"
#include "cli/demo_people.h"

enum { DOSSIERS_AIX = 1000, DOSSIERS_MARTIGUES = 450, SMALLER = 10, ARGS_MAX = 20 };

/* --- telling --- */

void mg_demo_say(const struct mg_demo *demo, const char *format, ...)
{
    if (demo->story == NULL) return;
    va_list args;
    va_start(args, format);
    (void)vfprintf(demo->story, format, args);
    va_end(args);
    (void)fputc('\n', demo->story);
    (void)fflush(demo->story);
}

void mg_demo_chapter(const struct mg_demo *demo, const char *title)
{
    mg_demo_say(demo, "\n[%4.1f s] %s", mg_demo_now() - demo->started, title);
}

/* --- speaking to a node --- */

struct mg_demo_node *mg_demo_antenna(struct mg_demo *demo, const char *name)
{
    for (int i = 0; i < MG_DEMO_ANTENNAS; i++)
        if (strcmp(demo->antennas[i].name, name) == 0) return &demo->antennas[i];
    mg_bug(__FILE__, __LINE__, "the story names an antenna that does not exist");
}

mg_status mg_demo_begin(struct mg_demo *demo, const struct mg_demo_node *node,
                        const char *const *args, struct mg_demo_child **child, struct mg_error *err)
{
    const char *all[ARGS_MAX] = {"--dir", node->dir, "--json"};
    char what[64];
    int count = 3;
    if (demo->clock[0] != '\0') {
        all[count++] = "--clock-offset-file";
        all[count++] = demo->clock;
    }
    for (int i = 0; args[i] != NULL && count < ARGS_MAX - 1; i++) all[count++] = args[i];
    (void)snprintf(what, sizeof what, "`maillage %.24s` of %.24s", args[0], node->name);
    return mg_demo_start(&demo->run, what, "maillage", all, child, err);
}

mg_status mg_demo_read(const struct mg_demo_child *child, json_t **document, struct mg_error *err)
{
    json_error_t why;
    *document = json_load_file(child->out, 0, &why);
    if (*document != NULL) return MG_OK;
    return mg_fail(err, MG_FAILED, "%s printed no JSON document: %s", child->what, why.text);
}

mg_status mg_demo_do(struct mg_demo *demo, const struct mg_demo_node *node, const char *const *args,
                     json_t **document, struct mg_error *err)
{
    struct mg_demo_child *child;
    mg_status status = mg_demo_begin(demo, node, args, &child, err);
    if (status == MG_OK) status = mg_demo_wait(&demo->run, &child, 1, err);
    if (status == MG_OK) status = mg_demo_expect(child, 0, err);
    if (status == MG_OK && document != NULL) status = mg_demo_read(child, document, err);
    return status;
}

mg_status mg_demo_row(struct mg_demo *demo, const struct mg_demo_node *node, const char *sql,
                      json_t **row, struct mg_error *err)
{
    json_t *rows = NULL;
    mg_status status = mg_demo_do(demo, node, MG_ARGS("sql", sql), &rows, err);
    if (status != MG_OK) return status;
    *row = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    if (*row != NULL) return MG_OK;
    return mg_fail(err, MG_FAILED, "%s has no row for: %s", node->name, sql);
}

mg_status mg_demo_number(struct mg_demo *demo, const struct mg_demo_node *node, const char *sql,
                         int64_t *number, struct mg_error *err)
{
    json_t *row = NULL;
    mg_status status = mg_demo_row(demo, node, sql, &row, err);
    if (status != MG_OK) return status;
    *number = json_integer_value(json_object_iter_value(json_object_iter(row)));
    json_decref(row);
    return MG_OK;
}

int64_t mg_demo_int(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *mg_demo_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

/* --- building it --- */

static void place_node(struct mg_demo *demo, struct mg_demo_node *node, const char *code,
                       const char *name)
{
    char dir[PATH_MAX]; /* NODE is inside DEMO, and printing from an object into itself is undefined */
    int len = snprintf(dir, sizeof dir, "%s/%s", demo->run.dir, name);
    if (len < 0 || (size_t)len >= sizeof dir) len = 0;
    memcpy(node->dir, dir, (size_t)len);
    node->dir[len] = '\0';
    node->code = code;
    node->name = name;
}

static void place_nodes(struct mg_demo *demo)
{
    mg_assert(mg_antenna_count == MG_DEMO_ANTENNAS);
    place_node(demo, &demo->hub, "", "hub");
    for (int i = 0; i < MG_DEMO_ANTENNAS; i++) {
        const struct mg_antenna *antenna = &mg_antennas[i];
        int total = strcmp(antenna->plie, "martigues") == 0 ? DOSSIERS_MARTIGUES : DOSSIERS_AIX;
        struct mg_demo_node *node = &demo->antennas[i];
        place_node(demo, node, antenna->code, strrchr(antenna->code, '/') + 1);
        node->dossiers = mg_demo_share(antenna->code, demo->small ? total / SMALLER : total);
    }
}

/* Two advisers for each antenna, and one person for companies: what a dossier's `referent` refers
 * to. Names from the lists hold no quote. */
static mg_status add_advisers(struct mg_demo *demo, struct mg_error *err)
{
    static const struct {
        const char *prefix, *suffix, *role;
    } posts[] = {{"aae", "-1", "adviser"}, {"aae", "-2", "adviser"}, {"cre", "", "cre"}};
    struct mg_demo_dice dice = mg_demo_dice((uint64_t)demo->seed, "colleagues");
    char *sql = NULL;
    size_t len = 0;
    FILE *text = mg_need(open_memstream(&sql, &len));
    for (int i = 0; i < MG_DEMO_ANTENNAS; i++) {
        const struct mg_demo_node *node = &demo->antennas[i];
        for (int p = 0; p < 3; p++) {
            char name[MG_DEMO_NAME_MAX];
            mg_demo_colleague(&dice, name);
            (void)fprintf(text,
                          "INSERT INTO adviser(code, name, antenna, role)"
                          " VALUES('%s-%s%s', '%s', '%s', '%s');\n",
                          posts[p].prefix, node->name, posts[p].suffix, name, node->code,
                          posts[p].role);
        }
    }
    (void)fclose(text);
    mg_status status =
        mg_demo_do(demo, &demo->hub, MG_ARGS("sql", "--write", mg_need(sql)), NULL, err);
    free(sql);
    return status;
}

/* The packs that come with the programs. */
static mg_status publish_packs(struct mg_demo *demo, struct mg_error *err)
{
    static const char *const packs[] = {"pays-d-aix-2013-2017", "pays-d-aix-2018-2022", "martigues-2020"};
    mg_status status = MG_OK;
    for (size_t i = 0; i < sizeof packs / sizeof *packs && status == MG_OK; i++) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/../share/maillage/packs/%s.yaml", demo->run.programs, packs[i]);
        if (len < 0 || (size_t)len >= sizeof path) return mg_fail(err, MG_FAILED, "the path of the programs is too long");
        status = mg_demo_do(demo, &demo->hub, MG_ARGS("rules", "publish", path), NULL, err);
    }
    if (status == MG_OK) mg_demo_say(demo, "the hub has signed the rules of both PLIEs, each with its own test cases");
    return status;
}

mg_status mg_demo_serve(struct mg_demo *demo, struct mg_demo_node *node, struct mg_error *err)
{
    const char *args[8] = {"--dir", node->dir}, *ready = "ready";
    char what[64], rest[sizeof demo->address];
    int count = 2;
    (void)snprintf(what, sizeof what, "maillaged of %.40s", node->name);
    if (demo->clock[0] != '\0') {
        args[count++] = "--clock-offset-file";
        args[count++] = demo->clock;
    }
    if (node == &demo->hub) {
        args[count++] = "--listen";
        args[count++] = demo->address[0] == '\0' ? "127.0.0.1:0" : demo->address;
        ready = "listening on ";
    }
    mg_status status = mg_demo_start(&demo->run, what, "maillaged", args, &node->daemon, err);
    if (status == MG_OK) status = mg_demo_wait_line(&demo->run, node->daemon, ready, rest, sizeof rest, err);
    if (status == MG_OK && node == &demo->hub) memcpy(demo->address, rest, sizeof rest);
    return status;
}

void mg_demo_shut(struct mg_demo *demo, struct mg_demo_node *node)
{
    if (node->daemon != NULL) mg_demo_stop(&demo->run, node->daemon);
    node->daemon = NULL;
}

static mg_status start_hub(struct mg_demo *demo, struct mg_error *err)
{
    mg_status status =
        mg_demo_do(demo, &demo->hub, MG_ARGS("hub", "init", "--name", "Métropole"), NULL, err);
    if (status == MG_OK) status = add_advisers(demo, err);
    if (status == MG_OK) status = publish_packs(demo, err);
    if (status == MG_OK) status = mg_demo_serve(demo, &demo->hub, err);
    if (status == MG_OK)
        mg_demo_say(demo, "the hub listens on %s, process %ld", demo->address, (long)demo->hub.daemon->pid);
    return status;
}

static mg_status join(struct mg_demo *demo, const struct mg_demo_node *node,
                      struct mg_demo_child **child, struct mg_error *err)
{
    json_t *invitation = NULL;
    mg_status status = mg_demo_do(demo, &demo->hub,
                                  MG_ARGS("hub", "invite", "--name", node->name, "--scope",
                                          node->code, "--hub", demo->address),
                                  &invitation, err);
    if (status == MG_OK)
        status = mg_demo_begin(demo, node, MG_ARGS("join", mg_demo_text(invitation, "code")), child,
                               err);
    json_decref(invitation);
    return status;
}

static mg_status expect_all(struct mg_demo *demo, struct mg_demo_child *const *children,
                            struct mg_error *err)
{
    mg_status status = mg_demo_wait(&demo->run, children, MG_DEMO_ANTENNAS, err);
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        status = mg_demo_expect(children[i], 0, err);
    return status;
}

static mg_status join_all(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_child *children[MG_DEMO_ANTENNAS] = {NULL};
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        status = join(demo, &demo->antennas[i], &children[i], err);
    if (status == MG_OK) status = expect_all(demo, children, err);
    if (status == MG_OK)
        mg_demo_say(demo,
                    "%d antennas have joined, each with a one-time invitation for its own scope",
                    MG_DEMO_ANTENNAS);
    return status;
}

/* --- the dossiers --- */

static mg_status start_fill(struct mg_demo *demo, const struct mg_demo_node *node,
                            struct mg_demo_child **child, struct mg_error *err)
{
    char seed[24], count[16];
    (void)snprintf(seed, sizeof seed, "%lld", (long long)demo->seed);
    (void)snprintf(count, sizeof count, "%d", node->dossiers);
    return mg_demo_begin(
        demo, node, MG_ARGS("demo-fill", "--seed", seed, "--count", count, "--antenna", node->code),
        child, err);
}

static mg_status tell_fill(struct mg_demo *demo, struct mg_demo_child *const *children,
                           struct mg_error *err)
{
    mg_status status = MG_OK;
    int64_t dossiers = 0, rows = 0;
    mg_demo_say(demo, "  %-18s %9s %11s %8s %8s", "antenna", "dossiers", "interviews", "rows",
                "seconds");
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        json_t *done = NULL;
        status = mg_demo_read(children[i], &done, err);
        mg_demo_say(demo, "  %-18s %9lld %11lld %8lld %8.2f", demo->antennas[i].name,
                    (long long)mg_demo_int(done, "dossiers"),
                    (long long)mg_demo_int(done, "interviews"),
                    (long long)mg_demo_int(done, "rows"), children[i]->seconds);
        dossiers += mg_demo_int(done, "dossiers");
        rows += mg_demo_int(done, "rows");
        json_decref(done);
    }
    mg_demo_say(demo, "  %-18s %9lld %11s %8lld", "together", (long long)dossiers, "",
                (long long)rows);
    json_object_set_new(demo->summary, "dossiers", json_integer(dossiers));
    json_object_set_new(demo->summary, "rows", json_integer(rows));
    return status;
}

static mg_status fill_all(struct mg_demo *demo, struct mg_error *err)
{
    struct mg_demo_child *children[MG_DEMO_ANTENNAS] = {NULL};
    mg_status status = MG_OK;
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++)
        status = start_fill(demo, &demo->antennas[i], &children[i], err);
    if (status == MG_OK) status = expect_all(demo, children, err);
    if (status == MG_OK) status = tell_fill(demo, children, err);
    return status;
}

mg_status mg_demo_found(struct mg_demo *demo, struct mg_error *err)
{
    place_nodes(demo);
    mg_demo_chapter(demo, "A hub and eight antennas, each a directory and processes of its own");
    mg_demo_say(demo, "in %s", demo->run.dir);
    mg_status status = start_hub(demo, err);
    return status == MG_OK ? join_all(demo, err) : status;
}

mg_status mg_demo_build(struct mg_demo *demo, struct mg_error *err)
{
    mg_status status = mg_demo_found(demo, err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "The antennas write their dossiers, all at once");
    return fill_all(demo, err);
}
