/*
 * bundle_head.h - what a bundle says before any key fits. [P 10.2]
 *
 * Enough to find words for a person who brought the wrong key or the wrong file, and
 * no more: who wrote it and what is in it is sealed. The head is the prologue of the
 * seal, so a bundle whose head was changed does not open.
 */
#ifndef MG_PROTO_BUNDLE_HEAD_H
#define MG_PROTO_BUNDLE_HEAD_H

#include "core/core.h"

enum {
    MG_BUNDLE_OUT = 1,    /* from a node to its hub */
    MG_BUNDLE_ANSWER = 2, /* back */
    MG_BUNDLE_VERSION = 1,
    MG_BUNDLE_ID_LEN = 8,    /* of a node id, its first bytes */
    MG_BUNDLE_START_LEN = 5, /* "MLB", kind, version: the same in every version */
    MG_BUNDLE_HEAD_MAX = MG_BUNDLE_START_LEN + 2 * MG_BUNDLE_ID_LEN + 8 + MG_BUNDLE_TOKEN_LEN
};

struct mg_bundle_head {
    int kind;
    uint8_t hub[MG_BUNDLE_ID_LEN], node[MG_BUNDLE_ID_LEN];
    uint64_t number;                    /* an answer: of the bundle that it answers */
    uint8_t token[MG_BUNDLE_TOKEN_LEN]; /* an answer: the same */
};

/* Returns the length written. */
size_t mg_bundle_head_put(uint8_t out[MG_BUNDLE_HEAD_MAX], const struct mg_bundle_head *head);

/* How many bytes the head is, when MG_BUNDLE_START_LEN of it are known: MG_BAD_BYTES when it is no bundle, MG_REFUSED when it is
 * one of another version. Then the rest. */
mg_status mg_bundle_head_size(const uint8_t start[MG_BUNDLE_START_LEN], size_t *size) MG_MUST_CHECK;
void mg_bundle_head_get(const uint8_t *bytes, struct mg_bundle_head *head);

#endif
