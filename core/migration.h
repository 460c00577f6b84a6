/*
 * migration.h - what a migration may change in the data's schema, as a text that the hub signs. [P 4.10]
 *
 *   migration: 1                      its number: one after the other, from 1
 *   needs: 1                          the least format that understands it (MG_MIGRATION_FORMAT); 1 when left out
 *   title: the driving licence        for people
 *   changes:
 *     - table: housing                a new table, whose columns are added below
 *       of: participant               rows of one dossier; or plie: rows that the antennas of a PLIE share
 *     - add: housing.rent
 *       type: cents
 *       max: 500000
 *     - add: participant.driving_licence
 *       type: enum                    text, date, month, int, cents, hours, bool or enum
 *       values: [none, b, other]
 *       policy: review                review (when left out), latest, max, min or immutable
 *     - widen: step.kind              more words, at the end
 *       values: [apprenticeship]
 *     - lengthen: employer.name
 *       max: 512
 *
 * A new table has no key, and the ids of its rows are drawn. What the hub alone writes gets no new table: nothing would
 * refer to it.
 *
 * Nothing is dropped, renamed or narrowed: nodes take migrations on different days, and what an old node still writes
 * must stay right for ever. A new column is never required, since rows are there without it; it is no key, since the id
 * of a row follows from its key; and it refers to no row: a reference keeps a deleted row visible, and nodes that lack
 * the column would show other rows than those that have it.
 */
#ifndef MG_CORE_MIGRATION_H
#define MG_CORE_MIGRATION_H

#include "core/buf.h"
#include "core/schema.h"
#include "core/status.h"

enum { MG_MIGRATION_FORMAT = 1 };
/* Migrations that there can be, and those of which one table has columns. */
enum { MG_MIGRATIONS_MAX = 1000, MG_LATER_MAX = 16 };

/* A schema that was made by a migration. It borrows what did not change from the one before, which must outlive it. */
struct mg_evolved {
    struct mg_schema schema;
    struct mg_evolved *next; /* the store's, in a list */
    struct mg_evolved_room *rooms;
};

/* What TEXT makes of BEFORE; gives *AFTER. NAME is for sentences: "NAME:12: ...". MG_REFUSED: the text is no migration,
 * not the next one, asks for what cannot be, or needs a later program than FORMAT. */
mg_status mg_migration_read(const struct mg_schema *before, struct mg_bytes text, const char *name, int format,
                            struct mg_evolved **after, struct mg_error *err) MG_MUST_CHECK;
void mg_evolved_free(struct mg_evolved *evolved);

#endif
