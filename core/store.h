/*
 * store.h - one node's directory: the encrypted database, its key, its identity.
 *
 *   DIR/store.key      32 random bytes, mode 0600: the key of the database
 *   DIR/maillage.db    SQLite3 Multiple Ciphers, WAL, synchronous=FULL
 *   DIR/archive.db     a hub's: what archive.c moved there; same key
 *   DIR/snapshots.db   a hub's: snapshots it keeps for its nodes; may be deleted at any time; same key
 *   DIR/sync.lock      held (flock) while one process runs a session
 *   DIR/daemon.lock    held (flock) by maillaged
 *
 * Two connections to one database: `db` for people's edits, with foreign keys on,
 * where each written row is noted (core/capture.c); `apply` for what arrives from
 * elsewhere, without. The triggers, which are for other clients, are off on both, for good,
 * because switching them expires every prepared statement. Several processes may
 * have the same store open; SQLite's transactions keep them apart.
 *
 * Time and chance come in through mg_env, so that a simulator can supply both.
 */
#ifndef MG_CORE_STORE_H
#define MG_CORE_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/progress.h"
#include "core/schema.h"
#include "core/status.h"

enum { MG_KEY_LEN = 32, MG_SIGN_LEN = 64, MG_SIGN_SECRET_LEN = 64, MG_NAME_MAX = 64, MG_SCOPE_MAX = 96 };
enum { MG_SCOPES_MAX = 32 };

struct mg_env {
    void *context;
    int64_t (*now_ms)(void *context); /* wall clock, ms since 1970; may be wrong */
    void (*random)(void *context, void *out, size_t len);
};

/* The machine's own clock and libsodium's randomness. */
const struct mg_env *mg_env_system(void);

struct mg_store; /* one process's view of one node's directory */

/* Who this node is; constant while the store is open, except `incarnation`. */
struct mg_identity {
    bool hub;
    uint8_t node[MG_ID_LEN]; /* BLAKE2b-128 of the signing key */
    char name[MG_NAME_MAX + 1];
    uint64_t incarnation; /* 63 bits */
    uint8_t sign_public[MG_KEY_LEN];
    uint8_t sign_secret[MG_SIGN_SECRET_LEN];
    uint8_t noise_public[MG_KEY_LEN];
    uint8_t noise_secret[MG_KEY_LEN];
    /* The hub: itself on the hub. */
    uint8_t hub_node[MG_ID_LEN];
    uint8_t hub_sign[MG_KEY_LEN];
    uint8_t hub_noise[MG_KEY_LEN];
    char hub_name[MG_NAME_MAX + 1];
    char hub_address[128]; /* HOST:PORT of the invitation; empty on the hub */
    /* Scopes granted to this node (not their ancestors); none on the hub, which holds all. */
    char scopes[MG_SCOPES_MAX][MG_SCOPE_MAX + 1];
    int scope_count;
};

/* What a new node needs to exist: a hub names only itself; a node brings what ENROLLED said. */
struct mg_birth {
    struct mg_identity identity; /* keys, name, scopes, hub filled in; incarnation drawn at creation */
};

/* Draws the key pairs and the node id of a new node into IDENTITY (nothing else is touched). */
void mg_identity_draw(const struct mg_env *env, struct mg_identity *identity);

/* Makes DIR a node. Refuses (MG_REFUSED) when DIR is one already. All or nothing: the directory
 * is a node only when the last write is durable. On the hub, antennas and communes are in place. */
mg_status mg_store_create(const char *dir, const struct mg_env *env, const struct mg_birth *birth,
                          struct mg_error *err) MG_MUST_CHECK;

/* Opens DIR, brings its schema up to date, and harvests what foreign clients wrote. Gives *STORE. */
mg_status mg_store_open(const char *dir, const struct mg_env *env, struct mg_store **out,
                        struct mg_error *err) MG_MUST_CHECK;
void mg_store_close(struct mg_store *store); /* NULL is fine */

/* True when DIR holds a node (or what is left of one). */
bool mg_store_exists(const char *dir);

const struct mg_identity *mg_store_identity(const struct mg_store *store);
const struct mg_schema *mg_store_schema(const struct mg_store *store);
const char *mg_store_dir(const struct mg_store *store);

/* The connection for reading and for `sql`; borrowed. Rows are written between mg_edit_begin and mg_edit_commit; any other
 * COMMIT of them fails (SQLITE_CONSTRAINT_COMMITHOOK), because nothing would replicate them. */
sqlite3 *mg_store_db(struct mg_store *store);

/* A person's transaction on mg_store_db: write plain SQL in between; commit harvests it into
 * commits. A constraint that fails at commit gives MG_REFUSED with its sentence and rolls back. */
mg_status mg_edit_begin(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_edit_commit(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
void mg_edit_rollback(struct mg_store *store);

/* A transaction for what arrives (replica.h, hub.h): harvests foreign writes first, so that their
 * commits say what their author had seen. Everything in between is durable together or not at all. */
mg_status mg_apply_begin(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_apply_commit(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
void mg_apply_rollback(struct mg_store *store);

/* Inside mg_apply_begin: one request of several that share the transaction. SAVE marks the place;
 * KEEP forgets the mark, UNDO takes back what was done since and forgets it. */
mg_status mg_apply_save(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_apply_keep(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;
mg_status mg_apply_undo(struct mg_store *store, struct mg_error *err) MG_MUST_CHECK;

/* From here on what takes long on STORE tells PROGRESS how far it is, and SQL now and then that it lives
 * (doing NULL: at what was last said), and ends with MG_STOPPED, rolled back, when PROGRESS says stop; so does
 * waiting for another process's transaction. PROGRESS is borrowed until the next call; NULL: as before.
 * Not during a session, which ends by itself at the next chunk. */
void mg_store_watch(struct mg_store *store, const struct mg_progress *progress);

/* Turns SQLite's last error on DB into a status and a sentence: constraint -> MG_REFUSED,
 * full, corrupt, notadb, busy, ioerr, nomem -> MG_STORAGE, interrupted -> MG_STOPPED, anything else -> MG_FAILED. */
mg_status mg_sqlite_fail(struct mg_error *err, sqlite3 *db, const char *doing) MG_MUST_CHECK;

/* One process at a time: takes the lock DIR/NAME or says who may hold it (MG_STORAGE).
 * *LOCK is a descriptor to close. */
mg_status mg_lock_take(const char *dir, const char *name, int *lock, struct mg_error *err) MG_MUST_CHECK;

#endif
