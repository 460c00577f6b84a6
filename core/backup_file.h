/*
 * backup_file.h - the bytes of a backup: a database, then a seal that says what it is.
 *
 *   database | archive | seal | check 32 | length u32 | "MLGBAK01"
 *   seal: [version, node, hub, name, made_at, history, n, bytes, archive bytes, key, database's hash, archive's hash]
 *
 * The seal stands at the end, because SQLite writes the database from the front and takes no notice of what comes
 * after its last page: what is verified is the very file that is kept. `check` is of the
 * seal; a file cut short anywhere has no seal, and is no backup.
 */
#ifndef MG_CORE_BACKUP_FILE_H
#define MG_CORE_BACKUP_FILE_H

#include "core/backup.h"
#include "core/progress.h"

enum { MG_KEY_LINE_MAX = 127 };

struct mg_backup_file {
    struct mg_backup_about about;
    char key[MG_KEY_LINE_MAX + 1]; /* the key file, as it is */
    uint8_t hash[MG_HASH_LEN]; /* of the database */
    uint8_t archive_hash[MG_HASH_LEN]; /* zeros when there is none */
};

/* Opens FILE and reads its seal. Gives *FD, at the database's first byte. MG_REFUSED: no backup, or not whole. */
mg_status mg_backup_file_open(const char *file, int *fd, struct mg_backup_file *sealed, struct mg_error *err) MG_MUST_CHECK;
/* Writes the seal at the end of FD and makes all of it durable. */
mg_status mg_backup_file_seal(int fd, const struct mg_backup_file *sealed, struct mg_error *err) MG_MUST_CHECK;

/* Reads BYTES from FROM, as they are on the disk and not in memory, into HASH and, unless TO is -1, to TO. */
mg_status mg_backup_file_copy(int from, int to, int64_t bytes, const char *doing, const struct mg_progress *progress,
                              uint8_t hash[MG_HASH_LEN], struct mg_error *err) MG_MUST_CHECK;

/* The sentence for a failed write of FILE: errno says why. */
mg_status mg_backup_file_fail(const char *what, struct mg_error *err) MG_MUST_CHECK;

#endif
