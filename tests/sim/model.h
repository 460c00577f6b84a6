/*
 * model.h - what the tables should come to, from what people did and what they saw when they did it.
 *
 * It knows nothing of commits, clocks, hubs or versions. An act is one value that one person wrote, never written
 * twice; what it replaces is what was on the screen, and what those had replaced. From the acts that were accepted
 * follows each cell: the values that no accepted act replaced. And each row: it is there while some act on it was
 * seen by no removal, or a row that is there refers to it.
 */
#ifndef MG_SIM_MODEL_H
#define MG_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_ACTS = 2048, MODEL_ROWS = 512, MODEL_ID = 37, MODEL_VALUE = 32, MODEL_SHOWN = 64 };
enum { MODEL_INSERT = -1, MODEL_REMOVE = -2 }; /* instead of a column */

/* The tables that people work in, and their columns that keep what two wrote at once. */
struct model_table {
    const char *name;
    const char *columns[3]; /* up to NULL */
    bool dates;             /* the columns' values are dates */
    bool of_participant;    /* its rows refer to one */
    bool keyed;             /* two who enter the same make the same row */
};
enum { MODEL_TABLES = 5, MODEL_PARTICIPANT = 0, MODEL_EMPLOYER = 4, MODEL_ANTENNA = 2 /* a column of participant */ };
extern const struct model_table model_tables[MODEL_TABLES];

struct model_set {
    uint64_t bits[MODEL_ACTS / 64];
};

struct model_act {
    int row, column;
    char value[MODEL_VALUE]; /* of a column */
    int by;                  /* the machine */
    bool optional;           /* it need not have been accepted: nobody was told that it was saved, or its disk was lost */
    bool forbidden;          /* it must not be */
    bool accepted;
    struct model_set seen;   /* acts on its row */
};

struct model_row {
    int table, parent; /* a row; -1 */
    int key;           /* of a keyed table: which of its parent's */
    char id[MODEL_ID];
};

struct model {
    struct model_act acts[MODEL_ACTS];
    struct model_row rows[MODEL_ROWS];
    int act_count, row_count;
};

/* What a screen shows of a row: for each column its values, of which there are several in a conflict. */
struct model_screen {
    bool visible;
    char values[3][MODEL_SHOWN][MODEL_VALUE];
    int counts[3];
};

bool model_is_full(const struct model *m);
int model_row(const struct model *m, int table, const char *id); /* -1: nobody made it */
int model_add_row(struct model *m, int table, const char *id, int parent);

/* The value that the next act will write. */
void model_value(const struct model *m, int table, char value[MODEL_VALUE]);

/* Somebody at a screen does something to one row. Values on it that nobody wrote: -1. INSERT comes before the values that
 * are entered with it. */
int model_act(struct model *m, int by, int row, int column, const char *value, const struct model_screen *screen, int insert);

/* From what was accepted. */
const char *model_antenna(const struct model *m, int row); /* where the dossier of ROW is; NULL: no dossier's */
bool model_visible(const struct model *m, int row);
/* Whether a screen shows column COLUMN as it should. */
bool model_agrees(const struct model *m, int row, int column, const struct model_screen *screen);
/* "v12 | v17", for people. */
void model_tell(const struct model *m, int row, int column, char *text, int size);

int model_find(const struct model *m, int row, int column, const char *value); /* the act; -1 */

#endif
