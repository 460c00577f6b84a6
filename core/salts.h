/*
 * salts.h - the salts of commits, so that many can be told in few bytes. [P 4.2.2]
 *
 * A commit's salt must be unguessable for whoever does not hold the commit, and random
 * bytes do not compress: they would be a third of what a night sends. So an author's
 * salts are the leaves of binary trees that grow from a secret of its own, each node
 * hashed from the one above it. Whoever is given an inner node can make the salts
 * below it and no others: a batch carries the fewest nodes that stand for exactly the
 * commits that are in it.
 *
 *   tree of seqs e * 1024 .. e * 1024 + 1023; a node is (level, index) and stands for
 *   the seqs index << level .. ((index + 1) << level) - 1; level 0 is one seq
 */
#ifndef MG_CORE_SALTS_H
#define MG_CORE_SALTS_H

#include "core/buf.h"
#include "core/mp.h"

enum { MG_SALT_LEN = 8, MG_SALT_NODE_LEN = 16, MG_SALT_LEVELS = 10, MG_SALT_NODES_MAX = 256 /* each is looked at for each commit */ };

/* Where nodes come from: an author's own secret, or nodes that it has told. */
struct mg_salts {
    const uint8_t *secret; /* MG_SIGN_SECRET_LEN bytes, the author's; NULL: TOLD */
    uint64_t incarnation;
    struct mg_bytes told; /* canonical [[level, index, node], ...]; may be empty */
};

/* The salt of SEQ; false when SALTS does not say it. */
bool mg_salt_of(const struct mg_salts *salts, uint64_t seq, uint8_t salt[MG_SALT_LEN]);

/* Appends to OUT the nodes that stand for SEQS (COUNT of them, ascending) and for nothing else, as a canonical array;
 * only those that stand for four or more, below that the salts themselves are shorter. */
void mg_salts_tell(const struct mg_salts *salts, const uint64_t *seqs, size_t count, struct mg_buf *out);

/* Steps over such an array, checking it; borrowed. */
struct mg_bytes mg_salts_read(struct mg_mp_reader *in);

#endif
