/*
 * session.h - the inside of a session, shared by the files of sync/ and nobody else.
 *
 *   session.c  lifetime, what goes in and out, time        states.c  the table of moves
 *   wire.c     handshake and messages as frames            ending.c  every way to end
 *   node.c     the node's part                             hub.c     the hub's part
 *   enrol.c    enrolment, both parts                       sizer.c   how much to ask for
 *   bundle.c   a session by file (bundle_side.h)
 *
 * While a STORE is out no frame is taken: so a handler never meets a message while it
 * waits for the store, and the states below are those of the conversation alone.
 */
#ifndef MG_SYNC_SESSION_H
#define MG_SYNC_SESSION_H

#include "sync/bundle_side.h"
#include "sync/sizer.h"
#include "sync/sync.h"

#define MG_TO(state) (1U << MG_STATE_##state)
#define MG_HEARS(type) (1U << MG_MSG_##type)

/* [P 6.1] X(NAME, states that may follow besides OVER, messages that may come besides ERROR) */
#define MG_STATES(X)                                                                               \
    X(NODE_CALLING, MG_TO(NODE_GREETING), 0)                                                       \
    X(NODE_GREETING, MG_TO(NODE_PUSHING), MG_HEARS(WELCOME))                                       \
    X(NODE_PUSHING, MG_TO(NODE_STAGING) | MG_TO(NODE_PULLING), MG_HEARS(RECEIPT) | MG_HEARS(FORK)) \
    X(NODE_STAGING, MG_TO(NODE_PULLING), MG_HEARS(BLOCK))                                          \
    X(NODE_PULLING, MG_TO(NODE_PUSHING) | MG_TO(NODE_COMPARING), MG_HEARS(CHUNK) | MG_HEARS(END))  \
    X(NODE_COMPARING, 0, MG_HEARS(VERDICTS))                                                       \
    X(HUB_WAITING, MG_TO(HUB_PROVING), 0)                                                          \
    X(HUB_PROVING, MG_TO(HUB_ADMITTING) | MG_TO(HUB_ENROLLING), 0)                                 \
    X(HUB_ADMITTING, MG_TO(HUB_TRACING) | MG_TO(HUB_COLLECTING) | MG_TO(HUB_OFFERING) | MG_TO(HUB_SERVING), 0) \
    X(HUB_TRACING, MG_TO(HUB_ADMITTING), MG_HEARS(PUSH) | MG_HEARS(LINEAGE) | MG_HEARS(BYE))       \
    X(HUB_COLLECTING, MG_TO(HUB_OFFERING) | MG_TO(HUB_SERVING), MG_HEARS(PUSH) | MG_HEARS(BYE))    \
    X(HUB_OFFERING, MG_TO(HUB_SERVING), MG_HEARS(SNAPSHOT) | MG_HEARS(ACK) | MG_HEARS(BYE))        \
    X(HUB_SERVING, MG_TO(HUB_ENDED), MG_HEARS(ACK) | MG_HEARS(BYE))                                \
    X(HUB_ENDED, MG_TO(HUB_COLLECTING),                                                            \
      MG_HEARS(ACK) | MG_HEARS(PUSH) | MG_HEARS(COMPARE) | MG_HEARS(BYE))                          \
    X(HUB_ENROLLING, 0, 0)                                                                         \
    X(ENROL_CALLING, MG_TO(ENROL_ASKING), 0)                                                       \
    X(ENROL_ASKING, 0, MG_HEARS(ENROLLED))                                                         \
    X(BUNDLE_WRITING, 0, 0)                                                                        \
    X(BUNDLE_OPENING, MG_TO(BUNDLE_GREETING) | MG_TO(BUNDLE_READING), 0)                           \
    X(BUNDLE_GREETING, MG_TO(BUNDLE_TAKING), MG_HEARS(LINEAGE) | MG_HEARS(PUSH) | MG_HEARS(BYE))   \
    X(BUNDLE_TAKING, MG_TO(BUNDLE_LEFT), MG_HEARS(PUSH) | MG_HEARS(BYE))                           \
    X(BUNDLE_LEFT, MG_TO(BUNDLE_CLOSED), MG_HEARS(CLOSING))                                        \
    X(BUNDLE_READING, MG_TO(BUNDLE_CLOSED),                                                        \
      MG_HEARS(WELCOME) | MG_HEARS(RECEIPT) | MG_HEARS(FORK) | MG_HEARS(CHUNK) | MG_HEARS(END) |   \
          MG_HEARS(CLOSING))                                                                       \
    X(BUNDLE_CLOSED, MG_TO(BUNDLE_SERVING), 0)                                                     \
    X(BUNDLE_SERVING, 0, 0)                                                                        \
    X(OVER, 0, 0)

enum mg_state {
#define MG_X(NAME, next, heard) MG_STATE_##NAME,
    MG_STATES(MG_X)
#undef MG_X
    MG_STATE_COUNT
};

enum mg_role { MG_ROLE_NODE, MG_ROLE_HUB, MG_ROLE_ENROL, MG_ROLE_BUNDLE };
enum mg_store_state { MG_STORE_IDLE, MG_STORE_ASKED, MG_STORE_OUT };

/* A PUSH that the hub has not answered. */
struct mg_push_note {
    uint64_t run;
    uint64_t commits;
    size_t wire;
    uint64_t level; /* round trips done when it was sent */
};

struct mg_node_side {
    struct mg_hello hello;
    uint64_t window;  /* as told to the hub */
    bool by_name;     /* likewise */
    size_t chunk_max; /* bytes on the wire, as told to the hub */
    int64_t max_bytes, max_ms;

    /* Pushing. RUN counts restarts; SAID_LAST: the hub may serve once it has answered. */
    uint64_t run;
    bool pushing, refilling, said_last, after_end;
    bool later; /* restart found out too late for this round: push after END */
    uint64_t later_from;
    uint64_t refill_position;
    uint64_t pushed_to;
    uint64_t target; /* the seq whose batch is the last; UINT64_MAX: not known */
    struct mg_push_note notes[MG_WINDOW_PUSHES];
    unsigned first_note, note_count;
    size_t unreceipted;
    struct mg_sizer sizer;
    uint64_t receipted; /* commits of the receipt that is being stored */
    bool traced;        /* LINEAGE was sent */

    /* A snapshot first. */
    bool snapshot; /* WELCOME said so, and it is not unpacked yet */
    struct mg_snapshot_info staged;
    uint32_t block; /* 1 to this are staged */

    /* Pulling. */
    unsigned rounds;
    uint64_t chunks; /* of this round */
    uint64_t serve_level, ack_level[MG_WINDOW_CHUNKS];

    bool spent;   /* the budget in bytes: nothing new is begun */
    bool leaving; /* the budget in time, or asked to stop: BYE as soon as nothing is in hand */
    bool has_outcome;
    struct mg_outcome outcome;

    uint8_t compared_to[MG_ID_LEN]; /* the verdicts up to here are the hub's */
    unsigned compares;
};

struct mg_hub_side {
    struct mg_peer peer;
    bool admitted;
    struct mg_hello hello;
    uint64_t window;
    bool by_name; /* as HELLO said */
    uint64_t end_n;

    /* Collecting: pushes of a run below RUN_MIN are void, those of FORKED_RUN are answered FORK. */
    uint64_t run_min, run;
    bool forked;
    uint64_t fork_base;
    unsigned void_pushes;
    bool refill_asked, traced;

    /* Offering: blocks take places in the window of chunks, by their numbers. */
    bool snapshot, offered;
    uint8_t wanted[MG_SNAPSHOT_ID_LEN];
    uint32_t wanted_block;
    struct mg_snapshot_info info;
    uint32_t next_block;
    bool small_budget; /* the node's budget lets no block through */

    /* Serving. */
    uint64_t position;
    struct { uint64_t n; size_t wire; } unacked[MG_WINDOW_CHUNKS];
    unsigned unacked_count;
    size_t unacked_bytes;
    struct mg_sizer sizer;
    unsigned rounds;

    /* What the node holds, kept once, at the end: one write a session and not one a chunk. */
    struct mg_position acked;
    bool ack_unsaved;
    bool complete, digests_agree, verdicts_agree;
    uint64_t waiting;
    struct mg_bytes reports;
    unsigned compares;

    uint8_t invitation[MG_INVITE_ID_LEN];
    bool enrolment;
    uint16_t busy_seconds; /* as in the params */
};

struct mg_enrol_side {
    struct mg_identity identity;
    struct mg_invitation invitation;
    struct mg_birth birth;
};

struct mg_session {
    enum mg_role role;
    enum mg_state state;
    struct mg_workshop *shop;

    /* Bytes. */
    uint8_t preamble[MG_PREAMBLE_LEN];
    size_t preamble_len; /* hub: bytes of it that came */
    struct mg_noise noise;
    bool has_noise;
    uint8_t static_private[MG_KEY_LEN], ephemeral[MG_KEY_LEN]; /* hub: until the preamble came; bundles */
    bool heard_sealed; /* a transport message came: an alert would be a lie now */
    struct mg_frame_reader frames;
    struct mg_envelope inbox;
    struct mg_buf unpacked;
    struct mg_message heard; /* in hand; a STORE may borrow from it */
    struct mg_buf out;
    bool out_lent; /* OUT was given out: forget it at the next call */

    /* The store. */
    enum mg_store_state store;
    uint64_t ticket;
    struct mg_store_request request;
    struct mg_store_result result;

    /* Time. */
    int64_t started, heard_at;
    int64_t still_at; /* hub: when it last said that it is still making a snapshot */

    /* The end. */
    bool lost, closed;
    struct mg_close close;

    union {
        struct mg_node_side node;
        struct mg_hub_side hub;
        struct mg_enrol_side enrol;
        struct mg_bundle_side bundle;
    } as;
};

/* states.c */
void mg_session_move(struct mg_session *s, enum mg_state to);
bool mg_state_hears(enum mg_state state, enum mg_message_type type);
const char *mg_state_name(enum mg_state state);
void mg_session_check(const struct mg_session *s); /* asserts what is always true, by state */

/* wire.c */
struct mg_buf *mg_session_out(struct mg_session *s);
void mg_session_put_frame(struct mg_session *s, struct mg_bytes bytes);
void mg_session_send(struct mg_session *s, const struct mg_message *message);
/* In two steps where the size decides: packing lends the workshop's buffers until the next message. */
bool mg_session_pack(struct mg_session *s, const struct mg_message *message, struct mg_parcel *parcel);
void mg_session_send_parcel(struct mg_session *s, struct mg_parcel *parcel);
/* A handshake message with PAYLOAD (may be NULL) as one frame; false when the session ended by it. */
bool mg_session_send_handshake(struct mg_session *s, const struct mg_message *payload);
/* A handshake message from FRAME; PAYLOAD is borrowed from the workshop. */
mg_status mg_session_hear_handshake(struct mg_session *s, struct mg_bytes frame, struct mg_bytes *payload);
void mg_session_hear(struct mg_session *s, struct mg_bytes frame);

/* session.c: asks for OP; fill s->request.in after it. ROOM: result->histories is needed. */
bool mg_session_ask(struct mg_session *s, enum mg_store_op op, bool room);

/* ending.c: OVER, with a status, and with a last word to the peer where one can be said. */
void mg_session_finish(struct mg_session *s, mg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mg_session_refuse(struct mg_session *s, mg_status status, enum mg_error_code code,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
void mg_session_store_failed(struct mg_session *s, mg_status status, const struct mg_error *err);
void mg_session_heard_error(struct mg_session *s, const struct mg_msg_error *error);
void mg_session_heard_alert(struct mg_session *s, enum mg_alert reason, uint16_t seconds);
void mg_session_send_alert(struct mg_session *s, enum mg_alert reason, uint16_t seconds);

/* node.c, hub.c, enrol.c: handshake frames, messages, results of the store, and whether there is
 * something to begin when nothing has come (true when something was done). */
void mg_node_start(struct mg_session *s);
void mg_node_handshake(struct mg_session *s, struct mg_bytes frame);
void mg_node_heard(struct mg_session *s);
void mg_node_stored(struct mg_session *s);
bool mg_node_produce(struct mg_session *s);
void mg_node_settle(struct mg_session *s);

void mg_hub_handshake(struct mg_session *s, struct mg_bytes frame);
void mg_hub_heard(struct mg_session *s);
void mg_hub_stored(struct mg_session *s);
bool mg_hub_produce(struct mg_session *s);
bool mg_hub_awaits_unpacking(const struct mg_session *s); /* every block is acknowledged */
void mg_hub_say_wait(struct mg_session *s); /* while the store makes a snapshot */
bool mg_hub_last_word(struct mg_session *s); /* when over: something is still to be stored */

void mg_enrol_start(struct mg_session *s);
void mg_enrol_handshake(struct mg_session *s, struct mg_bytes frame);
void mg_enrol_heard(struct mg_session *s);
void mg_enrol_hub_invited(struct mg_session *s);
void mg_enrol_hub_denied(struct mg_session *s, const struct mg_error *err);
void mg_enrol_hub_asked(struct mg_session *s, struct mg_bytes payload);
void mg_enrol_hub_done(struct mg_session *s);

/* [P 6.3] Whether what was pushed ahead of WELCOME counts for nothing: both sides compute it from the
 * same two messages, so that neither has to be told. */
bool mg_pushes_are_void(const struct mg_hello *hello, const struct mg_welcome *welcome);

#endif
