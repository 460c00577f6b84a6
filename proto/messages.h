/*
 * messages.h - the one table of messages, and each as a struct. [P 5]
 *
 * A message is a canonical MessagePack array: its number, then its fields. A row here
 * needs a struct below, and a msg_NAME.c with its two functions: half a message does
 * not compile or link. Bytes in a decoded message are borrowed from what was decoded;
 * lists of histories are its own until mg_message_free.
 */
#ifndef MG_PROTO_MESSAGES_H
#define MG_PROTO_MESSAGES_H

#include "core/core.h"
#include "proto/limits.h"

/* Who may send it. */
enum { MG_FROM_NODE = 1, MG_FROM_HUB = 2, MG_FROM_EITHER = 3 };

/* X(NAME, name, number, elements with the number, who sends it, ceiling in bytes) */
#define MG_MESSAGES(X)                                                                             \
    X(HELLO, hello, 1, 11, MG_FROM_NODE, 80)                                                       \
    X(WELCOME, welcome, 2, 9, MG_FROM_HUB, 64 + 28 * MG_HISTORIES_MAX)                             \
    X(PUSH, push, 3, 5, MG_FROM_NODE, MG_BATCH_MAX + 64)                                       \
    X(RECEIPT, receipt, 4, 2, MG_FROM_HUB, MG_RECEIPT_MAX + 16)                                    \
    X(FORK, fork, 5, 3, MG_FROM_HUB, 16)                                                           \
    X(CHUNK, chunk, 6, 2, MG_FROM_HUB, MG_CHUNK_RAW_MAX + 16)                                      \
    X(ACK, ack, 7, 2, MG_FROM_NODE, 32)                                                            \
    X(END, end, 8, 8, MG_FROM_HUB, 128 + MG_DIGESTS_MAX * (MG_SCOPE_MAX + 26))                     \
    X(BYE, bye, 9, 7, MG_FROM_NODE, MG_REPORTS_MAX + 64)                                           \
    X(ERROR, error, 10, 4, MG_FROM_EITHER, MG_ERROR_TEXT_MAX + 32)                                 \
    X(ENROL, enrol, 11, 3, MG_FROM_NODE, 48)                                                       \
    X(ENROLLED, enrolled, 12, 6, MG_FROM_HUB, 256 + MG_SCOPES_MAX * (MG_SCOPE_MAX + 2))            \
    X(LINEAGE, lineage, 13, 2, MG_FROM_NODE, 16 + 28 * MG_HISTORIES_MAX)                           \
    X(COMPARE, compare, 14, 3, MG_FROM_NODE, MG_SCOPE_MAX + 32)                                    \
    X(VERDICTS, verdicts, 15, 3, MG_FROM_HUB, MG_VERDICTS_A_PAGE * MG_VERDICT_ENTRY_LEN + 16)      \
    X(SNAPSHOT, snapshot, 16, 3, MG_FROM_NODE, 32)                                                 \
    X(BLOCK, block, 17, 3, MG_FROM_HUB, MG_BLOCK_MAX + 16)                         \
    X(CLOSING, closing, 18, 4, MG_FROM_EITHER, 64)

enum mg_message_type {
    MG_MSG_NONE = 0,
#define MG_X(NAME, name, number, elements, from, ceiling) MG_MSG_##NAME = (number),
    MG_MESSAGES(MG_X)
#undef MG_X
};

enum { MG_MESSAGE_TYPES = 19 }; /* one more than the greatest number */

/* [P 7] What ERROR may say: X(NAME, number, status of the session that receives it) */
#define MG_ERRORS(X)                                                                               \
    X(BAD_BYTES, 1, MG_BAD_BYTES)                                                                  \
    X(VERSION, 2, MG_DENIED)                                                                       \
    X(NODE, 3, MG_DENIED)                                                                          \
    X(UNKNOWN_NODE, 4, MG_DENIED)                                                                  \
    X(REVOKED, 5, MG_DENIED)                                                                       \
    X(INVITATION, 6, MG_DENIED)                                                                    \
    X(EXPIRED, 7, MG_DENIED)                                                                       \
    X(USED, 8, MG_DENIED)                                                                          \
    X(COMMITS, 9, MG_REFUSED)                                                                      \
    X(BUSY, 10, MG_UNREACHABLE)                                                                    \
    X(STORAGE, 11, MG_UNREACHABLE)                                                                 \
    X(STOPPING, 12, MG_UNREACHABLE)                                                                \
    X(FAILED, 13, MG_FAILED)                                                                       \
    X(NAMES, 14, MG_UNREACHABLE)

enum mg_error_code {
    MG_ERROR_NONE = 0,
#define MG_X(NAME, number, status) MG_ERROR_##NAME = (number),
    MG_ERRORS(MG_X)
#undef MG_X
};

/* [P 5.1] */
struct mg_msg_hello {
    uint64_t protocol; /* when it is not MG_PROTOCOL, nothing else was read */
    struct mg_hello state;
    uint64_t window;      /* chunks that may be unacknowledged: 1 to MG_WINDOW_CHUNKS */
    uint64_t chunk_units; /* ceiling of a chunk: thousands of bytes, 1 to MG_CHUNK_UNITS_MAX */
    bool by_name;         /* rows may be told by name (4.2.3) */
};

/* [P 5.2] state.histories points to the message's own list. */
struct mg_msg_welcome {
    uint64_t protocol;
    struct mg_welcome state;
};

/* [P 5.3] */
struct mg_msg_push {
    uint64_t run; /* below MG_RUNS_MAX */
    bool last;
    bool refill;
    struct mg_bytes batch; /* empty only when last */
};

/* [P 5.4] */
struct mg_msg_receipt {
    struct mg_bytes receipt;
};

/* [P 5.5] */
struct mg_msg_fork {
    uint64_t run;
    uint64_t base_seq;
};

/* [P 5.6] */
struct mg_msg_chunk {
    struct mg_bytes chunk;
};

/* [P 5.7] */
struct mg_msg_ack {
    struct mg_position cursor;
};

/* [P 5.8] */
struct mg_msg_end {
    struct mg_end state;
};

/* [P 5.9] */
struct mg_msg_bye {
    struct mg_position cursor;
    bool complete;
    bool digests_agree;
    bool verdicts_agree;
    uint64_t waiting;
    struct mg_bytes reports; /* of runs; the session does not look inside */
};

/* [P 5.10] */
struct mg_msg_error {
    uint64_t code; /* of enum mg_error_code, or one that this version does not know */
    uint64_t seconds;
    char text[MG_ERROR_TEXT_MAX + 1];
};

/* [P 5.11] */
struct mg_msg_enrol {
    uint64_t protocol; /* as in HELLO */
    uint8_t sign_public[MG_KEY_LEN];
};

/* [P 5.12] */
struct mg_msg_enrolled {
    uint8_t hub_node[MG_ID_LEN];
    uint8_t hub_sign[MG_KEY_LEN];
    char hub_name[MG_NAME_MAX + 1];
    char node_name[MG_NAME_MAX + 1];
    char scopes[MG_SCOPES_MAX][MG_SCOPE_MAX + 1];
    int scope_count;
};

/* [P 5.13] */
struct mg_msg_lineage {
    const struct mg_history *histories;
    int history_count;
};

/* [P 5.14] */
struct mg_msg_compare {
    char scope[MG_SCOPE_MAX + 1];
    uint8_t after[MG_ID_LEN];
};

/* [P 5.15] */
struct mg_msg_verdicts {
    bool last;
    struct mg_bytes page; /* whole entries of MG_VERDICT_ENTRY_LEN, by id */
};

/* [P 5.16] */
struct mg_msg_snapshot {
    uint8_t id[MG_SNAPSHOT_ID_LEN]; /* zeros: nothing is staged */
    uint64_t block;
};

/* [P 5.17] */
struct mg_msg_block {
    uint64_t number;       /* 0: the manifest */
    struct mg_bytes bytes; /* empty only for number 0: the snapshot is being made, wait */
};

/* [P 5.18] */
struct mg_msg_closing {
    uint64_t messages; /* before this one */
    uint64_t number;   /* the bundle's own; of an answer: the greatest that the hub has taken of the node */
    struct mg_position refilled; /* a bundle's refill is of what lies beyond; zeros: everything, or none in it */
};

struct mg_message {
    enum mg_message_type type;
    union {
#define MG_X(NAME, name, number, elements, from, ceiling) struct mg_msg_##name name;
        MG_MESSAGES(MG_X)
#undef MG_X
    } as;
    struct mg_history *histories; /* owned; what WELCOME and LINEAGE point to after decoding */
};

/* Appends MESSAGE to OUT; MG_FAILED when OUT's ceiling or memory is too small. A message that
 * breaks its own limits is the caller's bug. */
mg_status mg_message_encode(const struct mg_message *message, struct mg_buf *out) MG_MUST_CHECK;

/* Reads exactly one message that a peer of kind FROM may send. MG_BAD_BYTES with what is wrong and
 * in which message. Gives *MESSAGE, which must be freed on MG_OK. */
mg_status mg_message_decode(struct mg_bytes bytes, int from, struct mg_message *message,
                            struct mg_error *err) MG_MUST_CHECK;

/* Frees what *MESSAGE owns and makes it MG_MSG_NONE. */
void mg_message_free(struct mg_message *message);

/* "WELCOME"; "message" for a number that is none. */
const char *mg_message_name(enum mg_message_type type);

/* Each message's own half, in msg_NAME.c: the fields after the number. MESSAGE is of that type, and
 * its fields are zeros before `get`. */
#define MG_X(NAME, name, number, elements, from, ceiling)                                          \
    void mg_put_##name(struct mg_buf *out, const struct mg_message *message);                      \
    void mg_get_##name(struct mg_mp_reader *in, struct mg_message *message);
MG_MESSAGES(MG_X)
#undef MG_X

#endif
