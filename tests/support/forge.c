/* forge.c - see forge.h. */
#include "tests/support/forge.h"

#include <string.h>

struct chain {
    char scope[MG_SCOPE_MAX + 1];
    uint64_t seq;
    uint8_t hash[MG_HASH_LEN];
};

struct chains {
    struct chain list[MG_HEADS_MAX];
    uint32_t count;
};

static void must(mg_status status) { mg_assert(status == MG_OK); }

static uint32_t author_of(struct mg_store *hub, const struct mg_identity *by, uint64_t incarnation)
{
    uint32_t author;
    must(mg_author_find(&hub->remote, by->node, incarnation, &author, NULL));
    return author;
}

uint64_t forge_last_seq(struct mg_store *hub, const struct mg_identity *by, uint64_t incarnation)
{
    uint64_t last;
    must(mg_author_last(&hub->remote, author_of(hub, by, incarnation), &last, NULL));
    return last;
}

/* The chain of SCOPE, as it goes on; NULL: there are as many as a batch can name. */
static struct chain *chain_of(struct chains *chains, struct mg_store *hub, uint32_t author, const char *scope)
{
    for (uint32_t i = 0; i < chains->count; i++)
        if (strcmp(chains->list[i].scope, scope) == 0) return &chains->list[i];
    if (chains->count == MG_HEADS_MAX) return NULL;
    struct chain *chain = &chains->list[chains->count++];
    uint32_t known = mg_scope_known(&hub->remote, scope);
    memset(chain, 0, sizeof *chain);
    memcpy(chain->scope, scope, strlen(scope) + 1);
    if (known != 0) must(mg_chain_head(&hub->remote, author, known, &chain->seq, chain->hash, NULL));
    return chain;
}

bool forge_batch(struct mg_store *hub, const struct mg_identity *by, uint64_t incarnation, struct mg_bytes commits, uint32_t count,
                 struct mg_buf *out)
{
    struct chains chains = {.count = 0};
    struct mg_batch batch = {.incarnation = incarnation};
    struct mg_salts none = {.secret = NULL};
    struct mg_buf heads;
    struct mg_mp_reader in;
    bool columns = true;
    uint32_t author = author_of(hub, by, incarnation);
    mg_mp_read(&in, commits.data, commits.len);
    for (uint32_t i = 0; i < count; i++) {
        struct mg_commit commit;
        char scope[MG_SCOPE_MAX + 1];
        mg_commit_read(&in, &commit, scope);
        if (in.error != NULL) break;
        struct chain *chain = chain_of(&chains, hub, author, scope);
        columns &= chain != NULL;
        if (i == 0) batch.first_seq = commit.seq;
        batch.last_seq = commit.seq;
        if (chain == NULL) continue;
        chain->seq = commit.seq;
        if (mg_commit_hash(by->node, incarnation, &commit, chain->hash, chain->hash, NULL) != MG_OK) memset(chain->hash, 0, MG_HASH_LEN);
    }
    if (chains.count == 0) return false;
    mg_buf_init(&heads, 64 * 1024);
    mg_mp_put_array(&heads, chains.count);
    for (uint32_t i = 0; i < chains.count; i++) {
        mg_mp_put_array(&heads, 3);
        mg_mp_put_str(&heads, chains.list[i].scope, strlen(chains.list[i].scope));
        mg_mp_put_uint(&heads, chains.list[i].seq);
        mg_mp_put_bin(&heads, chains.list[i].hash, MG_HASH_LEN);
    }
    memcpy(batch.node, by->node, MG_ID_LEN);
    batch.heads = mg_buf_bytes(&heads);
    mg_batch_sign(&batch, by->sign_secret);
    if (mg_mp_done(&in) && columns) mg_batch_write(out, &batch, commits, count, &none, NULL);
    else {
        mg_batch_write(out, &batch, commits, 0, &none, NULL);
        mg_assert(out->len > 0);
        out->len--; /* the nil where the commits would be */
        mg_mp_put_array(out, count);
        mg_buf_put(out, commits.data, commits.len);
    }
    mg_buf_free(&heads);
    return !out->failed;
}

void forge_commit(const struct forged *forged, struct mg_buf *out)
{
    const struct mg_schema *schema = mg_plie_schema();
    int row = forged->exit != NULL ? mg_schema_table(schema, "exit") : schema->head;
    struct mg_commit commit = {.seq = forged->seq, .scope = forged->scope, .hlc = forged->hlc, .has_salt = true};
    struct mg_op op = {.table = row, .kind = forged->insert ? MG_OP_INSERT : MG_OP_WRITE};
    struct mg_buf body;
    int column = mg_table_column(&schema->tables[row], forged->column);
    mg_assert(column >= 0);
    commit.has_base = forged->base != 0;
    commit.base_incarnation = forged->base;
    if (forged->seen.n > 0) commit.seen[commit.seen_count++] = forged->seen;
    memcpy(op.id, forged->exit != NULL ? forged->exit : forged->dossier, MG_ID_LEN);
    op.mask = UINT32_C(1) << column;
    if (forged->exit != NULL) op.values[column] = (struct mg_value){.kind = MG_BLOB, .data = forged->other, .len = MG_ID_LEN};
    else op.values[column] = mg_text_value(forged->text);
    if (forged->insert) {
        op.mask |= UINT32_C(1) << schema->home_column;
        op.values[schema->home_column] = mg_text_value(forged->scope);
    }
    mg_buf_init(&body, 64 * 1024);
    mg_mp_put_array(&body, 1);
    mg_mp_put_array(&body, 2);
    mg_mp_put_bin(&body, forged->dossier, MG_ID_LEN);
    mg_op_write(&body, &op);
    commit.body = mg_buf_bytes(&body);
    mg_commit_write(out, &commit);
    mg_buf_free(&body);
}
