/*
 * forge.h - what a peer that has joined, and lies, can put before a hub: whatever it likes, signed with its own key.
 *
 * Inside core, below what an honest node would ever write.
 */
#ifndef MG_TESTS_FORGE_H
#define MG_TESTS_FORGE_H

#include "core/engine.h"

/* A batch of COUNT commits (canonical, one after the other, of ascending seqs) under INCARNATION of BY, into OUT. The chains go on from
 * what HUB holds in its present transaction. What is no commit is taken along; false: then there is nothing to sign. */
bool forge_batch(struct mg_store *hub, const struct mg_identity *by, uint64_t incarnation, struct mg_bytes commits, uint32_t count,
                 struct mg_buf *out);

/* The greatest seq of INCARNATION that HUB holds, in its present transaction. */
uint64_t forge_last_seq(struct mg_store *hub, const struct mg_identity *by, uint64_t incarnation);

/* A commit that writes TEXT into COLUMN of an existing participant, or another participant's id into COLUMN of an exit: in form, as
 * honest as any. Appended to OUT. */
struct forged {
    uint64_t seq;
    const char *scope;
    struct mg_position seen; /* n 0: nothing was seen */
    uint64_t hlc;
    uint8_t dossier[MG_ID_LEN];
    const char *column, *text;
    const uint8_t *exit, *other; /* ids of MG_ID_LEN bytes; NULL: it is about the participant, with TEXT */
    bool insert;   /* and makes the participant, in scope */
    uint64_t base; /* the incarnation that this one says it continues; 0: none is named */
};
void forge_commit(const struct forged *forged, struct mg_buf *out);

#endif
