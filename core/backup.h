/*
 * backup.h - one file that holds a node or a hub whole, and the way back.
 *
 *   the database, encrypted as in its directory | the hub's archive, if any | what it is | its check | length | magic
 *
 * A backup is one file and restores alone, on any machine: its key is in it. Two files that must be
 * kept apart and never lost are what a tired coordinator gets wrong, and a backup without its key is
 * none. So whoever has the file has the data, as with the directory itself, and it is kept so: mode
 * 0600, on a disk of its own.
 *
 * It is made while others write, and it is only called a backup, by its name, once it has been
 * read back from the disk: every page, every hash, chain and signature in it, every row.
 */
#ifndef MG_CORE_BACKUP_H
#define MG_CORE_BACKUP_H

#include "core/edit.h"

enum { MG_BACKUPS_MIN = 2, MG_BACKUP_PATH_MAX = 4096 };

/* What a backup says of itself. */
struct mg_backup_about {
    uint8_t node[MG_ID_LEN];
    bool hub;
    char name[MG_NAME_MAX + 1];
    int64_t made_at;           /* ms */
    struct mg_position reaches; /* the hub's last number in it; a node's cursor */
    int64_t bytes;             /* of the database */
    int64_t archive_bytes;     /* of the hub's archive.db; 0: it has none */
};

struct mg_backup_report {
    struct mg_backup_about about;
    struct mg_verify_report verified;
    char file[MG_BACKUP_PATH_MAX];
    int removed; /* older ones (mg_backup_into) */
};

/* Makes FILE of STORE, through FILE.part. REPLACE: FILE may be an older whole backup of the same
 * node; MG_REFUSED for anything else that is there. A failure leaves nothing behind, and what was
 * there before. Afterwards a hub's store knows when, and up to where, its last two backups reach.
 * Tells the store's watcher; MG_STOPPED when that says so. No transaction may be open. */
mg_status mg_backup(struct mg_store *store, const char *file, bool replace, struct mg_backup_report *report,
                    struct mg_error *err) MG_MUST_CHECK;

/* The same into DIR/maillage-NAME-NODE-DATE.backup; then all but the newest KEEP (at least MG_BACKUPS_MIN)
 * whole backups of this node in DIR are removed. */
mg_status mg_backup_into(struct mg_store *store, const char *dir, int keep, struct mg_backup_report *report,
                         struct mg_error *err) MG_MUST_CHECK;

/* Reads what FILE says of itself. MG_REFUSED: it is no backup, or not whole. */
mg_status mg_backup_about(const char *file, struct mg_backup_about *about, struct mg_error *err) MG_MUST_CHECK;

/* The last two verified backups of a hub (mg_hub_backed_up); AT 0: there was none. Reads. */
struct mg_backup_mark {
    int64_t at; /* ms */
    uint64_t n;
};
mg_status mg_backup_marks(struct mg_store *store, struct mg_backup_mark *last, struct mg_backup_mark *before,
                          struct mg_error *err) MG_MUST_CHECK;

/* Makes DIR (absent, or without a node in it) the node in FILE, verified before it is in place. FORCE: the node
 * that is there is set aside as *.before-restore-DATE, never deleted. All or nothing, also with kill -9. Not while
 * maillaged or a session works on DIR (MG_STORAGE). PROGRESS may be NULL. */
mg_status mg_restore(const char *dir, const char *file, bool force, const struct mg_env *env, const struct mg_progress *progress,
                     struct mg_backup_report *report, struct mg_error *err) MG_MUST_CHECK;

#endif
