/*
 * commit.c - a commit's canonical bytes and its hash. [P 4.1]
 *
 *   commit = [seq, scope, seen, hlc, salt, base, body]
 *   seen   = [[history, n], ...]          history: the id, not a local ordinal
 *   base   = nil | [incarnation, seq]     the incarnation that this one continues
 *   body   = [group, ...]
 *   group  = [dossier | nil, op, ...]     whole; or
 *          = [salt16, dossier | nil, op, ...] when the commit's salt is withheld; or
 *          = bin32                        only its hash is left
 *   op     = [table, kind, id, mask, value, ...]   values by ascending column
 *
 *   group hash  = BLAKE2b-256("maillage group v1", group salt, whole group bytes)
 *   group salt  = BLAKE2b-128("maillage salt v1", commit salt, index)
 *   commit hash = BLAKE2b-256("maillage commit v1", previous hash, head bytes, group hashes)
 *
 * A dossier's operations are one group, because a dossier is what moves between
 * antennas and what is erased: what remains of a commit stays verifiable.
 */
#include <string.h>

#include "core/engine.h"

enum { GROUP_SALT_LEN = 16, GROUPS_MAX = 20000, OPS_MAX = 20000 };

static void put_seen(struct mg_buf *out, const struct mg_commit *commit)
{
    mg_mp_put_array(out, commit->seen_count);
    for (int i = 0; i < commit->seen_count; i++) {
        mg_mp_put_array(out, 2);
        mg_mp_put_uint(out, commit->seen[i].history);
        mg_mp_put_uint(out, commit->seen[i].n);
    }
}

static void put_base(struct mg_buf *out, const struct mg_commit *commit)
{
    if (!commit->has_base) {
        mg_mp_put_nil(out);
        return;
    }
    mg_mp_put_array(out, 2);
    mg_mp_put_uint(out, commit->base_incarnation);
    mg_mp_put_uint(out, commit->base_seq);
}

void mg_commit_write(struct mg_buf *out, const struct mg_commit *commit)
{
    mg_mp_put_array(out, 7);
    mg_mp_put_uint(out, commit->seq);
    mg_mp_put_str(out, commit->scope, strlen(commit->scope));
    put_seen(out, commit);
    mg_mp_put_uint(out, commit->hlc);
    if (commit->has_salt) mg_mp_put_bin(out, commit->salt, sizeof commit->salt);
    else mg_mp_put_nil(out);
    put_base(out, commit);
    mg_buf_put(out, commit->body.data, commit->body.len);
}

/* The scope's text is borrowed and not NUL-ended: copied to SCOPE, which the commit then points to. */
void mg_commit_read(struct mg_mp_reader *in, struct mg_commit *commit, char scope[MG_SCOPE_MAX + 1])
{
    memset(commit, 0, sizeof *commit);
    mg_mp_expect_array(in, 7);
    commit->seq = mg_mp_get_uint(in);
    struct mg_bytes path = mg_mp_get_str(in, MG_SCOPE_MAX);
    memcpy(scope, path.len > 0 ? (const char *)path.data : "", path.len);
    scope[path.len] = '\0';
    commit->scope = scope;
    commit->seen_count = (uint8_t)mg_mp_get_array(in, MG_SEEN_MAX);
    for (int i = 0; i < commit->seen_count; i++) {
        mg_mp_expect_array(in, 2);
        commit->seen[i].history = mg_mp_get_uint(in);
        commit->seen[i].n = mg_mp_get_uint(in);
        if (commit->seen[i].history > INT64_MAX || commit->seen[i].n > INT64_MAX) mg_mp_refuse(in, "a position is out of range");
    }
    commit->hlc = mg_mp_get_uint(in);
    commit->has_salt = mg_mp_peek(in) == MG_MP_BIN;
    if (commit->has_salt) mg_mp_get_bin_exact(in, commit->salt, sizeof commit->salt);
    else mg_mp_get_nil(in);
    commit->has_base = mg_mp_peek(in) == MG_MP_ARRAY;
    if (commit->has_base) {
        mg_mp_expect_array(in, 2);
        commit->base_incarnation = mg_mp_get_uint(in);
        commit->base_seq = mg_mp_get_uint(in);
        if (commit->base_incarnation > INT64_MAX || commit->base_seq > INT64_MAX) mg_mp_refuse(in, "a base is out of range");
    } else mg_mp_get_nil(in);
    if (mg_mp_peek(in) != MG_MP_ARRAY) mg_mp_refuse(in, "a commit without a body");
    commit->body = mg_mp_skip(in);
    if (commit->seq == 0 || commit->seq > INT64_MAX || commit->hlc > INT64_MAX) mg_mp_refuse(in, "a commit's seq or time is out of range");
}

static void group_salt(const uint8_t salt[8], uint64_t index, uint8_t out[GROUP_SALT_LEN])
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage salt v1", GROUP_SALT_LEN);
    mg_hash_add(&hasher, salt, 8);
    mg_hash_add_u64(&hasher, index);
    mg_hash_end(&hasher, out);
}

/* The bytes of a whole group [dossier, op...] from those of [salt16, dossier, op...]: the count
 * shrinks by one and the salt goes. */
static void hash_group(const uint8_t salt[GROUP_SALT_LEN], uint32_t count, struct mg_bytes rest, uint8_t out[MG_HASH_LEN])
{
    uint8_t head[8];
    struct mg_buf buf;
    mg_buf_init(&buf, sizeof head);
    mg_mp_put_array(&buf, count);
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage group v1", MG_HASH_LEN);
    mg_hash_add(&hasher, salt, GROUP_SALT_LEN);
    mg_hash_add(&hasher, buf.data, buf.len);
    mg_hash_add(&hasher, rest.data, rest.len);
    mg_hash_end(&hasher, out);
    mg_buf_free(&buf);
}

/* Hashes the next group of a body whatever its form. */
static void next_group_hash(struct mg_mp_reader *in, const struct mg_commit *commit, uint64_t index, uint8_t hash[MG_HASH_LEN])
{
    uint8_t salt[GROUP_SALT_LEN];
    if (mg_mp_peek(in) == MG_MP_BIN) {
        mg_mp_get_bin_exact(in, hash, MG_HASH_LEN);
        return;
    }
    uint32_t count = mg_mp_get_array(in, OPS_MAX + 2);
    if (commit->has_salt) group_salt(commit->salt, index, salt);
    else {
        mg_mp_get_bin_exact(in, salt, sizeof salt);
        if (count > 0) count--;
    }
    size_t from = in->pos;
    if (commit->ends != NULL) {
        mg_assert(from <= commit->ends[index] && commit->ends[index] <= in->len);
        in->pos = commit->ends[index];
    } else
        for (uint32_t i = 0; i < count && in->error == NULL; i++) mg_mp_skip(in);
    if (in->error != NULL) memset(hash, 0, MG_HASH_LEN);
    else hash_group(salt, count, (struct mg_bytes){in->data + from, in->pos - from}, hash);
}

mg_status mg_commit_hash(const uint8_t node[MG_ID_LEN], uint64_t incarnation, const struct mg_commit *commit,
                         const uint8_t previous[MG_HASH_LEN], uint8_t hash[MG_HASH_LEN], struct mg_error *err)
{
    struct mg_buf head;
    mg_buf_init(&head, 1024);
    mg_mp_put_array(&head, 7);
    mg_mp_put_bin(&head, node, MG_ID_LEN);
    mg_mp_put_uint(&head, incarnation);
    mg_mp_put_uint(&head, commit->seq);
    mg_mp_put_str(&head, commit->scope, strlen(commit->scope));
    put_seen(&head, commit);
    mg_mp_put_uint(&head, commit->hlc);
    put_base(&head, commit);
    mg_assert(!head.failed);
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage commit v1", MG_HASH_LEN);
    mg_hash_add(&hasher, previous, MG_HASH_LEN);
    mg_hash_add(&hasher, head.data, head.len);
    mg_buf_free(&head);
    struct mg_mp_reader in;
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    for (uint32_t i = 0; i < groups && in.error == NULL; i++) {
        uint8_t group[MG_HASH_LEN];
        next_group_hash(&in, commit, i, group);
        mg_hash_add(&hasher, group, sizeof group);
    }
    mg_hash_end(&hasher, hash);
    if (!mg_mp_done(&in)) return mg_fail(err, MG_BAD_BYTES, "a commit's body is not well formed: %s", in.error != NULL ? in.error : "bytes too many");
    return MG_OK;
}

void mg_commit_redact(const struct mg_commit *commit, bool (*keep)(void *context, const struct mg_group *group), void *context,
                      struct mg_buf *out)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, commit->body.data, commit->body.len);
    uint32_t groups = mg_mp_get_array(&in, GROUPS_MAX);
    mg_mp_put_array(out, groups);
    for (uint32_t i = 0; i < groups; i++) {
        struct mg_mp_reader again = in;
        struct mg_group group;
        mg_group_read(&in, commit->has_salt, &group);
        for (uint32_t k = 0; k < group.op_count; k++) mg_mp_skip(&in);
        if (!group.present || !keep(context, &group)) {
            uint8_t hash[MG_HASH_LEN];
            next_group_hash(&again, commit, i, hash);
            mg_mp_put_bin(out, hash, sizeof hash);
            continue;
        }
        uint32_t count = mg_mp_get_array(&again, OPS_MAX + 2);
        if (commit->has_salt) {
            uint8_t salt[GROUP_SALT_LEN];
            group_salt(commit->salt, i, salt);
            mg_mp_put_array(out, count + 1);
            mg_mp_put_bin(out, salt, sizeof salt);
        } else mg_mp_put_array(out, count);
        mg_buf_put(out, again.data + again.pos, in.pos - again.pos);
    }
    mg_assert(in.error == NULL);
}

void mg_group_read(struct mg_mp_reader *in, bool commit_has_salt, struct mg_group *group)
{
    memset(group, 0, sizeof *group);
    if (mg_mp_peek(in) == MG_MP_BIN) {
        mg_mp_get_bin(in, MG_HASH_LEN);
        return;
    }
    uint8_t salt[GROUP_SALT_LEN];
    uint32_t count = mg_mp_get_array(in, OPS_MAX + 2);
    uint32_t head = commit_has_salt ? 1 : 2;
    if (count <= head) mg_mp_refuse(in, "a group without operations");
    if (!commit_has_salt) mg_mp_get_bin_exact(in, salt, sizeof salt);
    group->has_dossier = mg_mp_peek(in) == MG_MP_BIN;
    if (group->has_dossier) mg_mp_get_bin_exact(in, group->dossier, MG_ID_LEN);
    else mg_mp_get_nil(in);
    group->present = in->error == NULL;
    group->op_count = group->present ? count - head : 0;
}

void mg_op_put(struct mg_buf *out, enum mg_op_kind kind, int table, const uint8_t id[MG_ID_LEN], uint32_t mask, const struct mg_value *values)
{
    mg_mp_put_array(out, 4 + (uint32_t)__builtin_popcount(mask));
    mg_mp_put_uint(out, (uint64_t)table);
    mg_mp_put_uint(out, kind);
    mg_mp_put_bin(out, id, MG_ID_LEN);
    mg_mp_put_uint(out, mask);
    for (; mask != 0; mask &= mask - 1) mg_value_put(out, &values[__builtin_ctz(mask)]);
}

void mg_op_write(struct mg_buf *out, const struct mg_op *op) { mg_op_put(out, op->kind, op->table, op->id, op->mask, op->values); }

void mg_value_put(struct mg_buf *out, const struct mg_value *value)
{
    switch (value->kind) {
    case MG_NULL: mg_mp_put_nil(out); break;
    case MG_INT: mg_mp_put_int(out, value->integer); break;
    case MG_TEXT: mg_mp_put_str(out, (const char *)value->data, value->len); break;
    case MG_BLOB: mg_mp_put_bin(out, value->data, value->len); break;
    }
}

struct mg_value mg_value_get(struct mg_mp_reader *in)
{
    struct mg_bytes bytes;
    switch (mg_mp_peek(in)) {
    case MG_MP_NIL: mg_mp_get_nil(in); return (struct mg_value){.kind = MG_NULL};
    case MG_MP_INT: return (struct mg_value){.kind = MG_INT, .integer = mg_mp_get_int(in)};
    case MG_MP_STR:
        bytes = mg_mp_get_str(in, MG_VALUE_MAX);
        return mg_bytes_value(true, bytes.data, bytes.len);
    case MG_MP_BIN:
        bytes = mg_mp_get_bin(in, MG_VALUE_MAX);
        return mg_bytes_value(false, bytes.data, bytes.len);
    case MG_MP_BOOL:
    case MG_MP_ARRAY:
    case MG_MP_BAD: break;
    }
    mg_mp_refuse(in, "not a value of a cell");
    return (struct mg_value){.kind = MG_NULL};
}

bool mg_op_is_known(const struct mg_schema *schema, const struct mg_op *op)
{
    return op->table < schema->table_count && (op->mask >> (schema->tables[op->table].column_count - 1)) >> 1 == 0;
}

void mg_op_read(struct mg_mp_reader *in, struct mg_op *op)
{
    uint32_t count = mg_mp_get_array(in, 4 + MG_COLUMNS_MAX);
    uint64_t table = mg_mp_get_uint(in), kind = mg_mp_get_uint(in);
    mg_mp_get_bin_exact(in, op->id, MG_ID_LEN);
    uint64_t mask = mg_mp_get_uint(in);
    if (table >= MG_TABLES_MAX) mg_mp_refuse(in, "a table that no schema can have");
    else if (kind > MG_OP_KEEP || mask > UINT32_MAX) mg_mp_refuse(in, "an operation that this version does not know");
    else if (count != 4 + (uint32_t)__builtin_popcount((uint32_t)mask)) mg_mp_refuse(in, "an operation with a wrong number of values");
    else if ((kind == MG_OP_DELETE || kind == MG_OP_KEEP) && mask != 0) mg_mp_refuse(in, "a deletion with values");
    if (in->error != NULL) return;
    op->table = (int)table;
    op->kind = (enum mg_op_kind)kind;
    op->mask = (uint32_t)mask;
    for (int i = 0; i < MG_COLUMNS_MAX; i++)
        if (op->mask >> i & 1) op->values[i] = mg_value_get(in);
}
