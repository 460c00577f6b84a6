/*
 * envelope.h - a message as the plaintexts of one or more Noise messages. [P 3.3]
 *
 *     message --zstd when it pays--> body --cut at MG_PART_MAX--> flags(1) | part
 *
 * Nearly every message is one part. A single commit may be larger than a Noise
 * message can be; then every part but the last is full, so that the number of parts
 * is bounded by the ceiling of the message and nobody can be fed with crumbs.
 */
#ifndef MG_PROTO_ENVELOPE_H
#define MG_PROTO_ENVELOPE_H

#include "proto/messages.h"

enum { MG_PART_ZSTD = 1, MG_PART_MORE = 2 };

/* A packed message; BODY is borrowed from the message or from the scratch it was packed in. */
struct mg_parcel {
    bool compressed;
    struct mg_bytes body; /* what is still to be cut into parts */
};

/* Compresses into SCRATCH (cleared first) when the message is long enough and it pays. */
mg_status mg_envelope_pack(struct mg_zstd *zstd, struct mg_bytes message, struct mg_buf *scratch,
                           struct mg_parcel *parcel) MG_MUST_CHECK;

/* Bytes on the wire: parts with their flags, tags and frame headers. */
size_t mg_parcel_wire_size(const struct mg_parcel *parcel);

/* Appends the next part's plaintext to OUT and takes it off PARCEL. True while there is another. */
bool mg_parcel_next(struct mg_parcel *parcel, struct mg_buf *out);

/* Puts parts together again. */
struct mg_envelope {
    struct mg_buf body;
    bool open;       /* parts are still to come */
    bool compressed; /* of the message that is being put together */
};

void mg_envelope_init(struct mg_envelope *envelope);
void mg_envelope_free(struct mg_envelope *envelope);

/* Takes one part; *WHOLE: the message is complete. MG_BAD_BYTES: flags that are none, a part that is
 * neither full nor the last, a part of another kind than the first, or over the ceiling. */
mg_status mg_envelope_add(struct mg_envelope *envelope, struct mg_bytes part, bool *whole) MG_MUST_CHECK;

/* The whole message, borrowed from ENVELOPE or, when it was compressed, from OUT (cleared first). */
mg_status mg_envelope_open(struct mg_envelope *envelope, struct mg_zstd *zstd, struct mg_buf *out,
                           struct mg_bytes *message) MG_MUST_CHECK;

#endif
