/*
 * test_commit_columns.c - commits come back from columns byte for byte, also where rows are told by name; hostile columns do
 * not; salts are told for the commits that are there and for no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/columns.h"
#include "core/engine.h"

static uint64_t chance = 1;

static uint64_t draw(uint64_t below)
{
    chance = chance * 6364136223846793005U + 1442695040888963407U;
    return (chance >> 33) % below;
}

static void draw_bytes(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)draw(256);
}

static const uint8_t secret[MG_SIGN_SECRET_LEN] = {7};
static const struct mg_salts own = {.secret = secret, .incarnation = 99};

/* --- commits as anybody may have made them --- */

static uint8_t known_ids[8][MG_ID_LEN];

static void put_some_id(struct mg_buf *out)
{
    uint8_t id[MG_ID_LEN];
    if (draw(2)) memcpy(id, known_ids[draw(8)], sizeof id);
    else draw_bytes(id, sizeof id);
    mg_mp_put_bin(out, id, sizeof id);
}

static void put_some_value(struct mg_buf *out)
{
    static const char text[] = "Entretien de suivi, \xc3\xa0 rappeler";
    switch (draw(6)) {
    case 0: mg_mp_put_nil(out); break;
    case 1: mg_mp_put_int(out, (int64_t)draw(1000) - 500); break;
    case 2: mg_mp_put_int(out, draw(2) ? INT64_MIN : INT64_MAX); break;
    case 3: mg_mp_put_str(out, text, draw(20)); break;
    case 4: put_some_id(out); break;
    default: mg_mp_put_bin(out, text, draw(sizeof text)); break;
    }
}

static void put_some_op(struct mg_buf *out)
{
    uint64_t mask = draw(3) == 0 ? 0 : draw(64);
    mg_mp_put_array(out, 4 + (uint32_t)__builtin_popcountll(mask));
    mg_mp_put_uint(out, draw(MG_TABLES_MAX));
    mg_mp_put_uint(out, draw(4));
    put_some_id(out);
    mg_mp_put_uint(out, mask);
    for (; mask != 0; mask &= mask - 1) put_some_value(out);
}

static void put_some_group(struct mg_buf *out, bool has_salt)
{
    uint8_t bytes[MG_HASH_LEN];
    uint32_t ops = (uint32_t)draw(4);
    draw_bytes(bytes, sizeof bytes);
    if (draw(4) == 0) {
        mg_mp_put_bin(out, bytes, MG_HASH_LEN);
        return;
    }
    mg_mp_put_array(out, ops + (has_salt ? 1 : 2));
    if (!has_salt) mg_mp_put_bin(out, bytes, 16);
    if (draw(3) == 0) mg_mp_put_nil(out);
    else put_some_id(out);
    for (uint32_t i = 0; i < ops; i++) put_some_op(out);
}

/* What no honest node writes, and a hub keeps all the same. */
static void put_odd_body(struct mg_buf *out)
{
    mg_mp_put_array(out, 2);
    if (draw(2)) mg_mp_put_str(out, "odd", 3);
    else mg_mp_put_array(out, 0);
    mg_mp_put_bool(out, true);
}

static void put_some_commit(struct mg_buf *out, uint64_t seq)
{
    static const char *const scopes[] = {"", "martigues", "martigues/mdfj"};
    struct mg_buf body;
    struct mg_commit commit = {.seq = seq, .scope = scopes[draw(3)], .hlc = (UINT64_C(1790000000000) + draw(1000)) << 16 | draw(3)};
    mg_buf_init(&body, 1024 * 1024);
    commit.seen_count = (uint8_t)draw(4);
    for (int i = 0; i < commit.seen_count; i++) commit.seen[i] = (struct mg_position){1 + draw(30), draw(INT64_MAX)};
    commit.has_salt = draw(4) != 0;
    if (draw(2)) assert_true(mg_salt_of(&own, seq, commit.salt));
    else draw_bytes(commit.salt, sizeof commit.salt);
    commit.has_base = draw(8) == 0;
    if (commit.has_base) {
        commit.base_incarnation = draw(INT64_MAX);
        commit.base_seq = draw(1000);
    }
    uint32_t groups = (uint32_t)draw(4);
    if (draw(8) == 0) put_odd_body(&body);
    else {
        mg_mp_put_array(&body, groups);
        for (uint32_t i = 0; i < groups; i++) put_some_group(&body, commit.has_salt);
    }
    commit.body = mg_buf_bytes(&body);
    mg_commit_write(out, &commit);
    mg_buf_free(&body);
}

static uint32_t some_commits(uint64_t seed, uint32_t most, struct mg_buf *commits)
{
    chance = seed;
    draw_bytes(known_ids[0], sizeof known_ids);
    uint64_t seq = 1 + draw(2000);
    uint32_t count = 1 + (uint32_t)draw(most);
    mg_buf_init(commits, 1024 * 1024);
    for (uint32_t i = 0; i < count; i++, seq += draw(10) == 0 ? 2 : 1) put_some_commit(commits, seq);
    assert_false(commits->failed);
    return count;
}

/* --- names, as a replica may give them that holds every row with an even first byte --- */

enum { NAME_LEN = 5, NAMES_MAX = 4096 };

static struct {
    uint8_t ids[NAMES_MAX][MG_ID_LEN];
    int count, told, dossiers;
} held;

static int shorten(void *context, int table, const uint8_t id[MG_ID_LEN])
{
    (void)context, (void)table;
    if (id[0] & 1) return 0;
    assert_true(held.count < NAMES_MAX);
    memcpy(held.ids[held.count++], id, MG_ID_LEN);
    held.told++;
    return NAME_LEN;
}

static bool find(void *context, struct mg_bytes scope, int table, const uint8_t *name, int len, uint8_t id[MG_ID_LEN])
{
    (void)context, (void)scope, (void)table;
    for (int i = 0; i < held.count && len == NAME_LEN; i++) {
        if (memcmp(held.ids[i], name, NAME_LEN) != 0) continue;
        memcpy(id, held.ids[i], MG_ID_LEN);
        return true;
    }
    return false;
}

static bool dossier(void *context, int table, const uint8_t id[MG_ID_LEN], uint8_t dossier[MG_ID_LEN])
{
    (void)context, (void)table;
    memcpy(dossier, known_ids[0], MG_ID_LEN);
    held.dossiers += (id[0] & 1) == 0;
    return (id[0] & 1) == 0;
}

static int target(void *context, int table, int column)
{
    (void)context;
    return (table + column) % 3 == 0 ? table : -1;
}

static struct mg_names names = {.shorten = shorten, .find = find, .dossier = dossier, .target = target, .head = 4};
static struct mg_names *by; /* what is read and written with; NULL: whole ids */

static mg_status back(struct mg_bytes columns, struct mg_buf *commits, uint32_t *count)
{
    struct mg_mp_reader in;
    struct mg_bytes seeds;
    mg_mp_read(&in, columns.data, columns.len);
    mg_commits_from_columns(&in, by, commits, count, &seeds);
    return mg_mp_done(&in) ? MG_OK : MG_BAD_BYTES;
}

static void commits_come_back(void **state)
{
    by = *state;
    memset(&held, 0, sizeof held);
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct mg_buf commits, columns, again;
        uint32_t count = some_commits(seed, 60, &commits), came;
        mg_buf_init(&columns, 1024 * 1024);
        mg_buf_init(&again, 1024 * 1024);
        held.count = 0;
        mg_commits_to_columns(mg_buf_bytes(&commits), count, &own, by, &columns);
        assert_false(columns.failed);
        assert_int_equal(back(mg_buf_bytes(&columns), &again, &came), MG_OK);
        assert_int_equal(came, count);
        assert_int_equal(again.len, commits.len);
        assert_memory_equal(again.data, commits.data, commits.len);
        mg_buf_free(&commits);
        mg_buf_free(&columns);
        mg_buf_free(&again);
    }
    if (by != NULL) assert_true(held.told > 1000 && held.dossiers > 100);
}

/* A byte changed is refused, or is other commits: there is one way to write them. */
static void no_byte_is_without_meaning(void **state)
{
    by = *state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct mg_buf commits, columns, again;
        uint32_t count = some_commits(seed, 12, &commits), came;
        mg_buf_init(&columns, 1024 * 1024);
        held.count = 0;
        mg_commits_to_columns(mg_buf_bytes(&commits), count, &own, by, &columns);
        for (size_t at = 0; at < columns.len; at++) {
            uint8_t kept = columns.data[at];
            for (int bit = 0; bit < 8; bit++) {
                columns.data[at] = kept ^ (uint8_t)(1 << bit);
                mg_buf_init(&again, MG_BATCH_COMMITS_MAX);
                bool same = back(mg_buf_bytes(&columns), &again, &came) == MG_OK && again.len == commits.len &&
                            memcmp(again.data, commits.data, commits.len) == 0;
                if (same) fail_msg("byte %zu of %zu (seed %d) means nothing", at, columns.len, (int)seed);
                mg_buf_free(&again);
            }
            columns.data[at] = kept;
        }
        for (size_t len = 0; len < columns.len; len++) {
            mg_buf_init(&again, MG_BATCH_COMMITS_MAX);
            assert_int_equal(back((struct mg_bytes){columns.data, len}, &again, &came), MG_BAD_BYTES);
            mg_buf_free(&again);
        }
        mg_buf_free(&commits);
        mg_buf_free(&columns);
    }
}

/* An update in a dossier as people make it: what is told by name is shorter, what is not held is refused, and so is what
 * a reader without rows is told by name. */
static void a_name_is_short_and_needs_its_row(void **state)
{
    (void)state;
    struct mg_buf commits, body, whole, named, again;
    uint8_t row[MG_ID_LEN];
    uint32_t came;
    by = &names;
    held.count = 0;
    draw_bytes(row, sizeof row);
    row[0] &= 0xfe;
    mg_buf_init(&commits, 4096);
    mg_buf_init(&body, 4096);
    mg_buf_init(&whole, 4096);
    mg_buf_init(&named, 4096);
    mg_buf_init(&again, 4096);
    struct mg_op op = {.table = 5, .kind = MG_OP_WRITE, .mask = 2, .values[1] = {.kind = MG_INT, .integer = 7}};
    memcpy(op.id, row, sizeof row);
    mg_mp_put_array(&body, 1);
    mg_mp_put_array(&body, 2);
    mg_mp_put_bin(&body, known_ids[0], MG_ID_LEN);
    mg_op_write(&body, &op);
    struct mg_commit commit = {.seq = 1, .scope = "", .has_salt = true, .body = mg_buf_bytes(&body)};
    mg_commit_write(&commits, &commit);
    mg_commits_to_columns(mg_buf_bytes(&commits), 1, &own, NULL, &whole);
    mg_commits_to_columns(mg_buf_bytes(&commits), 1, &own, by, &named);
    assert_true(named.len + MG_ID_LEN < whole.len);
    assert_int_equal(back(mg_buf_bytes(&named), &again, &came), MG_OK);
    assert_true(names.used);
    assert_int_equal(again.len, commits.len);
    assert_memory_equal(again.data, commits.data, commits.len);
    /* One byte of names more than their lengths say. */
    uint8_t more[256], head[2 + NAME_LEN] = {0xc4, NAME_LEN};
    memcpy(head + 2, row, NAME_LEN);
    const uint8_t *at = memmem(named.data, named.len, head, sizeof head);
    assert_non_null(at);
    assert_true(named.len < sizeof more && named.data[0] == 0xc4);
    size_t before = (size_t)(at - named.data) + sizeof head;
    memcpy(more, named.data, before);
    memcpy(more + before + 1, named.data + before, named.len - before);
    more[before] = 0;
    more[before - sizeof head + 1]++;
    more[1]++;
    mg_buf_clear(&again);
    assert_int_equal(back((struct mg_bytes){more, named.len + 1}, &again, &came), MG_BAD_BYTES);
    held.count = 0;
    mg_buf_clear(&again);
    assert_int_equal(back(mg_buf_bytes(&named), &again, &came), MG_BAD_BYTES);
    assert_true(names.used);
    by = NULL;
    assert_int_equal(back(mg_buf_bytes(&named), &again, &came), MG_BAD_BYTES);
    assert_int_equal(back(mg_buf_bytes(&whole), &again, &came), MG_OK);
    by = &names;
    assert_int_equal(back(mg_buf_bytes(&whole), &again, &came), MG_OK);
    assert_false(names.used);
    mg_buf_free(&commits);
    mg_buf_free(&body);
    mg_buf_free(&whole);
    mg_buf_free(&named);
    mg_buf_free(&again);
}

/* What a batch makes is told whole, wherever in it the id is met first. */
static void a_row_of_the_batch_itself_is_told_whole(void **state)
{
    (void)state;
    struct mg_buf commits, body, columns;
    by = &names;
    held.told = held.count = 0;
    mg_buf_init(&commits, 4096);
    mg_buf_init(&body, 4096);
    mg_buf_init(&columns, 4096);
    struct mg_op insert = {.table = 5, .kind = MG_OP_INSERT, .id = {2, 3}}, refers = {.table = 6, .kind = MG_OP_INSERT, .id = {4, 5}, .mask = 1};
    refers.values[0] = (struct mg_value){.kind = MG_BLOB, .data = insert.id, .len = MG_ID_LEN};
    mg_mp_put_array(&body, 1);
    mg_mp_put_array(&body, 3);
    mg_mp_put_bin(&body, insert.id, MG_ID_LEN);
    mg_op_write(&body, &refers);
    mg_op_write(&body, &insert);
    struct mg_commit commit = {.seq = 1, .scope = "", .has_salt = true, .body = mg_buf_bytes(&body)};
    mg_commit_write(&commits, &commit);
    mg_commits_to_columns(mg_buf_bytes(&commits), 1, &own, by, &columns);
    assert_false(columns.failed);
    assert_int_equal(held.told, 0);
    mg_buf_free(&commits);
    mg_buf_free(&body);
    mg_buf_free(&columns);
}

/* A few bytes must not become more than the ceiling, nor cost the time of it. */
static void what_grows_too_large_is_refused(void **state)
{
    (void)state;
    by = NULL;
    struct mg_buf commits, columns, small;
    uint32_t count = some_commits(3, 60, &commits), came;
    mg_buf_init(&columns, 1024 * 1024);
    mg_commits_to_columns(mg_buf_bytes(&commits), count, &own, NULL, &columns);
    mg_buf_init(&small, commits.len - 1);
    assert_int_equal(back(mg_buf_bytes(&columns), &small, &came), MG_BAD_BYTES);
    mg_buf_free(&small);
    mg_buf_free(&columns);
    mg_buf_free(&commits);
}

/* More runs of commits than nodes can be told for: the rest of the salts go as bytes. */
static void salts_that_are_not_told_go_as_bytes(void **state)
{
    (void)state;
    by = NULL;
    enum { RUNS = MG_SALT_NODES_MAX + 40 };
    struct mg_buf commits, columns, again;
    uint32_t count = 0, came;
    mg_buf_init(&commits, 1024 * 1024);
    mg_buf_init(&columns, 1024 * 1024);
    mg_buf_init(&again, 1024 * 1024);
    for (uint64_t run = 1; run <= RUNS; run++)
        for (uint64_t i = 0; i < 4; i++, count++) {
            struct mg_commit commit = {.seq = 8 * run + i, .scope = "", .has_salt = true, .body = {(const uint8_t *)"\x90", 1}};
            assert_true(mg_salt_of(&own, commit.seq, commit.salt));
            mg_commit_write(&commits, &commit);
        }
    mg_commits_to_columns(mg_buf_bytes(&commits), count, &own, NULL, &columns);
    assert_int_equal(back(mg_buf_bytes(&columns), &again, &came), MG_OK);
    assert_int_equal(again.len, commits.len);
    assert_memory_equal(again.data, commits.data, commits.len);
    mg_buf_free(&commits);
    mg_buf_free(&columns);
    mg_buf_free(&again);
}

/* Whoever takes a batch in can give it out again: what is written is never longer than the commits. */
static void a_batch_is_never_longer_than_its_commits(void **state)
{
    (void)state;
    int as_columns = 0, listed = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct mg_buf commits, out, room;
        struct mg_batch batch = {.incarnation = 99, .first_seq = 1, .last_seq = 4000}, came;
        struct mg_mp_reader in;
        uint32_t count = some_commits(seed, 30, &commits);
        size_t head;
        batch.heads = (struct mg_bytes){(const uint8_t *)"\x91\x93\xa0\x01\xc4\x20" "01234567890123456789012345678901", 38};
        mg_buf_init(&out, 1024 * 1024);
        mg_buf_init(&room, MG_BATCH_COMMITS_MAX);
        mg_batch_write(&out, &batch, (struct mg_bytes){NULL, 0}, 0, &own, NULL);
        head = out.len;
        mg_buf_clear(&out);
        mg_batch_write(&out, &batch, mg_buf_bytes(&commits), count, &own, NULL);
        assert_true(out.len <= head + commits.len + 4);
        mg_mp_read(&in, out.data, out.len);
        mg_batch_read(&in, NULL, &came, &room);
        assert_true(mg_mp_done(&in));
        assert_int_equal(came.commit_count, count);
        assert_int_equal(came.commits.len, commits.len);
        assert_memory_equal(came.commits.data, commits.data, commits.len);
        if (came.commits.data == room.data) as_columns++;
        else listed++;
        /* A reader's ceiling holds for both ways of writing. */
        struct mg_buf small;
        mg_buf_init(&small, commits.len - 1);
        mg_mp_read(&in, out.data, out.len);
        mg_batch_read(&in, NULL, &came, &small);
        assert_non_null(in.error);
        mg_buf_free(&small);
        mg_buf_free(&commits);
        mg_buf_free(&out);
        mg_buf_free(&room);
    }
    assert_true(as_columns > 0 && listed > 0);
}

/* --- salts --- */

static void told_salts_are_those_and_no_others(void **state)
{
    (void)state;
    chance = 5;
    for (int round = 0; round < 300; round++) {
        uint64_t seqs[300], first = 1 + draw(5000);
        size_t count = 0;
        bool there[400] = {false};
        for (uint64_t i = 0; i < 300; i++)
            if (draw(20) != 0) {
                there[i] = true;
                seqs[count++] = first + i;
            }
        struct mg_buf nodes;
        mg_buf_init(&nodes, 64 * 1024);
        mg_salts_tell(&own, seqs, count, &nodes);
        struct mg_salts told = {.told = mg_buf_bytes(&nodes)};
        size_t said = 0;
        for (uint64_t i = 0; i < 400; i++) {
            uint8_t salt[MG_SALT_LEN], right[MG_SALT_LEN];
            if (!mg_salt_of(&told, first + i, salt)) continue;
            assert_true(there[i]);
            assert_true(mg_salt_of(&own, first + i, right));
            assert_memory_equal(salt, right, sizeof salt);
            said++;
        }
        if (first > 0) {
            uint8_t salt[MG_SALT_LEN];
            assert_false(mg_salt_of(&told, first - 1, salt));
        }
        assert_true(said * 2 > count); /* most of them, or it would be of no use */
        /* Who was told can tell a part of it, and says the same. */
        struct mg_buf fewer;
        mg_buf_init(&fewer, 64 * 1024);
        mg_salts_tell(&told, seqs, count / 2, &fewer);
        struct mg_salts part = {.told = mg_buf_bytes(&fewer)};
        for (size_t i = 0; i < count; i++) {
            uint8_t salt[MG_SALT_LEN], right[MG_SALT_LEN];
            if (!mg_salt_of(&part, seqs[i], salt)) continue;
            assert_true(i < count / 2);
            assert_true(mg_salt_of(&own, seqs[i], right));
            assert_memory_equal(salt, right, sizeof salt);
        }
        mg_buf_free(&fewer);
        mg_buf_free(&nodes);
    }
}

static void numbers_come_back(void **state)
{
    (void)state;
    static const uint64_t edges[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX, 0, UINT64_MAX - 1, 5};
    enum { EDGES = sizeof edges / sizeof *edges };
    for (int form = MG_INTS_STEPS; form <= MG_INTS_PLAIN; form++) {
        struct mg_ints ints;
        struct mg_ints_reader reader;
        struct mg_mp_reader in;
        struct mg_buf out;
        mg_buf_init(&out, 4096);
        mg_ints_init(&ints, (enum mg_ints_form)form, 4096);
        for (size_t i = 0; i < EDGES; i++) mg_ints_put(&ints, edges[i]);
        mg_ints_flush(&ints, &out);
        mg_mp_read(&in, out.data, out.len);
        mg_ints_read(&in, (enum mg_ints_form)form, &reader);
        for (size_t i = 0; i < EDGES; i++) assert_true(mg_ints_get(&reader) == edges[i]);
        assert_true(mg_ints_done(&reader));
        (void)mg_ints_get(&reader);
        assert_false(mg_ints_done(&reader));
        mg_ints_free(&ints);
        mg_buf_free(&out);
    }
}

static void longer_numbers_than_needed_are_refused(void **state)
{
    (void)state;
    static const uint8_t strange[][12] = {{2, 0x80, 0x00}, {3, 0xff, 0x80, 0x00}, {1, 0x80},
                                          {10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct mg_ints_reader reader = {.data = strange[i] + 1, .len = strange[i][0], .form = MG_INTS_PLAIN};
        (void)mg_ints_get(&reader);
        assert_true(reader.bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(longer_numbers_than_needed_are_refused),
        cmocka_unit_test(commits_come_back),
        cmocka_unit_test_prestate(commits_come_back, &names),
        cmocka_unit_test(no_byte_is_without_meaning),
        cmocka_unit_test_prestate(no_byte_is_without_meaning, &names),
        cmocka_unit_test(a_name_is_short_and_needs_its_row),
        cmocka_unit_test(a_row_of_the_batch_itself_is_told_whole),
        cmocka_unit_test(what_grows_too_large_is_refused),
        cmocka_unit_test(salts_that_are_not_told_go_as_bytes),
        cmocka_unit_test(a_batch_is_never_longer_than_its_commits),
        cmocka_unit_test(told_salts_are_those_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
