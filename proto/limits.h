/*
 * limits.h - every ceiling of the wire, once, with its reason. [P 8]
 *
 * A ceiling is checked before a byte is allocated for what it bounds. What belongs
 * to the data and not to the wire (a name's length, the size of a chunk's content)
 * is in core and only used here.
 */
#ifndef MG_PROTO_LIMITS_H
#define MG_PROTO_LIMITS_H

#include "core/core.h"
#include "proto/frame.h"
#include "proto/noise.h"

enum {
    /* [P 3.1] What this text describes. Another number is another text. */
    MG_PROTOCOL = 1,

    /* [P 3.3] A Noise message is at most 65535 bytes, of which a tag; the first byte is flags. */
    MG_PART_MAX = MG_FRAME_MAX - MG_NOISE_TAG - 1,

    /* [P 3.3] The largest content is a chunk; 64 bytes are enough for what stands around it. */
    MG_MESSAGE_MAX = MG_CHUNK_RAW_MAX + 64,

    /* [P 3.3] Below, a zstd frame's own header eats what it saves. */
    MG_COMPRESS_FROM = 200,
    /* Level 3 is the knee: 6 costs three times the time for some 5 % of size. A night's edits are little, and may have to
     * pass a slow line: 15 makes them 6 % smaller in a millisecond or two. */
    MG_COMPRESS_LEVEL = 3,
    MG_COMPRESS_LEVEL_SMALL = 15,
    MG_COMPRESS_SMALL = 64 * 1024,

    /* [P 6.4] Four chunks of 64 KB keep a 2 Mbit/s line with 1 s of delay full; the bytes bound what
     * a chunk larger than its ceiling (one huge commit) can add. */
    MG_WINDOW_CHUNKS = 4,
    MG_WINDOW_CHUNK_BYTES = 256 * 1024,
    /* [P 6.3] The hub keeps a batch as it came and serves it whole: small, so that a chunk can be cut to
     * anybody's budget, and so that a slow line that is cut again and again gets on. One commit alone may pass both. */
    MG_PUSH_WIRE_MAX = 10 * 1000,
    MG_PUSH_RAW_MAX = 128 * 1024,
    /* [P 6.3] The same as for chunks; the count bounds what the sender remembers of them. */
    MG_WINDOW_PUSH_BYTES = 128 * 1024,
    MG_WINDOW_PUSHES = 16,

    /* [P 6.3] A push starts over when the hub was restored or the node was: more often than this in
     * one session is a peer that plays. */
    MG_RUNS_MAX = 8,
    /* [P 6.5] Edits made during a session are pushed in it, but a busy keyboard must not keep it open. */
    MG_COMPARES_MAX = 1000, /* two and a half million dossiers of a scope */
    MG_ROUNDS_MAX = 3,

    /* [P 5.1] A chunk's ceiling is announced in thousands of bytes. */
    MG_CHUNK_UNIT = 1000,
    MG_CHUNK_UNITS_MAX = MG_CHUNK_WIRE_MAX / MG_CHUNK_UNIT,

    /* [P 5.3] A batch goes on in a chunk. */
    MG_BATCH_MAX = MG_CHUNK_RAW_MAX,
    /* [P 5.4] Some 300 bytes; more where the commits came before in many batches, each with its own. */
    MG_RECEIPT_MAX = MG_CHUNK_RAW_MAX,
    /* [P 5.10] One sentence. */
    MG_ERROR_TEXT_MAX = 500,
    /* [P 5.10] A hub that is full says "come back in n seconds": at most a day. */
    MG_RETRY_SECONDS_MAX = 86400,
    /* [P 5.8] A node's scopes and their ancestors. */
    MG_DIGESTS_MAX = MG_SCOPES_MAX * 3,
};

_Static_assert(MG_CHUNK_WIRE_MAX % MG_CHUNK_UNIT == 0, "the default ceiling can be announced");
_Static_assert(MG_CHUNK_UNITS_MAX < 128, "one byte on the wire");
_Static_assert((int)MG_CHUNK_WIRE_MAX < (int)MG_PART_MAX, "a chunk within its ceiling is one frame");
_Static_assert((int)MG_HISTORIES_MAX * 28 + 64 <= (int)MG_MESSAGE_MAX, "every history fits in one message");

#endif
