/*
 * test_capture.c - what people's own connection writes is noted as it stands in the end, whatever was undone on the way.
 *
 * The judge is the hub: after a session its tables hold what the node's hold, and the trail verifies, which it would not
 * if a row had changed without its version record.
 */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MDFJ "martigues/mdfj"
#define ROW "x'0174876EC65079A685D05FF4092F4A51'"

enum { ANNE = 1 };
typedef char id_text[MG_ID_TEXT_LEN + 1];

static struct world world, *const w = &world;
static bool is_open;

static void open_antenna(uint64_t seed)
{
    world_open(w, seed);
    is_open = true;
    assert_int_equal(world_join(w, "anne", MDFJ), ANNE);
    world_sync_all(w);
}

static int close_world(void **state)
{
    (void)state;
    if (is_open) world_close(w);
    is_open = false;
    return 0;
}

static sqlite3 *db(void) { return mg_store_db(world_store(w, ANNE)); }
static int run_as(sqlite3 *client, const char *sql) { return sqlite3_exec(client, sql, NULL, NULL, NULL); }
static int run(const char *sql) { return run_as(db(), sql); }

static int64_t commits(void) { return strtoll(world_read(w, ANNE, "SELECT count(*) FROM mg_commit"), NULL, 10); }

/* Every row of the tables that are written here, as text; to be freed. */
static char *dump(int node)
{
    return strdup(world_read(w, node,
                             "SELECT group_concat(r, char(10) ORDER BY r) FROM ("
                             "SELECT 'p' || hex(id) || ' ' || family_name || ' ' || ifnull(phone, '-') AS r FROM participant UNION ALL "
                             "SELECT 'i' || hex(id) || ' ' || hex(participant) || ' ' || ifnull(place, '-') || ' ' || ifnull(note, '-') FROM interview UNION ALL "
                             "SELECT 'e' || hex(id) || ' ' || name || ' ' || ifnull(siret, '-') || ' ' || plie FROM employer)"));
}

static void expect_hub_has_it(void)
{
    world_sync(w, ANNE);
    char *here = dump(ANNE), *there = dump(0);
    assert_string_equal(here, there);
    free(here);
    free(there);
    world_expect_agreement(w);
    world_expect_verified(w);
}

/* SQL in a person's transaction; what it gave. */
static mg_status edit(const char *sql)
{
    struct mg_error err = {""};
    w->now_ms += 1000;
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    if (run(sql) != SQLITE_OK) fail_msg("%s: %s", sqlite3_errmsg(db()), sql);
    return mg_edit_commit(world_store(w, ANNE), &err);
}

/* The same by a client that has nothing of ours. */
static void foreign(int node, const char *sql)
{
    sqlite3 *client = world_foreign(w, node);
    w->now_ms += 1000;
    assert_int_equal(run_as(client, "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE"), SQLITE_OK);
    if (run_as(client, sql) != SQLITE_OK || run_as(client, "COMMIT") != SQLITE_OK) fail_msg("%s: %s", sqlite3_errmsg(client), sql);
    sqlite3_close(client);
    world_reopen(w, node);
}

static void open_with_rows(uint64_t seed)
{
    open_antenna(seed);
    assert_int_equal(edit("INSERT INTO participant(id, antenna, family_name) VALUES (x'0174876EC65079A685D05FF4092F4A00', '" MDFJ "', 'Un'),"
                          " (x'0174876EC65079A685D05FF4092F4A01', '" MDFJ "', 'Deux');"
                          "INSERT INTO interview(id, participant, place) SELECT " ROW ", id, 7 FROM participant WHERE family_name = 'Un'"),
                     MG_OK);
    expect_hub_has_it();
}

static void what_is_undone_was_never_written(void **state)
{
    (void)state;
    static const char *const undone[] = {
        "INSERT INTO interview(participant, place) SELECT id, 8 FROM participant",
        "UPDATE interview SET place = 9, note = 'autre'",
        "DELETE FROM interview",
        "UPDATE interview SET place = 9; DELETE FROM interview",
        "DELETE FROM interview; INSERT INTO interview(id, participant, place) SELECT " ROW ", id, 8 FROM participant WHERE family_name = 'Un'",
        "DELETE FROM interview; INSERT INTO interview(participant) SELECT id FROM participant",
        "INSERT INTO employer(name, siret) VALUES ('Utile', '12345678901234'); DELETE FROM employer",
    };
    open_with_rows(1);
    for (size_t i = 0; i < sizeof undone / sizeof *undone; i++) {
        char sql[400];
        int64_t before = commits();
        char *was = dump(ANNE);
        (void)snprintf(sql, sizeof sql, "SAVEPOINT a; %s; ROLLBACK TO a; RELEASE a", undone[i]);
        assert_int_equal(edit(sql), MG_OK);
        char *is = dump(ANNE);
        assert_string_equal(is, was);
        if (commits() != before) fail_msg("a commit of nothing: %s", undone[i]);
        free(was);
        free(is);
    }
    expect_hub_has_it();
}

static void a_value_put_back_was_never_changed(void **state)
{
    (void)state;
    open_with_rows(2);
    int64_t before = commits();
    assert_int_equal(edit("UPDATE interview SET place = 8; UPDATE interview SET place = 7"), MG_OK);
    assert_int_equal(edit("DELETE FROM interview; INSERT INTO interview(id, participant, place) SELECT " ROW
                          ", id, 7 FROM participant WHERE family_name = 'Un'"),
                     MG_OK);
    assert_int_equal(commits(), before);
    /* What is written over is what the hub has, not what stood there in between. */
    assert_int_equal(edit("UPDATE interview SET place = 8; DELETE FROM interview"), MG_OK);
    assert_int_equal(edit("INSERT INTO interview(id, participant, note) SELECT " ROW ", id, 'de retour' FROM participant WHERE family_name = 'Un'"), MG_OK);
    assert_int_equal(commits(), before + 2);
    expect_hub_has_it();
    assert_string_equal(world_read(w, 0, "SELECT ifnull(place, '-') || note FROM interview"), "-de retour");
}

static void half_a_statement_leaves_nothing(void **state)
{
    (void)state;
    struct mg_error err;
    open_with_rows(3);
    int64_t before = commits();
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    /* The second row fails, when the first was noted. */
    assert_int_not_equal(run("INSERT INTO interview(id, participant) SELECT iif(family_name = 'Un', randomblob(16), " ROW "), id FROM participant ORDER BY family_name DESC"),
                         SQLITE_OK);
    assert_int_equal(mg_edit_commit(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(commits(), before);
    expect_hub_has_it();
}

/* As DELETE and INSERT: what is not given is empty afterwards. To other clients it is refused (test_engine). */
static void replace_is_a_deletion_and_an_insertion(void **state)
{
    (void)state;
    open_with_rows(4);
    assert_int_equal(edit("UPDATE interview SET note = 'N'"), MG_OK);
    assert_int_equal(edit("REPLACE INTO interview(id, participant, place) SELECT id, participant, 8 FROM interview"), MG_OK);
    expect_hub_has_it();
    assert_string_equal(world_read(w, 0, "SELECT place || ifnull(note, '-') FROM interview"), "8-");
    assert_int_equal(edit("DELETE FROM interview; REPLACE INTO interview(id, participant, place) SELECT " ROW
                          ", id, 9 FROM participant WHERE family_name = 'Un'"),
                     MG_OK);
    assert_int_equal(edit("INSERT INTO interview(id, participant, place) SELECT id, participant, 10 FROM interview WHERE true"
                          " ON CONFLICT (id) DO UPDATE SET place = excluded.place"),
                     MG_OK);
    expect_hub_has_it();
    assert_string_equal(world_read(w, 0, "SELECT place FROM interview"), "10");
    /* The adviser's code is unique, and names a row with another id. */
    world_sql(w, 0, "INSERT INTO adviser(code, name) VALUES ('a1', 'Ada'), ('b1', 'Bea')");
    world_sql(w, 0, "UPDATE OR REPLACE adviser SET name = 'Eve' WHERE code = 'a1'; REPLACE INTO adviser(id, code, name) VALUES (x'0174876EC65079A685D05FF4092F7A00', 'b1', 'Zoe')");
    world_sync(w, ANNE);
    assert_string_equal(world_read(w, ANNE, "SELECT group_concat(code || name ORDER BY code) FROM adviser"), "a1Eve,b1Zoe");
    world_expect_agreement(w);
}

static void nothing_is_committed_that_was_not_noted(void **state)
{
    (void)state;
    struct mg_error err;
    sqlite3_blob *blob;
    open_with_rows(5);
    char *was = dump(ANNE);
    assert_int_equal(run("UPDATE interview SET place = 8"), SQLITE_CONSTRAINT_COMMITHOOK);
    assert_int_equal(run("BEGIN; UPDATE interview SET place = 8"), SQLITE_OK);
    assert_int_equal(run("COMMIT"), SQLITE_CONSTRAINT_COMMITHOOK);
    assert_int_equal(sqlite3_get_autocommit(db()), 1);
    assert_int_equal(run("BEGIN; UPDATE interview SET place = 8; ROLLBACK"), SQLITE_OK);
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(run("UPDATE interview SET place = 8"), SQLITE_OK);
    assert_int_equal(run("COMMIT"), SQLITE_CONSTRAINT_COMMITHOOK);
    mg_edit_rollback(world_store(w, ANNE));
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    int64_t row = strtoll(world_read(w, ANNE, "SELECT rowid FROM participant WHERE family_name = 'Un'"), NULL, 10);
    assert_int_equal(sqlite3_blob_open(db(), "main", "participant", "family_name", row, 1, &blob), SQLITE_OK);
    (void)sqlite3_blob_write(blob, "XX", 2, 0);
    (void)sqlite3_blob_close(blob);
    assert_int_not_equal(mg_edit_commit(world_store(w, ANNE), &err), MG_OK);
    char *is = dump(ANNE);
    assert_string_equal(is, was);
    free(was);
    free(is);
    assert_int_equal(edit("UPDATE interview SET place = 8"), MG_OK);
    expect_hub_has_it();
}

/* Everything is deleted and comes again in another order, as a tool does that reads a table from a file: each row stands where
 * another stood, and there are more of them than the harvest takes at once. */
static void rows_change_places(void **state)
{
    (void)state;
    static const char again[] =
        "CREATE TEMP TABLE copy AS SELECT * FROM interview; DELETE FROM interview;"
        "INSERT INTO interview(id, participant, place) SELECT id, participant, iif(place % 7 = 0, place + 1, place) FROM copy ORDER BY place DESC; DROP TABLE copy;";
    open_with_rows(6);
    assert_int_equal(edit("DELETE FROM interview;"
                          "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 1500)"
                          "INSERT INTO interview(participant, place) SELECT p.id, i FROM k, participant p WHERE family_name = 'Un'"),
                     MG_OK);
    expect_hub_has_it();
    assert_int_equal(edit(again), MG_OK);
    expect_hub_has_it();
    char *sql = sqlite3_mprintf("UPDATE interview SET note = 'x' WHERE place < 9; %s", again);
    foreign(ANNE, sql);
    sqlite3_free(sql);
    expect_hub_has_it();
    assert_string_equal(world_read(w, 0, "SELECT count(*) || ' ' || count(note) || ' ' || sum(place %% 7 = 0) FROM interview"), "1500 0 0");
}

/* A row comes back at the place of one that is deleted for good, with more between them than the harvest takes at once. */
static void a_row_takes_the_place_of_a_deleted_one(void **state)
{
    (void)state;
    static const char taken[] =
        "CREATE TEMP TABLE copy AS SELECT * FROM interview WHERE place = 800; DELETE FROM interview WHERE place = 800;"
        "UPDATE interview SET note = ifnull(note, '') || 'x' WHERE place < 700; DELETE FROM interview WHERE place = 799;"
        "INSERT INTO interview(id, participant, place) SELECT id, participant, place FROM copy; DROP TABLE copy;";
    open_with_rows(7);
    for (int own = 0; own <= 1; own++) {
        assert_int_equal(edit("DELETE FROM interview;"
                              "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 800)"
                              "INSERT INTO interview(participant, place) SELECT p.id, i FROM k, participant p WHERE family_name = 'Un'"),
                         MG_OK);
        expect_hub_has_it();
        if (own == 1) assert_int_equal(edit(taken), MG_OK);
        else foreign(ANNE, taken);
        expect_hub_has_it();
    }
}

static void what_another_client_deletes_is_deleted(void **state)
{
    (void)state;
    static const char row[] = "INSERT INTO interview(id, participant, place) SELECT " ROW ", id, 8 FROM participant WHERE family_name = 'Un';";
    char sql[600];
    open_with_rows(8);
    (void)snprintf(sql, sizeof sql, "DELETE FROM interview; %s DELETE FROM interview;", row);
    foreign(ANNE, sql);
    expect_hub_has_it();
    assert_string_equal(world_read(w, 0, "SELECT count(*) FROM interview"), "0");
    foreign(ANNE, row);
    expect_hub_has_it();
    foreign(ANNE, "UPDATE interview SET place = 9; DELETE FROM interview;");
    expect_hub_has_it();
    /* What comes after the deletion is no change before it. */
    foreign(ANNE, row);
    int64_t before = commits();
    (void)snprintf(sql, sizeof sql, "DELETE FROM interview; %s UPDATE interview SET place = 10;", row);
    foreign(ANNE, sql);
    assert_int_equal(commits(), before + 1);
    expect_hub_has_it();
    /* The node that held the dossier hears of its end, wherever the hub's client moved it first. */
    foreign(0, "UPDATE participant SET antenna = (SELECT code FROM antenna WHERE code <> '" MDFJ "' LIMIT 1) WHERE family_name = 'Deux';"
               "DELETE FROM participant WHERE family_name = 'Deux';");
    expect_hub_has_it();
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM participant"), "1");
}

/* A note that is held back, because of text that nobody could read, has a deletion beside it. */
static void text_that_nobody_could_read_goes_with_its_row(void **state)
{
    (void)state;
    open_with_rows(9);
    foreign(ANNE, "UPDATE interview SET note = CAST(x'41C3A9A9' AS TEXT); DELETE FROM interview;");
    assert_int_equal(world_standing(w, ANNE).held_back, 0);
    expect_hub_has_it();
    assert_int_equal(edit("INSERT INTO interview(id, participant, place) SELECT " ROW ", id, 8 FROM participant WHERE family_name = 'Un'"), MG_OK);
    expect_hub_has_it();
    foreign(ANNE, "UPDATE interview SET note = CAST(x'41C3A9A9' AS TEXT)");
    assert_int_equal(world_standing(w, ANNE).held_back, 1);
    assert_int_equal(edit("DELETE FROM interview"), MG_OK);
    assert_int_equal(edit("UPDATE participant SET phone = '0'"), MG_OK);
    assert_int_equal(world_standing(w, ANNE).held_back, 0);
    expect_hub_has_it();
}

/* The id that follows from a key may be another row's: that is held back, and the store opens all the same. */
static void an_id_that_cannot_be_derived_holds_its_row_back(void **state)
{
    (void)state;
    char sql[300];
    open_with_rows(10);
    assert_int_equal(edit("INSERT INTO employer(name, siret) VALUES ('E', '12345678901234')"), MG_OK);
    (void)snprintf(sql, sizeof sql, "INSERT INTO employer(id, name) VALUES (x'%s', 'A'); INSERT INTO employer(name, siret) VALUES ('B', '12345678901234');",
                   world_read(w, ANNE, "SELECT hex(id) FROM employer"));
    assert_int_equal(edit("DELETE FROM employer"), MG_OK);
    foreign(ANNE, sql);
    assert_int_equal(world_standing(w, ANNE).held_back, 1);
    assert_int_equal(edit("DELETE FROM employer WHERE name = 'A'"), MG_OK);
    assert_int_equal(edit("UPDATE participant SET phone = '0'"), MG_OK);
    assert_int_equal(world_standing(w, ANNE).held_back, 0);
    expect_hub_has_it();
    /* Where it stands in the end is where it stood before what was undone. */
    assert_int_equal(edit("INSERT INTO employer(id, name, siret) VALUES (x'0174876EC65079A685D05FF4092F6A02', 'F', '12345678901235');"
                          "SAVEPOINT a; INSERT INTO employer(name) VALUES ('G'); DELETE FROM employer WHERE name = 'F';"
                          "INSERT INTO employer(id, name, siret) VALUES (x'0174876EC65079A685D05FF4092F6A02', 'F', '12345678901235'); ROLLBACK TO a; RELEASE a"),
                     MG_OK);
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM employer WHERE name = 'F' AND id = x'0174876EC65079A685D05FF4092F6A02'"), "0");
    expect_hub_has_it();
}

static void what_follows_a_derived_id_is_one_commit(void **state)
{
    (void)state;
    open_with_rows(11);
    for (int own = 0; own <= 1; own++) {
        char sql[400];
        int64_t before = commits();
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO employer_contact(id, employer, note) VALUES (x'0174876EC65079A685D05FF4092F6B0%d', x'0174876EC65079A685D05FF4092F6A0%d', 'C');"
                       "INSERT INTO employer(id, name, siret) VALUES (x'0174876EC65079A685D05FF4092F6A0%d', 'E', '1234567890123%d');",
                       own, own, own, own);
        if (own == 1) assert_int_equal(edit(sql), MG_OK);
        else foreign(ANNE, sql);
        assert_int_equal(edit("UPDATE participant SET phone = ifnull(phone, '') || '0'"), MG_OK);
        assert_int_equal(commits(), before + 2);
        expect_hub_has_it();
    }
}

static void sqlites_own_rollback_commits_nothing(void **state)
{
    (void)state;
    struct mg_error err;
    open_with_rows(12);
    int64_t before = commits();
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(run("UPDATE interview SET place = 8"), SQLITE_OK);
    assert_int_not_equal(run("INSERT OR ROLLBACK INTO interview(id, participant) SELECT id, participant FROM interview"), SQLITE_OK);
    assert_int_equal(mg_edit_commit(world_store(w, ANNE), &err), MG_REFUSED);
    assert_int_equal(run("BEGIN"), SQLITE_OK);
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_FAILED);
    assert_int_equal(run("ROLLBACK"), SQLITE_OK);
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    assert_int_equal(run("INSERT INTO interview(rowid, participant) SELECT 0, id FROM participant WHERE family_name = 'Un'"), SQLITE_OK);
    assert_int_equal(mg_edit_commit(world_store(w, ANNE), &err), MG_REFUSED);
    assert_int_equal(commits(), before);
    assert_int_equal(edit("UPDATE interview SET place = 8"), MG_OK);
    expect_hub_has_it();
}

/* --- anything, from a seed --- */

static unsigned any(unsigned below) { return (unsigned)(world_chance(w) % below); }

static const char *statement(char *sql, size_t size)
{
    unsigned p = any(4), i = any(6), e = any(3), n = any(5);
    switch (any(13)) {
    case 0: (void)snprintf(sql, size, "INSERT INTO participant(id, antenna, family_name) VALUES (x'0174876EC65079A685D05FF4092F4A%02X', '" MDFJ "', 'N%u')", p, n); break;
    case 1:
    case 2: (void)snprintf(sql, size, "INSERT INTO interview(id, participant, place) VALUES (x'0174876EC65079A685D05FF4092F5A%02X', x'0174876EC65079A685D05FF4092F4A%02X', %u)", i, p, n); break;
    case 3: (void)snprintf(sql, size, "INSERT INTO employer(id, name) VALUES (x'0174876EC65079A685D05FF4092F6A%02X', 'E%u')", e, n); break;
    case 4: (void)snprintf(sql, size, "INSERT INTO employer(name, siret) VALUES ('E%u', '1234567890123%u')", n, e); break;
    case 5: (void)snprintf(sql, size, "UPDATE participant SET phone = '%u' WHERE id = x'0174876EC65079A685D05FF4092F4A%02X'", n, p); break;
    case 6: (void)snprintf(sql, size, "UPDATE interview SET place = %u, note = iif(place = %u, note, 'n%u')", n, i, n); break;
    case 7: (void)snprintf(sql, size, "UPDATE interview SET place = %u WHERE id = x'0174876EC65079A685D05FF4092F5A%02X'", n, i); break;
    case 8: (void)snprintf(sql, size, "UPDATE employer SET name = 'E%u', siret = ifnull(siret, '1234567890123%u')", n, e); break;
    case 9: (void)snprintf(sql, size, "DELETE FROM interview WHERE id = x'0174876EC65079A685D05FF4092F5A%02X'", i); break;
    case 10: (void)snprintf(sql, size, "DELETE FROM interview WHERE place < %u; DELETE FROM participant WHERE id NOT IN (SELECT participant FROM interview)", n); break;
    case 11: (void)snprintf(sql, size, "DELETE FROM employer WHERE name = 'E%u'", n); break;
    default:
        (void)snprintf(sql, size,
                       "INSERT INTO interview(id, participant, place) VALUES (x'0174876EC65079A685D05FF4092F5A%02X', x'0174876EC65079A685D05FF4092F4A%02X', %u)"
                       " ON CONFLICT (id) DO UPDATE SET place = excluded.place",
                       i, p, n);
        break;
    }
    return sql;
}

/* Some of it fails, and some is undone. */
static void write_anything(sqlite3 *client)
{
    char sql[400];
    bool saved = false;
    for (unsigned steps = 1 + any(8); steps > 0; steps--) {
        if (!saved && any(4) == 0) saved = run_as(client, "SAVEPOINT a") == SQLITE_OK;
        (void)run_as(client, statement(sql, sizeof sql));
        if (!saved || any(3) != 0) continue;
        assert_int_equal(run_as(client, any(2) == 0 ? "RELEASE a" : "ROLLBACK TO a; RELEASE a"), SQLITE_OK);
        saved = false;
    }
    if (saved) assert_int_equal(run_as(client, "RELEASE a"), SQLITE_OK);
}

/* Some transactions are refused as a whole. */
static void an_edit_of_anything(void)
{
    struct mg_error err;
    assert_int_equal(mg_edit_begin(world_store(w, ANNE), &err), MG_OK);
    write_anything(db());
    char *written = dump(ANNE);
    mg_status status = mg_edit_commit(world_store(w, ANNE), &err);
    if (status != MG_OK && status != MG_REFUSED) fail_msg("%s", err.text);
    if (status == MG_OK && written[0] != 'e' && strstr(written, "\ne") == NULL) { /* an employer's id may have been derived anew */
        char *is = dump(ANNE);
        assert_string_equal(is, written);
        free(is);
    }
    free(written);
}

/* The same by a client that has nothing of ours: the triggers' notes are folded as the others are. */
static void a_foreign_transaction_of_anything(void)
{
    sqlite3 *client = world_foreign(w, ANNE);
    assert_int_equal(run_as(client, "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE"), SQLITE_OK);
    write_anything(client);
    if (run_as(client, "COMMIT") != SQLITE_OK) assert_int_equal(run_as(client, "ROLLBACK"), SQLITE_OK);
    sqlite3_close(client);
    world_reopen(w, ANNE);
}

static void anything_is_noted_as_it_stands_in_the_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        open_antenna(seed);
        for (int i = 0; i < 100; i++) {
            w->now_ms += 1000;
            if (seed % 2 == 0 && any(3) == 0) a_foreign_transaction_of_anything();
            else an_edit_of_anything();
            if (world_standing(w, ANNE).held_back > 0) break; /* another story */
            if (any(4) == 0) expect_hub_has_it();
        }
        if (world_standing(w, ANNE).held_back == 0) expect_hub_has_it();
        (void)close_world(NULL);
    }
}

/* As no trigger writes them. */
static void notes_that_say_nothing_change_nothing(void **state)
{
    (void)state;
    char sql[512];
    open_antenna(15);
    assert_int_equal(edit("INSERT INTO participant(id, antenna, family_name) VALUES (" ROW ", '" MDFJ "', 'Durand')"), MG_OK);
    int64_t before = commits();
    int participant = mg_schema_table(mg_store_schema(world_store(w, ANNE)), "participant");
    sqlite3 *client = world_foreign(w, ANNE);
    snprintf(sql, sizeof sql,
             "INSERT INTO mg_note(t, row, id, mask) SELECT %d, rowid, id, 1 << 31 FROM participant;"
             "INSERT INTO mg_note(t, row, id, mask) VALUES (63, 1, " ROW ", 1), (-1, 1, " ROW ", -1), (1000, 1, " ROW ", -2)",
             participant);
    assert_int_equal(run_as(client, sql), SQLITE_OK);
    sqlite3_close(client);
    assert_int_equal(edit("SELECT 1"), MG_OK);
    assert_int_equal(commits(), before);
    assert_string_equal(world_read(w, ANNE, "SELECT count(*) FROM mg_note"), "0");
    expect_hub_has_it();
}

/* Its values are not all kept in memory: those of later rows are read again, also of one that stands where another was undone. */
static void a_very_large_transaction_is_whole(void **state)
{
    (void)state;
    open_antenna(14);
    assert_int_equal(edit("INSERT INTO participant(id, antenna, family_name) VALUES (" ROW ", '" MDFJ "', 'Durand');"
                          "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 6000)"
                          " INSERT INTO interview(participant, place, note) SELECT " ROW ", 'lieu ' || i, printf('%.3500c', 'x') || i FROM k;"
                          "SAVEPOINT s; INSERT INTO interview(rowid, participant, place) VALUES (90000, " ROW ", 'non'); ROLLBACK TO s; RELEASE s;"
                          "INSERT INTO interview(rowid, participant, place) VALUES (90000, " ROW ", 'oui')"),
                     MG_OK);
    expect_hub_has_it();
    assert_string_equal(world_read(w, 0, "SELECT count(*) || ' ' || count(DISTINCT note) || ' ' || sum(place = 'oui') || sum(place = 'non') FROM interview"),
                        "6001 6000 10");
}

#define story(name) cmocka_unit_test_teardown(name, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(what_is_undone_was_never_written),
        story(a_value_put_back_was_never_changed),
        story(half_a_statement_leaves_nothing),
        story(replace_is_a_deletion_and_an_insertion),
        story(nothing_is_committed_that_was_not_noted),
        story(rows_change_places),
        story(a_row_takes_the_place_of_a_deleted_one),
        story(what_another_client_deletes_is_deleted),
        story(text_that_nobody_could_read_goes_with_its_row),
        story(an_id_that_cannot_be_derived_holds_its_row_back),
        story(what_follows_a_derived_id_is_one_commit),
        story(sqlites_own_rollback_commits_nothing),
        story(notes_that_say_nothing_change_nothing),
        story(a_very_large_transaction_is_whole),
        story(anything_is_noted_as_it_stands_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
