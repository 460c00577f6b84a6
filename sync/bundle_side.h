/*
 * bundle_side.h - the inside of a bundle, shared by the files that write and take one.
 *
 *   bundle.c         head, seal, closing, the end of the file: what all three have in common
 *   bundle_out.c     the node writes a bundle
 *   bundle_take.c    the hub takes it in and writes the answer
 *   bundle_answer.c  the node takes the answer
 */
#ifndef MG_SYNC_BUNDLE_SIDE_H
#define MG_SYNC_BUNDLE_SIDE_H

#include "sync/bundle.h"
#include "sync/sizer.h"

enum mg_bundle_role { MG_BUNDLE_WRITES, MG_BUNDLE_TAKES, MG_BUNDLE_IS_ANSWERED };

struct mg_bundle_side {
    enum mg_bundle_role role;
    uint8_t self[MG_BUNDLE_ID_LEN], hub[MG_BUNDLE_ID_LEN];
    uint8_t hub_noise[MG_KEY_LEN];
    struct mg_bundle_report report;

    /* Reading. */
    uint8_t start[MG_BUNDLE_HEAD_MAX];
    size_t start_len;
    size_t head_len; /* 0: not known yet */
    struct mg_bundle_head head;
    bool ended; /* the file has no more */
    uint64_t heard; /* messages, the one in hand counted */

    /* Writing. */
    struct mg_noise sealer; /* the hub's, of the answer */
    bool has_sealer;
    uint64_t said;
    struct mg_sizer sizer;

    struct mg_bundle_line line; /* the node's */

    /* The node writes: what is still to be written, in this order. */
    struct mg_bundle_plan plan;
    bool owes_lineage, owes_refill, owes_batches, owes_end, kept;
    uint64_t refill_position;

    /* The hub takes. */
    struct mg_hello hello;
    struct mg_peer peer;
    struct mg_welcome welcome; /* without its histories */
    struct mg_msg_bye bye;
    uint8_t reports[MG_REPORTS_MAX];
    bool serves; /* the answer has chunks */
    uint64_t greatest;
    struct mg_position refilled;

    /* Chunks: the end of the last one, a number of the hub's lineage. */
    uint64_t position;

    /* The node takes an answer. */
    bool welcomed, has_end;
    uint64_t waiting_before;
    struct mg_outcome outcome;
};

struct mg_session;

/* bundle.c */
void mg_bundle_say(struct mg_session *s, const struct mg_message *message);
void mg_bundle_say_closing(struct mg_session *s, uint64_t number, struct mg_position refilled);
/* Puts the head and the Noise message with PAYLOAD (may be NULL); SEALER is the noise to begin. TOKEN gets the file's. */
void mg_bundle_begin(struct mg_session *s, struct mg_noise *sealer, const struct mg_bundle_head *head, const uint8_t *private_key,
                     const uint8_t *reader_key, const struct mg_message *payload);
/* Looks whether what was pushed counts. [P 10.4] */
bool mg_bundle_has_gap(const struct mg_hello *hello, const struct mg_welcome *welcome);

/* For session.c and wire.c. */
struct mg_noise *mg_session_sealer(struct mg_session *s);
void mg_bundle_feed_head(struct mg_session *s, struct mg_bytes *bytes);
void mg_bundle_ended(struct mg_session *s);
void mg_bundle_damaged(struct mg_session *s);
void mg_bundle_opened(struct mg_session *s, struct mg_bytes frame);
void mg_bundle_heard(struct mg_session *s);
void mg_bundle_stored(struct mg_session *s);
bool mg_bundle_produce(struct mg_session *s);

/* One each: what the others of this side do with it. */
void mg_bundle_out_stored(struct mg_session *s);
bool mg_bundle_out_produce(struct mg_session *s);
void mg_bundle_take_opened(struct mg_session *s, struct mg_bytes payload);
void mg_bundle_take_heard(struct mg_session *s);
void mg_bundle_take_stored(struct mg_session *s);
bool mg_bundle_take_produce(struct mg_session *s);
void mg_bundle_answer_opened(struct mg_session *s, struct mg_bytes payload);
void mg_bundle_answer_heard(struct mg_session *s);
void mg_bundle_answer_stored(struct mg_session *s);
void mg_bundle_answer_ended(struct mg_session *s);

#endif
