/*
 * test_releases.c - what a released version wrote is read for ever.
 *
 * tests/golden/releases/ has a directory for each release since the first: the stores of a hub and of a node, one session
 * that they held, byte by byte, and the digests that it came to. The present version opens the stores, takes the node's
 * part and the hub's part of that session, and holds a session of its own from where it began.
 *
 *   test_releases --make DIR     writes such a directory for the present version, at a release
 *
 * A session's ciphertext can be replayed because its chance can be: both ephemeral keys are the same again, and nothing but
 * the two keys and the preamble goes into the handshake. What a side says need not be what it said then; what it hears is.
 *
 *   session = (side, u32 length, bytes) ...      side: 'n' what the node sent, 'h' what the hub sent; big-endian
 */
#include "tests/support/world.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "daemon/perform.h"

#define MDFJ "martigues/mdfj"
#define MSP "martigues/msp-port-de-bouc"

enum { RECORD_MAX = 4 * 1024 * 1024, PIECE = 16 * 1024 };

static struct mg_workshop workshop;

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    assert_in_range(vsnprintf(command, sizeof command, format, args), 1, sizeof command - 1);
    va_end(args);
    if (system(command) != 0) fail_msg("%s", command);
}

/* --- a store with a time and a chance of its own --- */

struct place {
    char dir[300];
    int64_t now_ms;
    unsigned drawn[65]; /* draws of each length */
    struct mg_env env;
    struct mg_store *store;
};

static int64_t now_ms(void *context)
{
    struct place *place = context;
    return place->now_ms += 10;
}

/* The n-th draw of a length is the same whatever else is drawn: an older program may have drawn in another order. */
static void draw(void *context, void *out, size_t len)
{
    struct place *place = context;
    uint8_t seed[randombytes_SEEDBYTES] = {(uint8_t)len};
    unsigned n = place->drawn[len < 64 ? len : 64]++;
    memcpy(seed + 1, &n, sizeof n);
    randombytes_buf_deterministic(out, len, seed);
}

static void open_place(struct place *place, const char *dir, const char *name, int64_t now, bool hub)
{
    struct mg_error err = {""};
    memset(place, 0, sizeof *place);
    assert_in_range(snprintf(place->dir, sizeof place->dir, "%s/%s", dir, name), 1, sizeof place->dir - 1);
    place->now_ms = now;
    place->env = (struct mg_env){.context = place, .now_ms = now_ms, .random = draw};
    if (mg_store_open(place->dir, &place->env, &place->store, &err) != MG_OK) fail_msg("%s: %s", place->dir, err.text);
    if (!hub) return;
    assert_int_equal(mg_apply_begin(place->store, &err), MG_OK);
    assert_int_equal(mg_hub_start(place->store, &err), MG_OK);
    assert_int_equal(mg_apply_commit(place->store, &err), MG_OK);
}

static void close_place(struct place *place)
{
    mg_store_close(place->store);
    place->store = NULL;
}

/* --- one side of a session --- */

struct side {
    struct place *place;
    struct mg_session *session;
    struct mg_buf out; /* not carried yet */
    char letter;
    bool closed;
    mg_status status;
    struct mg_error error;
    struct mg_figures figures;
};

static mg_status perform(struct mg_store *store, const struct mg_effect *effect, struct mg_error *err)
{
    if (mg_store_op_is_aside(effect->request->op)) return mg_perform(store, effect->request, effect->result, err);
    mg_status status = mg_apply_begin(store, err);
    if (status != MG_OK) return status;
    status = mg_perform(store, effect->request, effect->result, err);
    if (status == MG_OK) return mg_apply_commit(store, err);
    mg_apply_rollback(store);
    return status;
}

static void drive(struct side *side, struct mg_buf *record)
{
    struct mg_effect effect;
    while (!side->closed && mg_session_next(side->session, &effect)) {
        if (effect.kind == MG_EFFECT_STORE) {
            struct mg_error err = {""};
            mg_status status = perform(side->place->store, &effect, &err);
            mg_session_done(side->session, effect.ticket, status, &err, 0);
        } else if (effect.kind == MG_EFFECT_SEND) {
            mg_buf_put(&side->out, effect.send.data, effect.send.len);
            if (record == NULL) continue;
            uint8_t head[5] = {(uint8_t)side->letter};
            for (int i = 0; i < 4; i++) head[1 + i] = (uint8_t)(effect.send.len >> (24 - 8 * i));
            mg_buf_put(record, head, sizeof head);
            mg_buf_put(record, effect.send.data, effect.send.len);
        } else {
            side->closed = true;
            side->status = effect.close->status;
            side->error = effect.close->error;
            side->figures = effect.close->figures;
        }
    }
}

static void begin(struct side *side, struct place *place, bool hub)
{
    struct mg_error err = {""};
    uint8_t ephemeral[MG_KEY_LEN];
    memset(side, 0, sizeof *side);
    memset(ephemeral, hub ? 0x22 : 0x11, sizeof ephemeral);
    side->place = place;
    side->letter = hub ? 'h' : 'n';
    mg_buf_init(&side->out, RECORD_MAX);
    struct mg_session_params params = {.workshop = &workshop, .identity = mg_store_identity(place->store), .ephemeral = ephemeral};
    mg_status status = hub ? mg_session_new_hub(&params, &side->session, &err) : mg_session_new_node(&params, &side->session, &err);
    assert_int_equal(status, MG_OK);
    if (!hub) assert_int_equal(mg_runs_begin(place->store, MG_TRIGGER_ASKED, 0, &err), MG_OK);
}

static void end(struct side *side)
{
    if (!side->closed) mg_session_lost(side->session, 0);
    drive(side, NULL);
    assert_true(side->closed);
    mg_runs_forget(side->place->store);
    mg_session_free(side->session);
    mg_buf_free(&side->out);
    if (side->status != MG_OK) fail_msg("%s ended with %d: %s", side->place->dir, side->status, side->error.text);
}

static void hear(struct side *side, const uint8_t *data, size_t len)
{
    for (size_t fed = 0; fed < len && !side->closed; fed += PIECE) {
        size_t piece = len - fed < PIECE ? len - fed : PIECE;
        mg_session_feed(side->session, (struct mg_bytes){data + fed, piece}, 0);
        drive(side, NULL);
    }
}

static struct mg_figures converse(struct place *hub, struct place *node, struct mg_buf *record)
{
    struct side sides[2];
    begin(&sides[0], node, false);
    begin(&sides[1], hub, true);
    for (int quiet = 0, at = 0; quiet < 2; at = 1 - at) {
        struct side *from = &sides[at], *to = &sides[1 - at];
        drive(from, record);
        quiet = from->out.len == 0 ? quiet + 1 : 0;
        size_t len = from->out.len;
        if (!to->closed)
            for (size_t fed = 0; fed < len && !to->closed; fed += PIECE) {
                mg_session_feed(to->session, (struct mg_bytes){from->out.data + fed, len - fed < PIECE ? len - fed : PIECE}, 0);
                drive(to, record);
            }
        mg_buf_clear(&from->out);
    }
    struct mg_figures figures = sides[0].figures;
    for (int i = 0; i < 2; i++) end(&sides[i]);
    return figures;
}

/* PLACE's part of a session that is known: it hears what it heard then. */
static struct mg_figures replay(struct place *place, bool hub, struct mg_bytes record)
{
    struct side side;
    begin(&side, place, hub);
    drive(&side, NULL);
    for (size_t at = 0; at < record.len;) {
        assert_true(record.len - at >= 5);
        const uint8_t *head = record.data + at;
        size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        assert_true(record.len - at - 5 >= len);
        if (head[0] != (uint8_t)side.letter) hear(&side, head + 5, len);
        at += 5 + len;
    }
    struct mg_figures figures = side.figures;
    bool closed = side.closed;
    end(&side);
    return closed ? figures : side.figures;
}

/* --- what it came to --- */

static void tell_digests(struct place *place, char letter, char text[4096])
{
    struct mg_standing standing;
    struct mg_error err = {""};
    size_t len = strlen(text);
    assert_int_equal(mg_stand(place->store, &standing, &err), MG_OK);
    for (int i = 0; i < standing.digest_count; i++) {
        char digest[2 * MG_DIGEST_LEN + 1], verdicts[2 * MG_DIGEST_LEN + 1];
        sodium_bin2hex(digest, sizeof digest, standing.digests[i].digest, MG_DIGEST_LEN);
        sodium_bin2hex(verdicts, sizeof verdicts, standing.digests[i].verdicts, MG_DIGEST_LEN);
        len += (size_t)snprintf(text + len, 4096 - len, "%c %s/ %s %s\n", letter, standing.digests[i].scope, digest, verdicts);
        assert_true(len < 4096);
    }
}

static void write_file(const char *dir, const char *name, const void *data, size_t len)
{
    char path[400];
    assert_in_range(snprintf(path, sizeof path, "%s/%s", dir, name), 1, sizeof path - 1);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static struct mg_bytes read_file(const char *dir, const char *name)
{
    char path[400];
    assert_in_range(snprintf(path, sizeof path, "%s/%s", dir, name), 1, sizeof path - 1);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s is missing", path);
    uint8_t *data = malloc(RECORD_MAX);
    assert_non_null(data);
    size_t len = fread(data, 1, RECORD_MAX - 1, file);
    assert_int_equal(fclose(file), 0);
    data[len] = '\0';
    return (struct mg_bytes){data, len};
}

/* --- making one --- */

static const char licence[] = "migration: 1\nchanges:\n  - add: participant.driving_licence\n    type: enum\n    values: [none, b]\n"
                              "  - table: housing\n    of: participant\n  - add: housing.rent\n    type: cents\n    max: 500000\n";

/* A hub and three nodes with something of everything: conflicts, deletions, a dossier that moved, a pack, a migration. */
static void live(struct world *w)
{
    enum { ANNE = 1, BASTIEN, CHLOE };
    char moved[MG_ID_TEXT_LEN + 1], fought[MG_ID_TEXT_LEN + 1], firm[MG_ID_TEXT_LEN + 1], parent[MG_ID_TEXT_LEN + 20];
    struct mg_error err;
    int number;
    world_open(w, 7);
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    assert_int_equal(world_join(w, "bastien", MDFJ), BASTIEN);
    assert_int_equal(world_join(w, "chloe", MSP), CHLOE);
    world_publish(w, NULL);
    assert_int_equal(mg_migrate(world_store(w, HUB), (struct mg_bytes){(const uint8_t *)licence, strlen(licence)}, "m", false, &number, &err), MG_OK);
    world_sync_all(w);
    world_add(w, ANNE, "participant", moved, "family_name=Roux", "driving_licence=b", NULL);
    world_add(w, ANNE, "participant", fought, "family_name=Blanc", NULL);
    world_add(w, BASTIEN, "employer", firm, "name=Lafarge", NULL);
    snprintf(parent, sizeof parent, "participant=%s", moved);
    world_add(w, ANNE, "housing", NULL, parent, "rent=45000", NULL);
    world_sync_all(w);
    world_set(w, ANNE, "participant", fought, "level", "III");
    world_set(w, BASTIEN, "participant", fought, "level", "VI");
    world_set(w, ANNE, "participant", moved, "antenna", MSP);
    world_remove(w, BASTIEN, "employer", firm);
    world_sync_all(w);
    world_set(w, BASTIEN, "participant", fought, "phone", "0442");
    world_sync(w, BASTIEN);
    world_set(w, ANNE, "participant", fought, "level", "IV"); /* waits for the session that is recorded */
    world_add(w, ANNE, "participant", NULL, "family_name=Durand", NULL);
    w->now_ms += 3600000;
}

static void make(const char *dir)
{
    struct world world;
    struct place hub, node;
    struct mg_buf record;
    char text[4096] = "", when[32];
    live(&world);
    for (int i = 0; i < world.count; i++) {
        mg_store_close(world.nodes[i].store);
        world.nodes[i].store = NULL;
    }
    shell("mkdir -p '%s' && cp -r '%s' '%s/hub' && cp -r '%s' '%s/node' && rm -f '%s'/*/*.lock", dir, world.nodes[0].dir, dir, world.nodes[1].dir, dir, dir);
    shell("cp -r '%s' '%s/live'", dir, world.dir);
    snprintf(when, sizeof when, "%" PRId64 "\n", world.now_ms);
    char work[400];
    snprintf(work, sizeof work, "%s/live", world.dir);
    open_place(&hub, work, "hub", world.now_ms, true);
    open_place(&node, work, "node", world.now_ms, false);
    mg_buf_init(&record, RECORD_MAX);
    struct mg_figures figures = converse(&hub, &node, &record);
    assert_true(figures.complete && figures.digests_agree && figures.verdicts_agree && figures.pushed == 2 && figures.pulled > 0);
    tell_digests(&hub, 'h', text);
    tell_digests(&node, 'n', text);
    close_place(&hub);
    close_place(&node);
    write_file(dir, "when", when, strlen(when));
    write_file(dir, "session", record.data, record.len);
    write_file(dir, "digests", text, strlen(text));
    mg_buf_free(&record);
    world_close(&world);
}

/* --- reading one --- */

static void expect_sound(struct place *place)
{
    struct mg_verify_report report;
    struct mg_error err = {""};
    if (mg_verify_store(place->store, &report, &err) != MG_OK) fail_msg("%s: %s", place->dir, err.text);
    assert_true(report.commits > 0);
}

static void check(const char *dir)
{
    char work[300] = "release-XXXXXX", text[4096] = "";
    struct place hub, node;
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    if (build != NULL) assert_in_range(snprintf(work, sizeof work, "%s/release-XXXXXX", build), 1, sizeof work - 1);
    print_message("%s\n", dir);
    assert_non_null(mkdtemp(work));
    struct mg_bytes record = read_file(dir, "session"), when = read_file(dir, "when"), digests = read_file(dir, "digests");
    int64_t now = strtoll((const char *)when.data, NULL, 10);
    assert_true(now > 0 && record.len > 0);
    /* Each side hears what it heard then, and comes to what it came to. */
    shell("cp -r '%s/hub' '%s/node' '%s'", dir, dir, work);
    open_place(&hub, work, "hub", now, true);
    open_place(&node, work, "node", now, false);
    expect_sound(&hub);
    expect_sound(&node);
    (void)replay(&hub, true, record);
    tell_digests(&hub, 'h', text);
    struct mg_figures figures = replay(&node, false, record);
    assert_true(figures.complete && figures.digests_agree && figures.verdicts_agree);
    tell_digests(&node, 'n', text);
    assert_string_equal(text, (const char *)digests.data);
    expect_sound(&hub);
    expect_sound(&node);
    close_place(&hub);
    close_place(&node);
    /* And a session of the present version, from where that one began. */
    shell("rm -r '%s/hub' '%s/node' && cp -r '%s/hub' '%s/node' '%s'", work, work, dir, dir, work);
    open_place(&hub, work, "hub", now, true);
    open_place(&node, work, "node", now, false);
    figures = converse(&hub, &node, NULL);
    assert_true(figures.complete && figures.digests_agree && figures.verdicts_agree && figures.waiting == 0);
    figures = converse(&hub, &node, NULL);
    assert_true(figures.complete && figures.digests_agree && figures.pushed == 0 && figures.pulled == 0);
    close_place(&hub);
    close_place(&node);
    shell("rm -r '%s'", work);
    free((void *)(uintptr_t)record.data);
    free((void *)(uintptr_t)when.data);
    free((void *)(uintptr_t)digests.data);
}

static void the_present_version_reads_itself(void **state)
{
    char dir[300] = "release-XXXXXX";
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    (void)state;
    if (build != NULL) assert_in_range(snprintf(dir, sizeof dir, "%s/release-XXXXXX", build), 1, sizeof dir - 1);
    assert_non_null(mkdtemp(dir));
    make(dir);
    check(dir);
    shell("rm -r '%s'", dir);
}

/* A directory that was damaged is told: the test could fail. */
static void what_is_damaged_is_noticed(void **state)
{
    char dir[300] = "release-XXXXXX";
    struct place node;
    (void)state;
    const char *build = getenv("MAILLAGE_BUILD_DIR");
    if (build != NULL) assert_in_range(snprintf(dir, sizeof dir, "%s/release-XXXXXX", build), 1, sizeof dir - 1);
    assert_non_null(mkdtemp(dir));
    make(dir);
    struct mg_bytes record = read_file(dir, "session"), when = read_file(dir, "when");
    uint8_t *bytes = (uint8_t *)(uintptr_t)record.data;
    bytes[record.len - 1] ^= 1; /* of the last that was said: END is before it, so go back to the hub's last word */
    size_t last = 0;
    for (size_t at = 0; at < record.len;) {
        if (bytes[at] == 'h') last = at;
        at += 5 + ((size_t)bytes[at + 1] << 24 | (size_t)bytes[at + 2] << 16 | (size_t)bytes[at + 3] << 8 | bytes[at + 4]);
    }
    bytes[last + 5 + 10] ^= 1;
    open_place(&node, dir, "node", strtoll((const char *)when.data, NULL, 10), false);
    struct side side;
    begin(&side, &node, false);
    drive(&side, NULL);
    for (size_t at = 0; at < record.len;) {
        size_t len = (size_t)bytes[at + 1] << 24 | (size_t)bytes[at + 2] << 16 | (size_t)bytes[at + 3] << 8 | bytes[at + 4];
        if (bytes[at] == 'h') hear(&side, bytes + at + 5, len);
        at += 5 + len;
    }
    assert_true(side.closed);
    assert_int_equal(side.status, MG_UNREACHABLE);
    mg_runs_forget(node.store);
    mg_session_free(side.session);
    mg_buf_free(&side.out);
    close_place(&node);
    shell("rm -r '%s'", dir);
    free(bytes);
    free((void *)(uintptr_t)when.data);
}

static void every_release_is_read(void **state)
{
    char dir[400], one[800];
    const char *end_of_root = strstr(__FILE__, "tests/golden/");
    int count = 0;
    (void)state;
    assert_non_null(end_of_root);
    snprintf(dir, sizeof dir, "%.*stests/golden/releases", (int)(end_of_root - __FILE__), __FILE__);
    DIR *releases = opendir(dir);
    if (releases == NULL) {
        print_message("there is no release yet, so nothing in tests/golden/releases\n");
        skip();
        return;
    }
    for (struct dirent *entry; (entry = readdir(releases)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(one, sizeof one, "%s/%s", dir, entry->d_name);
        check(one);
        count++;
    }
    closedir(releases);
    assert_true(count > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_present_version_reads_itself),
        cmocka_unit_test(what_is_damaged_is_noticed),
        cmocka_unit_test(every_release_is_read),
    };
    if (sodium_init() < 0 || mg_workshop_init(&workshop) != MG_OK) return 1;
    if (argc == 3 && strcmp(argv[1], "--make") == 0) {
        make(argv[2]);
        return 0;
    }
    int failed = cmocka_run_group_tests_name("releases", tests, NULL, NULL);
    mg_workshop_free(&workshop);
    return failed;
}
