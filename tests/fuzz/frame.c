/*
 * frame.c - a stream cut anywhere: frames, and the parts of messages in them. [P 3.1, 3.3]
 *
 * Input: a byte that says how the stream is cut into reads, then the stream. Whatever the cut, the same frames come out
 * and the same error; put back, they are the bytes that were read. Each frame is then taken as the plaintext of a Noise message:
 * what opens is within the ceiling, and packed again it opens to the same.
 */
#include "proto/proto.h"

#include <string.h>

#include "tests/support/fuzzing.h"

static struct mg_zstd zstd;

/* Feeds STREAM in reads of at most STEP bytes; what came out, as it would be put again. */
static mg_status read_frames(struct mg_bytes stream, size_t step, struct mg_buf *again)
{
    struct mg_frame_reader reader;
    struct mg_bytes frame;
    mg_frame_init(&reader);
    for (size_t at = 0; at < stream.len && mg_frame_status(&reader) == MG_OK; at += step) {
        size_t len = stream.len - at < step ? stream.len - at : step;
        mg_frame_feed(&reader, (struct mg_bytes){stream.data + at, len});
        while (mg_frame_next(&reader, &frame)) {
            FUZZ_HOLDS(frame.len >= 1 && frame.len <= MG_FRAME_MAX);
            mg_frame_put(again, frame);
        }
        FUZZ_HOLDS(reader.held.cap <= reader.held.max);
    }
    mg_status status = mg_frame_status(&reader);
    if (status == MG_OK && mg_frame_is_empty(&reader)) FUZZ_HOLDS(again->len == stream.len);
    mg_frame_free(&reader);
    FUZZ_HOLDS(again->len <= stream.len && (again->len == 0 || memcmp(again->data, stream.data, again->len) == 0));
    return status;
}

static void pack_again(struct mg_bytes message)
{
    struct mg_envelope envelope;
    struct mg_parcel parcel;
    struct mg_buf scratch, part, out;
    struct mg_bytes opened;
    bool more = true, whole = false;
    mg_buf_init(&scratch, 2 * MG_MESSAGE_MAX);
    mg_buf_init(&part, 1 + MG_PART_MAX);
    mg_buf_init(&out, MG_MESSAGE_MAX);
    mg_envelope_init(&envelope);
    FUZZ_HOLDS(mg_envelope_pack(&zstd, message, &scratch, &parcel) == MG_OK);
    while (more) {
        FUZZ_HOLDS(!whole);
        mg_buf_clear(&part);
        more = mg_parcel_next(&parcel, &part);
        FUZZ_HOLDS(mg_envelope_add(&envelope, mg_buf_bytes(&part), &whole) == MG_OK);
    }
    FUZZ_HOLDS(whole && mg_envelope_open(&envelope, &zstd, &out, &opened) == MG_OK);
    FUZZ_HOLDS(opened.len == message.len && memcmp(opened.data, message.data, message.len) == 0);
    mg_envelope_free(&envelope);
    mg_buf_free(&out);
    mg_buf_free(&part);
    mg_buf_free(&scratch);
}

static void open_parts(struct mg_bytes frames)
{
    struct mg_frame_reader reader;
    struct mg_envelope envelope;
    struct mg_buf out;
    struct mg_bytes frame, message;
    mg_frame_init(&reader);
    mg_envelope_init(&envelope);
    mg_buf_init(&out, MG_MESSAGE_MAX);
    mg_frame_feed(&reader, frames);
    while (mg_frame_next(&reader, &frame)) {
        bool whole = false;
        enum mg_alert reason;
        uint16_t seconds;
        (void)mg_alert_read(frame, &reason, &seconds);
        if (mg_envelope_add(&envelope, frame, &whole) != MG_OK) break;
        if (!whole || mg_envelope_open(&envelope, &zstd, &out, &message) != MG_OK) continue;
        FUZZ_HOLDS(message.len <= MG_MESSAGE_MAX && out.cap <= MG_MESSAGE_MAX);
        if (message.len > 0) pack_again(message);
    }
    mg_buf_free(&out);
    mg_envelope_free(&envelope);
    mg_frame_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    struct mg_buf whole, cut;
    size_t step = 1 + (size_t)fuzz_byte(&input);
    struct mg_bytes stream = input.rest;
    if (stream.len > MG_FRAME_READ_MAX) return 0;
    mg_buf_init(&whole, MG_FRAME_READ_MAX);
    mg_buf_init(&cut, MG_FRAME_READ_MAX);
    mg_status status = read_frames(stream, MG_FRAME_READ_MAX, &whole);
    FUZZ_HOLDS(read_frames(stream, step, &cut) == status);
    FUZZ_HOLDS(cut.len == whole.len && (cut.len == 0 || memcmp(cut.data, whole.data, cut.len) == 0));
    open_parts(mg_buf_bytes(&whole));
    mg_buf_free(&cut);
    mg_buf_free(&whole);
    return 0;
}

/* --- seeds --- */

static void put_message(struct mg_buf *stream, size_t len, bool alike)
{
    static uint8_t bytes[MG_MESSAGE_MAX];
    struct mg_buf scratch, part;
    struct mg_parcel parcel;
    bool more = true;
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(alike ? i / 40 : i * i * 31 >> 3);
    mg_buf_init(&scratch, 2 * MG_MESSAGE_MAX);
    mg_buf_init(&part, 1 + MG_PART_MAX);
    FUZZ_HOLDS(mg_envelope_pack(&zstd, (struct mg_bytes){bytes, len}, &scratch, &parcel) == MG_OK);
    while (more) {
        mg_buf_clear(&part);
        more = mg_parcel_next(&parcel, &part);
        mg_frame_put(stream, mg_buf_bytes(&part));
    }
    mg_buf_free(&part);
    mg_buf_free(&scratch);
}

static void seeds(void)
{
    static const uint8_t alert[] = {0xff, 3, 0, 60};
    static const uint8_t empty[] = {5, 0, 0};
    for (uint8_t step = 0; step < 3; step++) {
        struct mg_buf stream;
        mg_buf_init(&stream, MG_FRAME_READ_MAX);
        mg_buf_put_u8(&stream, (uint8_t)(step * 7));
        put_message(&stream, 20, false);
        put_message(&stream, 4000, true);
        if (step > 0) put_message(&stream, 700, false);
        mg_frame_put(&stream, (struct mg_bytes){alert, sizeof alert});
        FUZZ_HOLDS(!stream.failed);
        fuzz_seed(mg_buf_bytes(&stream));
        mg_buf_free(&stream);
    }
    fuzz_seed((struct mg_bytes){empty, sizeof empty});
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    FUZZ_HOLDS(mg_zstd_init(&zstd) == MG_OK);
    fuzz_begin(seeds);
    return 0;
}
