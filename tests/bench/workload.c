/* workload.c - see workload.h. */
#include "tests/bench/workload.h"

#include <stdlib.h>
#include <string.h>

#include "tests/bench/measure.h"
#include "tests/support/dice.h"

enum { WORDS = 400, FIELDS_MAX = 13, ARENA = 16 * 1024 * 1024, STRIDE = 7919 /* a prime */ };

static uint64_t state;

static uint64_t chance(void) { return dice_next(&state); }

static const char *pick(const char *const *list, size_t count) { return list[chance() % count]; }
#define PICK(list) pick(list, sizeof(list) / sizeof *(list))

/* A UUID of version 7. */
static void make_id(uint64_t ms, uint8_t id[ID_LEN])
{
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(ms >> (40 - 8 * i));
    for (int i = 6; i < ID_LEN; i++) id[i] = (uint8_t)(chance() >> 24);
    id[6] = (uint8_t)(0x70 | (id[6] & 0x0f));
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
}

static void make_date(char text[11], int from, int years)
{
    snprintf(text, 11, "%04d-%02d-%02d", from + (int)(chance() % (uint64_t)years), 1 + (int)(chance() % 12), 1 + (int)(chance() % 28));
}

static char words[WORDS][12];

static void make_words(void)
{
    static const char *const parts[] = {"re", "for", "ma", "tion", "pro", "jet", "par", "cours", "em", "ploi", "dos", "sier", "suivi", "en", "tre", "tien", "per", "mis", "lo", "ge", "ment", "sta", "ge", "con", "trat"};
    for (int i = 0; i < WORDS; i++) {
        words[i][0] = '\0';
        for (uint64_t n = 1 + chance() % 3; n > 0; n--) strncat(words[i], PICK(parts), sizeof words[i] - strlen(words[i]) - 1);
    }
}

static void make_note(char *text, size_t size)
{
    size_t len = 0;
    for (uint64_t n = 12 + chance() % 20; n > 0 && len + 14 < size; n--) {
        uint64_t word = chance() % WORDS * (chance() % WORDS) / WORDS; /* some words are frequent */
        len += (size_t)snprintf(text + len, size - len, len == 0 ? "%s" : " %s", words[word]);
    }
}

static const char *const inserts[] = {
    "INSERT INTO participant(id, antenna, family_name, given_name, sex, birth_date, commune, qpv, level, pole_emploi_id, entry_date, phone, email)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    "INSERT INTO interview(id, participant, held_on, note) VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO step(id, participant, kind, label, provider, starts_on, hours, ends_on) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};

/* --- made ahead, so that only the writing is measured --- */

struct workload_row {
    int table, count, ids;             /* the first IDS fields are ids, as 16 bytes */
    const char *fields[FIELDS_MAX];    /* NULL: empty */
};

static char *keep(struct workload *w, const void *bytes, size_t len)
{
    if (w->arena_left < len) {
        w->arena = malloc(ARENA);
        if (w->arena == NULL) abort();
        w->arena_left = ARENA; /* never freed: a benchmark ends soon */
    }
    char *at = memcpy(w->arena, bytes, len);
    w->arena += len;
    w->arena_left -= len;
    return at;
}

static void make_row(struct workload *w, int table, const char *const *fields, int count, int ids)
{
    struct workload_row *row = &w->rows[w->row_count++];
    *row = (struct workload_row){.table = table, .count = count, .ids = ids};
    for (int i = 0; i < count; i++)
        if (fields[i] != NULL) row->fields[i] = keep(w, fields[i], i < ids ? ID_LEN : strlen(fields[i]) + 1);
}

static void make_dossier(struct workload *w, uint64_t number, uint64_t *ms)
{
    static const char *const given[] = {"Camille", "Alice", "Nadia", "Karim", "Jean", "Marie", "Fatima", "Lucas", "Ines", "Paul", "Sonia", "Hugo"};
    static const char *const communes[] = {"13056", "13077", "13098"};
    static const char *const levels[] = {"I_II", "III", "IV", "V", "Vbis", "VI"};
    static const char *const kinds[] = {"training", "siae", "mobility", "immersion", "job_club", "other"};
    static const char *const labels[] = {"Remise \xc3\xa0 niveau", "Chantier d'insertion", "Permis B", "Immersion en entreprise", "Club Ambition", "Aide \xc3\xa0 la mobilit\xc3\xa9", "CACES", "FLE"};
    static const char *const providers[] = {"GRETA", "WIMOOV", "AFPA", "CIERES", "ADREP"};
    uint8_t id[ID_LEN], other[ID_LEN];
    char family[24], birth[11], entry[11], phone[16], mail[48], number_pe[12], date[11], end[11], note[400], hours[12];
    *ms += 1000 + chance() % 3600000;
    make_id(*ms, id);
    snprintf(family, sizeof family, "Nom%llu", (unsigned long long)(chance() % 5000));
    make_date(birth, 1955, 48);
    make_date(entry, 2018, 3);
    snprintf(phone, sizeof phone, "06%08llu", (unsigned long long)(chance() % 100000000));
    snprintf(mail, sizeof mail, "personne%llu@exemple.fr", (unsigned long long)number);
    snprintf(number_pe, sizeof number_pe, "%07llu%c", (unsigned long long)(chance() % 10000000), (char)('A' + chance() % 26));
    const char *const participant[] = {(const char *)id, WORKLOAD_ANTENNA, family, PICK(given), chance() % 2 ? "F" : "M", birth, PICK(communes),
                                       chance() % 5 ? "0" : "1", PICK(levels), number_pe, entry, phone, mail};
    make_row(w, 0, participant, 13, 1);
    *ms += 60000;
    make_id(*ms, other);
    make_date(date, 2018, 3);
    make_note(note, sizeof note);
    const char *const interview[] = {(const char *)other, (const char *)id, date, note};
    make_row(w, 1, interview, 4, 2);
    for (int k = 0; k < STEPS_EACH; k++) {
        *ms += 30000 + chance() % 60000;
        make_id(*ms, other);
        make_date(date, 2018, 3);
        make_date(end, 2018, 3);
        snprintf(hours, sizeof hours, "%llu", (unsigned long long)(chance() % 400));
        size_t what = chance() % 8;
        const char *const step[] = {(const char *)other, (const char *)id, PICK(kinds), labels[what], PICK(providers), date, hours, k < 2 ? end : NULL};
        make_row(w, 2, step, 8, 2);
        memcpy(w->steps[w->step_count++], other, ID_LEN);
    }
}

void workload_make(struct workload *w, uint64_t participants)
{
    uint64_t ms = UINT64_C(1600000000000);
    memset(w, 0, sizeof *w);
    state = 42;
    make_words();
    w->rows = calloc(participants * ROWS_EACH, sizeof *w->rows);
    w->steps = malloc(participants * STEPS_EACH * ID_LEN);
    if (w->steps == NULL || w->rows == NULL) abort();
    for (uint64_t i = 1; i <= participants; i++) make_dossier(w, i, &ms);
}

static void write_csv(FILE *csv, const struct workload_row *row)
{
    for (int i = 0; i < row->count; i++) {
        if (i > 0) (void)fputc(',', csv);
        for (int k = 0; i < row->ids && k < ID_LEN; k++)
            (void)fprintf(csv, k == 4 || k == 6 || k == 8 || k == 10 ? "-%02x" : "%02x", ((const uint8_t *)row->fields[i])[k]);
        if (i >= row->ids && row->fields[i] != NULL) (void)fputs(row->fields[i], csv);
    }
    (void)fputc('\n', csv);
}

void workload_csv(const struct workload *w, FILE *csv)
{
    for (uint64_t i = 0; i < w->row_count; i++) write_csv(csv, &w->rows[i]);
}

static void write_row(sqlite3 *db, sqlite3_stmt *stmt, const struct workload_row *row)
{
    for (int i = 0; i < row->count; i++) {
        if (row->fields[i] == NULL) sqlite3_bind_null(stmt, i + 1);
        else if (i < row->ids) sqlite3_bind_blob(stmt, i + 1, row->fields[i], ID_LEN, SQLITE_STATIC);
        else sqlite3_bind_text(stmt, i + 1, row->fields[i], -1, SQLITE_STATIC);
    }
    must_sql(db, sqlite3_step(stmt));
    sqlite3_reset(stmt);
}

void workload_write(const struct workload *w, sqlite3 *db, workload_wrote wrote, void *context)
{
    sqlite3_stmt *stmts[3];
    for (int i = 0; i < 3; i++) must_sql(db, sqlite3_prepare_v2(db, inserts[i], -1, &stmts[i], NULL));
    for (uint64_t i = 0; i < w->row_count; i++) {
        write_row(db, stmts[w->rows[i].table], &w->rows[i]);
        if (wrote != NULL) wrote(context, i % ROWS_EACH == ROWS_EACH - 1);
    }
    for (int i = 0; i < 3; i++) sqlite3_finalize(stmts[i]);
}

void workload_free(struct workload *w)
{
    free(w->steps);
    free(w->rows);
    *w = (struct workload){.rows = NULL};
}

static void update(const struct workload *w, sqlite3 *db, uint64_t first, uint64_t count, uint64_t among, uint64_t seed, workload_wrote wrote,
                   void *context)
{
    sqlite3_stmt *stmt;
    state = seed;
    must_sql(db, sqlite3_prepare_v2(db, "UPDATE step SET hours = ?2 WHERE id = ?1", -1, &stmt, NULL));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = among > 0 ? chance() % among : (first + i) * STRIDE % w->step_count;
        sqlite3_bind_blob(stmt, 1, w->steps[which], ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, (int64_t)(400 + chance() % 90000)); /* never what it was */
        must_sql(db, sqlite3_step(stmt));
        sqlite3_reset(stmt);
        if (wrote != NULL) wrote(context, false);
    }
    sqlite3_finalize(stmt);
}

void workload_update(const struct workload *w, sqlite3 *db, uint64_t count, uint64_t seed, workload_wrote wrote, void *context)
{
    update(w, db, 0, count, w->step_count, seed, wrote, context);
}

void workload_update_each(const struct workload *w, sqlite3 *db, uint64_t first, uint64_t count, uint64_t seed, workload_wrote wrote, void *context)
{
    update(w, db, first, count, 0, seed, wrote, context);
}
