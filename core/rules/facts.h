/*
 * facts.h - what the rules may know of one dossier, in memory.
 *
 * The columns are a choice from the data dictionary: no name, address or note of a person reaches a rule. They come
 * from a store (dossier.c), or from a document (`rules eval`, the cases inside a pack) through mg_facts_add.
 */
#ifndef MG_CORE_RULES_FACTS_H
#define MG_CORE_RULES_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/schema.h"
#include "core/status.h"

/* The tables of a dossier that rules can see. X(table, columns...) Every one but participant has `id` first;
 * work_hours refers to its contract by that id. */
#define MG_FACT_TABLES(X)                                                                                              \
    X(participant, "id", "antenna", "sex", "birth_date", "commune", "qpv", "level", "pole_emploi_id",                  \
      "unemployed_since", "prescriber", "commission_date", "entry_date", "referent", "protocol", "carried_over")       \
    X(situation, "id", "code", "since", "until")                                                                       \
    X(brake, "id", "code", "since", "lifted_on")                                                                       \
    X(interview, "id", "held_on", "adviser")                                                                           \
    X(step, "id", "kind", "siae_kind", "starts_on", "ends_on", "hours", "qualifying", "cost_cents", "fse_funded",      \
      "opinion")                                                                                                       \
    X(contract, "id", "kind", "starts_on", "ends_on", "hours_month", "self_employed", "income_cents_month")            \
    X(work_hours, "contract", "month", "hours")                                                                        \
    X(exit, "id", "happened_on", "kind", "contract", "step", "validated_on")

enum mg_fact_table {
#define MG_X(name, ...) MG_FACT_##name,
    MG_FACT_TABLES(MG_X)
#undef MG_X
    MG_FACT_TABLE_COUNT
};

enum { MG_FACT_COLUMNS_MAX = 16, MG_FACT_ROWS_MAX = 10000 };

struct mg_fact_table_info {
    const char *name;
    const char *columns[MG_FACT_COLUMNS_MAX + 1]; /* NULL-ended */
    int column_count;
};
extern const struct mg_fact_table_info mg_fact_tables[MG_FACT_TABLE_COUNT];

/* A value: text (ids and dates too), an integer or NULL. */
struct mg_fact {
    enum { MG_FACT_NULL, MG_FACT_INT, MG_FACT_TEXT } kind;
    int32_t len;
    int64_t number;
    const char *text; /* not NUL-ended; in the facts' own memory */
};

struct mg_fact_rows {
    struct mg_fact *cells; /* row by row, column_count a row */
    int count, room;
};

struct mg_facts {
    struct mg_fact_rows rows[MG_FACT_TABLE_COUNT];
    bool overfull;     /* more than MG_FACT_ROWS_MAX rows of a table: cannot be judged */
    int64_t referents; /* values that the referent has at once: more than one after a merge */
    struct mg_fact_block *blocks;
};

void mg_facts_init(struct mg_facts *facts);
void mg_facts_clear(struct mg_facts *facts); /* keeps the memory */
void mg_facts_free(struct mg_facts *facts);

/* A new row, all NULL; its cells are borrowed until the next row of the same table. */
struct mg_fact *mg_facts_row(struct mg_facts *facts, enum mg_fact_table table);
void mg_fact_set_text(struct mg_facts *facts, struct mg_fact *fact, const char *text, size_t len); /* copies */
void mg_fact_set_int(struct mg_fact *fact, int64_t number);

/* -1: no such table or column. */
int mg_fact_table_find(const char *name);
int mg_fact_column_find(enum mg_fact_table table, const char *name);

/* Checks a value that came from a document against the data dictionary (date, month, enumeration, 0 or 1, range) and
 * sets it in ROW of TABLE. A column of the dictionary that rules cannot see is checked and left out; `referents` of
 * participant is facts->referents. QUOTED: the document says that it is a text, so it is no number. TEXT NULL or "": NULL.
 * MG_REFUSED with the sentence that mends it, which starts with the table and column. */
mg_status mg_fact_take(struct mg_facts *facts, enum mg_fact_table table, struct mg_fact *row, const char *column,
                       const char *text, bool quoted, struct mg_error *err) MG_MUST_CHECK;

#endif
