/*
 * salts.c - trees of salts: roots, steps down, and the fewest nodes for a set of seqs.
 */
#include "core/salts.h"

#include <string.h>

#include "core/hash.h"
#include "core/store.h"

enum { LEAST_LEVEL = 2 };

struct node {
    uint64_t level, index;
    uint8_t bytes[MG_SALT_NODE_LEN];
};

static void root_of(const struct mg_salts *salts, uint64_t tree, struct node *node)
{
    struct mg_hasher hasher;
    mg_hash_start(&hasher, "maillage salt root v1", MG_SALT_NODE_LEN);
    mg_hash_add(&hasher, salts->secret, MG_SIGN_SECRET_LEN);
    mg_hash_add_u64(&hasher, salts->incarnation);
    mg_hash_add_u64(&hasher, tree);
    mg_hash_end(&hasher, node->bytes);
    node->level = MG_SALT_LEVELS;
    node->index = tree;
}

static void step_down(struct node *node, bool right)
{
    struct mg_hasher hasher;
    uint8_t side = right;
    mg_hash_start(&hasher, "maillage salt step v1", MG_SALT_NODE_LEN);
    mg_hash_add(&hasher, node->bytes, sizeof node->bytes);
    mg_hash_add(&hasher, &side, 1);
    mg_hash_end(&hasher, node->bytes);
    node->level--;
    node->index = node->index << 1 | side;
}

static bool next_told(struct mg_mp_reader *in, struct node *node)
{
    if (in->error != NULL || in->pos == in->len) return false;
    mg_mp_expect_array(in, 3);
    node->level = mg_mp_get_uint(in);
    node->index = mg_mp_get_uint(in);
    mg_mp_get_bin_exact(in, node->bytes, sizeof node->bytes);
    return in->error == NULL;
}

/* The told node that stands for SEQ among others. */
static bool told_above(struct mg_bytes told, uint64_t seq, struct node *node)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, told.data, told.len);
    if (told.len > 0) mg_mp_get_array(&in, MG_SALT_NODES_MAX);
    while (next_told(&in, node))
        if (node->level <= MG_SALT_LEVELS && node->index == seq >> node->level) return true;
    return false;
}

/* The node at LEVEL above SEQ. */
static bool find_node(const struct mg_salts *salts, uint64_t seq, uint64_t level, struct node *node)
{
    if (salts->secret != NULL) root_of(salts, seq >> MG_SALT_LEVELS, node);
    else if (!told_above(salts->told, seq, node)) return false;
    if (node->level < level) return false;
    while (node->level > level) step_down(node, seq >> (node->level - 1) & 1);
    return true;
}

bool mg_salt_of(const struct mg_salts *salts, uint64_t seq, uint8_t salt[MG_SALT_LEN])
{
    struct node node;
    if (!find_node(salts, seq, 0, &node)) return false;
    memcpy(salt, node.bytes, MG_SALT_LEN);
    return true;
}

/* The greatest level at which the node that begins with SEQS[0] stands for nothing but the first of them. */
static uint64_t widest(const uint64_t *seqs, size_t count)
{
    uint64_t level = 0;
    while (level < MG_SALT_LEVELS) {
        uint64_t width = UINT64_C(2) << level;
        if (seqs[0] % width != 0 || width > count || seqs[width - 1] != seqs[0] + width - 1) break;
        level++;
    }
    return level;
}

void mg_salts_tell(const struct mg_salts *salts, const uint64_t *seqs, size_t count, struct mg_buf *out)
{
    struct mg_buf list;
    uint32_t nodes = 0;
    mg_buf_init(&list, MG_SALT_NODES_MAX * 32);
    for (size_t i = 0; i < count && nodes < MG_SALT_NODES_MAX;) {
        struct node node;
        uint64_t level = widest(seqs + i, count - i);
        while (level >= LEAST_LEVEL && !find_node(salts, seqs[i], level, &node)) level--;
        if (level < LEAST_LEVEL) {
            i++;
            continue;
        }
        mg_mp_put_array(&list, 3);
        mg_mp_put_uint(&list, node.level);
        mg_mp_put_uint(&list, node.index);
        mg_mp_put_bin(&list, node.bytes, sizeof node.bytes);
        nodes++;
        i += (size_t)1 << level;
    }
    mg_mp_put_array(out, nodes);
    mg_buf_put(out, list.data, list.len);
    if (list.failed) out->failed = true;
    mg_buf_free(&list);
}

struct mg_bytes mg_salts_read(struct mg_mp_reader *in)
{
    size_t from = in->pos;
    uint32_t count = mg_mp_get_array(in, MG_SALT_NODES_MAX);
    for (uint32_t i = 0; i < count && in->error == NULL; i++) {
        struct node node = {0};
        if (next_told(in, &node) && node.level > MG_SALT_LEVELS) mg_mp_refuse(in, "a node of salts is out of range");
    }
    return (struct mg_bytes){in->data + from, in->pos - from};
}
