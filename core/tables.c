/*
 * tables.c - the engine's own tables beside the data.
 *
 * One row of version records per row of data (mg_v_TABLE, in ddl.c); everything here
 * is per commit, per scope, or rare (siblings, deletions, moves). Numbers: `n` is a
 * hub sequence number, `history` and `author` local ordinals, `hlc` ms << 16 | counter.
 */
#include "core/sql.h"

const char mg_engine_tables[] =
    "CREATE TABLE mg_meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
    /* One run of the hub; fork: the parent's last number that it continues from. */
    "CREATE TABLE mg_history(h INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, parent INTEGER NOT NULL,"
    " fork INTEGER NOT NULL) STRICT;"
    "CREATE TABLE mg_author(a INTEGER PRIMARY KEY, node BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " base INTEGER, base_seq INTEGER, UNIQUE(node, incarnation)) STRICT;"
    "CREATE TABLE mg_scope(s INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, digest INTEGER NOT NULL,"
    " rows INTEGER NOT NULL, verdicts INTEGER NOT NULL DEFAULT 0) STRICT;"
    /* What the columns that a migration added count for, by scope. */
    "CREATE TABLE mg_scope_later(s INTEGER NOT NULL, since INTEGER NOT NULL, digest INTEGER NOT NULL,"
    " PRIMARY KEY(s, since)) STRICT, WITHOUT ROWID;"
    /* The migrations that made the data's tables what they are here. */
    "CREATE TABLE mg_migration(number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    /* Writes to tables and columns that the schema here lacks; cell -1: a deletion. */
    "CREATE TABLE mg_unknown(t INTEGER NOT NULL, id BLOB NOT NULL, cell INTEGER NOT NULL, ord INTEGER NOT NULL,"
    " dossier BLOB, value ANY, PRIMARY KEY(t, id, cell, ord)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX mg_unknown_dossier ON mg_unknown(dossier);"
    /* The log. hash NULL: known only as the author of values (a row came without its commits, or this node let
     * go of them).
     * body NULL under a hash: it is in the hub's archive. flags: 1 refused by the hub, 2 in quarantine here. */
    "CREATE TABLE mg_commit(ord INTEGER PRIMARY KEY, author INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " scope INTEGER, hlc INTEGER NOT NULL, seen_history INTEGER, seen_n INTEGER, seen_more BLOB,"
    " history INTEGER, n INTEGER, hub_time INTEGER, flags INTEGER NOT NULL DEFAULT 0,"
    " base_incarnation INTEGER, base_seq INTEGER, salt BLOB, hash BLOB, body BLOB) STRICT;"
    "CREATE UNIQUE INDEX mg_commit_dot ON mg_commit(author, seq);"
    /* Further numbers of a commit that a restored hub numbered again. */
    "CREATE TABLE mg_number(ord INTEGER NOT NULL, history INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY(ord, history, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mg_chain(author INTEGER NOT NULL, scope INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " hash BLOB NOT NULL, PRIMARY KEY(author, scope)) STRICT, WITHOUT ROWID;"
    /* Where this node has let go of commits (prune.c): the last of each stretch that is gone, by its hash, so that the
     * chain can be checked from there on. */
    "CREATE TABLE mg_cut(author INTEGER NOT NULL, scope INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " hash BLOB NOT NULL, PRIMARY KEY(author, scope, seq)) STRICT, WITHOUT ROWID;"
    /* Where a snapshot stands for the commits of a chain up to SEQ, which are not in this log. */
    "CREATE TABLE mg_base(author INTEGER NOT NULL, scope INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " hash BLOB NOT NULL, PRIMARY KEY(author, scope, seq)) STRICT, WITHOUT ROWID;"
    /* A snapshot on its way: its manifest as 0, then its blocks. */
    "CREATE TABLE mg_stage(k INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    /* What was signed together, with both signatures. complete: every commit of it came whole.
     * also: the numbers that the commits had in lost histories. live: on the hub, in the present lineage.
     * seeds: of its commits' salts (salts.h). */
    "CREATE TABLE mg_batch(b INTEGER PRIMARY KEY, author INTEGER NOT NULL, first_seq INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL, history INTEGER NOT NULL, first_n INTEGER NOT NULL, last_n INTEGER NOT NULL,"
    " hub_time INTEGER NOT NULL, heads BLOB NOT NULL, refused BLOB NOT NULL, author_signature BLOB NOT NULL,"
    " receipt_signature BLOB NOT NULL, complete INTEGER NOT NULL, also BLOB NOT NULL,"
    " live INTEGER NOT NULL DEFAULT 1, seeds BLOB) STRICT;"
    "CREATE INDEX mg_batch_number ON mg_batch(first_n);"
    "CREATE INDEX mg_batch_author ON mg_batch(author, last_seq);"
    /* On the hub: the numbers that nodes proved (first_seq has n), of commits that it may not hold yet. */
    "CREATE TABLE mg_lost(author INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,"
    " history INTEGER NOT NULL, n INTEGER NOT NULL, hub_time INTEGER NOT NULL, heads BLOB NOT NULL,"
    " PRIMARY KEY(author, last_seq, first_seq, history, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mg_sibling(t INTEGER NOT NULL, id BLOB NOT NULL, cell INTEGER NOT NULL, ord INTEGER NOT NULL,"
    " value ANY, PRIMARY KEY(t, id, cell, ord)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mg_delete(t INTEGER NOT NULL, id BLOB NOT NULL, ord INTEGER NOT NULL,"
    " PRIMARY KEY(t, id, ord)) STRICT, WITHOUT ROWID;"
    /* Version records that come to their places in mg_v_T later (late.c). */
    "CREATE TABLE mg_late(n INTEGER PRIMARY KEY, t INTEGER NOT NULL, row INTEGER NOT NULL, v BLOB NOT NULL) STRICT;"
    /* Deleted rows that a visible row refers to, and rows to look at before the transaction ends. */
    "CREATE TABLE mg_held(t INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY(t, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mg_repair(t INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY(t, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mg_quarantine(q INTEGER PRIMARY KEY, node BLOB NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, history INTEGER, n INTEGER, reason TEXT NOT NULL, at INTEGER NOT NULL, evidence BLOB) STRICT;"
    /* evidence: a batch of commits whose names others have (parted.c). */
    "CREATE INDEX mg_quarantine_parted ON mg_quarantine(node, incarnation) WHERE evidence IS NOT NULL;"
    /* Rows of SOURCE's commits that live in TARGET; moved: the dossier moved there. n: in the hub's sequence,
     * after the commit; 0 until that has its number. */
    "CREATE TABLE mg_route(r INTEGER PRIMARY KEY, n INTEGER NOT NULL, dossier BLOB NOT NULL,"
    " source INTEGER NOT NULL, target INTEGER NOT NULL, moved INTEGER NOT NULL) STRICT;"
    "CREATE INDEX mg_route_n ON mg_route(n);"
    "CREATE INDEX mg_route_source ON mg_route(source, dossier);"
    /* Rule packs as this store took them: the last good one stays in force beside a refused one. */
    "CREATE TABLE mg_pack(p INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, row_hash BLOB NOT NULL, active INTEGER NOT NULL,"
    " reason TEXT, body BLOB) STRICT;"
    /* What the rules say of each dossier on the day of judgement (rules/verdicts.c). ord: the last commit that
     * touched it, other: the last before by another author; broken: invariants that it does not keep; hash: what it counts for in its scope's sum. */
    "CREATE TABLE mg_verdict(id BLOB PRIMARY KEY, scope INTEGER NOT NULL, pack INTEGER NOT NULL, ord INTEGER NOT NULL, other INTEGER NOT NULL,"
    " entry INTEGER NOT NULL, step_start INTEGER NOT NULL, accompaniment INTEGER NOT NULL, exit INTEGER NOT NULL,"
    " exit_kind INTEGER NOT NULL, exit_on TEXT, held INTEGER NOT NULL, broken INTEGER NOT NULL, alerts INTEGER NOT NULL,"
    " ok BLOB NOT NULL, hash INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE mg_drift(d INTEGER PRIMARY KEY, participant BLOB NOT NULL, rule TEXT NOT NULL, before TEXT NOT NULL,"
    " after TEXT NOT NULL, ord INTEGER NOT NULL, concurrent INTEGER NOT NULL) STRICT;"
    /* The hub's own notes on its nodes. */
    "CREATE TABLE mg_peer(node BLOB PRIMARY KEY, incarnation INTEGER, history INTEGER, n INTEGER, last_sync INTEGER,"
    " waiting INTEGER, digests_agree INTEGER, verdicts_agree INTEGER) STRICT, WITHOUT ROWID;"
    /* Bundles that a node wrote, or that the hub took in: see bundle.h. answered: ms, 0 not yet. */
    "CREATE TABLE mg_bundle(node BLOB NOT NULL, token BLOB NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,"
    " incarnation INTEGER NOT NULL, acked_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, answered INTEGER NOT NULL, history INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY(node, token)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX mg_bundle_number ON mg_bundle(node, number);"
    "CREATE TABLE mg_invite(id BLOB PRIMARY KEY, secret BLOB NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL,"
    " expires INTEGER NOT NULL, noise_key BLOB, sign_key BLOB) STRICT, WITHOUT ROWID;"
    /* Run reports: a node's own; the hub's are its nodes'. told: it was in a BYE. received: by the hub's clock, ms. */
    "CREATE TABLE mg_run(node BLOB NOT NULL, number INTEGER NOT NULL, started INTEGER NOT NULL, complete INTEGER NOT NULL,"
    " told INTEGER NOT NULL, received INTEGER NOT NULL, report BLOB NOT NULL, signature BLOB NOT NULL,"
    " PRIMARY KEY(node, number)) STRICT, WITHOUT ROWID;";
