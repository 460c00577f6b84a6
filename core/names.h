/*
 * names.h - rows told by the first bytes of their ids. [P 4.2.3]
 *
 * Sixteen bytes that do not compress are most of what a changed cell costs on the line, and whoever
 * reads of the change holds the row. So a sender tells as many of them as tell the row from all others that it
 * holds itself, and some bits more; the reader looks it up. A name that leads elsewhere changes nothing: the commit's hash is not
 * the one that was signed, and the sender is asked for whole ids.
 */
#ifndef MG_CORE_NAMES_H
#define MG_CORE_NAMES_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/causality.h"

enum { MG_NAME_MAX_LEN = 14 }; /* bytes; a longer one is told whole */

/* How a writer or reader of columns asks about the rows that a replica holds. Tables, columns: by index; also of tables that
 * the replica does not have. */
struct mg_names {
    void *context;
    /* So many bytes of ID are a name for it; 0: none is. */
    int (*shorten)(void *context, int table, const uint8_t id[MG_ID_LEN]);
    /* The row of TABLE whose id begins so: the only one, or the only one in SCOPE. */
    bool (*find)(void *context, struct mg_bytes scope, int table, const uint8_t *name, int len, uint8_t id[MG_ID_LEN]);
    /* The dossier that a row hangs from. */
    bool (*dossier)(void *context, int table, const uint8_t id[MG_ID_LEN], uint8_t dossier[MG_ID_LEN]);
    /* The table that a value of this column is the id of a row of; -1: none. */
    int (*target)(void *context, int table, int column);
    int head; /* the table of dossiers' heads */
    bool used; /* reading: some row was told so */
};

#endif
