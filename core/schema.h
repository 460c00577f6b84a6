/*
 * schema.h - tables as data: what the engine knows of a table.
 *
 * One description drives the DDL and the capture triggers (ddl.c), validation and
 * its sentences (edit.c), merge policies (merge.c), scopes (scope.c) and what
 * `maillage schema` prints. The engine knows no table by name; the PLIE's tables
 * are rows of core/plie/tables.c.
 *
 * A table's index and a column's index are part of every commit and never change:
 * new ones are appended. The base is compiled; migrations (migration.h) add to it, and
 * each version of the schema is an object of its own that is never changed.
 */
#ifndef MG_CORE_SCHEMA_H
#define MG_CORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MG_COLUMNS_MAX = 32, MG_TABLES_MAX = 64, MG_TEXT_MAX = 2048, MG_NOTE_MAX = 16384, MG_ID_LEN = 16 };
enum { MG_PACK_TEXT_MAX = 96 * 1024, MG_VALUE_MAX = MG_PACK_TEXT_MAX }; /* bytes; a rule pack is the longest value that there is */

enum mg_type {
    MG_TYPE_TEXT,  /* at most column->max bytes of UTF-8 */
    MG_TYPE_DATE,  /* YYYY-MM-DD */
    MG_TYPE_MONTH, /* YYYY-MM */
    MG_TYPE_INT,   /* whole number, min to max */
    MG_TYPE_CENTS, /* money */
    MG_TYPE_HOURS, /* 0 to 100,000 */
    MG_TYPE_BOOL,  /* 0 or 1 */
    MG_TYPE_ENUM,  /* one of column->values */
    MG_TYPE_REF,   /* the id of a row of column->target (BLOB, 16 bytes) */
    MG_TYPE_CODE,  /* the text key of a row of column->target (its column target_column) */
    MG_TYPE_BYTES, /* BLOB, at most column->max bytes */
};

enum mg_policy { MG_POLICY_REVIEW, MG_POLICY_LATEST, MG_POLICY_MAX, MG_POLICY_MIN, MG_POLICY_IMMUTABLE };

/* Where a table's rows live (DOMAIN.md, "scope"). */
enum mg_scope_kind {
    MG_SCOPE_ROOT,    /* '' : written by the hub only */
    MG_SCOPE_PLIE,    /* first part of an antenna's path, in the row's column `plie` */
    MG_SCOPE_ANTENNA, /* the antenna of the row's dossier */
};

struct mg_column {
    const char *name;
    enum mg_type type;
    enum mg_policy policy;
    bool required;             /* NOT NULL */
    bool key;                  /* part of the natural key: immutable once set */
    const char *target;        /* REF, CODE: the table referred to */
    const char *target_column; /* CODE: its key column */
    const char *const *values; /* ENUM: NULL-ended list */
    int64_t min, max;          /* numbers: range; TEXT, BYTES: max bytes (0: MG_TEXT_MAX) */
    int since;                 /* the migration that added it; 0: the base */
    bool widened;              /* a migration let more values in: triggers hold what a CHECK held before (ddl.c) */
};

struct mg_table {
    const char *name;
    enum mg_scope_kind scope;
    /* ANTENNA: the column that leads to the dossier: `participant` or, for work_hours, `contract`
     * (whose own parent leads on); NULL for the dossier's head (participant) and for other scopes. */
    const char *parent;
    /* The natural key is complete only when every key column is set; a row whose key is not complete
     * (an employer without siret) has a random id. */
    bool has_key;
    const struct mg_column *columns; /* without `id` */
    int column_count;
    int since; /* the migration that added it; 0: the base */
};

struct mg_schema {
    const struct mg_table *tables;
    int table_count;
    int head;         /* index of the dossier's head table (participant) */
    int home_column;  /* its column that says the antenna */
    int packs;        /* index of the table of rule packs (core/rules/packs.c) */
    int migrations;   /* index of the table of migrations (core/evolve.c) */
    int version;      /* one more than the number of migrations in it */
};

/* Index of a table or column, -1 when there is none. */
int mg_schema_table(const struct mg_schema *schema, const char *name);
int mg_table_column(const struct mg_table *table, const char *name);

/* The known name nearest to NAME (edit distance), for "did you mean"; NULL when none is near.
 * mg_table_nearest looks among the table's columns and `id`. */
const char *mg_schema_nearest(const struct mg_schema *schema, const char *name);
const char *mg_table_nearest(const struct mg_table *table, const char *name);
const char *mg_nearest(const char *const *names, size_t count, const char *name);

const char *mg_type_name(enum mg_type type);     /* "text", "date", ... as `schema` prints it */
const char *mg_policy_name(enum mg_policy policy);
const char *mg_scope_kind_name(enum mg_scope_kind kind); /* "root", "plie", "antenna" */

/* The PLIE's base schema (core/plie/tables.c); one object for the life of the process. */
const struct mg_schema *mg_plie_schema(void);

#endif
