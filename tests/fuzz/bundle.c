/*
 * bundle.c - files on a key, sealed by somebody who may: a node's for its hub, and a hub's for its node. [P 10]
 *
 * Input: a byte that says how, eight of a number, then
 *   0, 1   items: the payload of the handshake, then messages as they are before compression; sealed here with the true keys,
 *          and taken in by the hub (0, as a bundle of that number) or by the node (1, as an answer to its own)
 *   2, 3   the bytes of a file after its head, for the hub (2) or the node (3)
 *
 * A file is taken in or is not, with a sentence; it never fails the reader's disk, memory or program. What it asks of the
 * store is done in one transaction here, which is taken back: then all is as it was.
 */
#include <string.h>

#include "proto/proto.h"
#include "tests/support/fuzzing.h"
#include "tests/support/trip.h"

#define MDFJ "martigues/mdfj"

enum { ANNE = 1, ITEMS_MAX = 64, FILE_ROOM = 512 * 1024 };

static const uint8_t ephemeral[MG_KEY_LEN] = {9, 1, 7};

static struct world world, *const w = &world;
static struct mg_zstd zstd;
static struct mg_buf written, answered; /* a true bundle and its answer */

/* --- files --- */

struct writer {
    struct mg_noise noise;
    struct mg_buf file, scratch, part, sealed;
};

static void begin(struct writer *x, bool to_hub, uint64_t number)
{
    const struct mg_identity *hub = mg_store_identity(world_store(w, HUB)), *anne = mg_store_identity(world_store(w, ANNE));
    struct mg_bundle_head head;
    uint8_t bytes[MG_BUNDLE_HEAD_MAX];
    mg_bundle_head_get(answered.data, &head);
    head.kind = to_hub ? MG_BUNDLE_OUT : MG_BUNDLE_ANSWER;
    if (to_hub) head.number = number;
    struct mg_bytes prologue = {bytes, mg_bundle_head_put(bytes, &head)};
    mg_buf_init(&x->file, FILE_ROOM);
    mg_buf_init(&x->scratch, 2 * MG_MESSAGE_MAX);
    mg_buf_init(&x->part, 1 + MG_PART_MAX);
    mg_buf_init(&x->sealed, 2 * MG_PART_MAX);
    mg_buf_put(&x->file, prologue.data, prologue.len);
    mg_noise_init(&x->noise, MG_NOISE_X, true, prologue, (to_hub ? anne : hub)->noise_secret, (to_hub ? hub : anne)->noise_public, ephemeral);
}

static void put_message(struct writer *x, struct mg_bytes message)
{
    struct mg_parcel parcel;
    bool more = true;
    FUZZ_HOLDS(mg_envelope_pack(&zstd, message, &x->scratch, &parcel) == MG_OK);
    while (more) {
        mg_buf_clear(&x->part);
        mg_buf_clear(&x->sealed);
        more = mg_parcel_next(&parcel, &x->part);
        FUZZ_HOLDS(mg_noise_encrypt(&x->noise, mg_buf_bytes(&x->part), &x->sealed) == MG_OK);
        mg_frame_put(&x->file, mg_buf_bytes(&x->sealed));
    }
}

static void end(struct writer *x)
{
    mg_noise_free(&x->noise);
    mg_buf_free(&x->file);
    mg_buf_free(&x->scratch);
    mg_buf_free(&x->part);
    mg_buf_free(&x->sealed);
}

static void take(bool at_hub, struct mg_bytes file)
{
    struct mg_buf answer;
    mg_buf_init(&answer, FILE_ROOM);
    w->trips_are_undone = true;
    struct trip trip = at_hub ? trip_take_at_hub(w, file, &answer) : trip_take_answer(w, ANNE, file);
    w->trips_are_undone = false;
    if (trip.status != MG_OK) FUZZ_HOLDS(trip.error.text[0] != '\0');
    FUZZ_HOLDS(trip.status != MG_STORAGE && trip.status != MG_FAILED && trip.status != MG_STOPPED);
    mg_buf_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    struct writer x;
    struct mg_bytes item;
    uint64_t number = 0;
    int how = fuzz_byte(&input) % 4;
    for (int i = 0; i < 8; i++) number = number << 8 | fuzz_byte(&input);
    if (input.rest.len > FILE_ROOM / 4) return 0;
    begin(&x, how % 2 == 0, number);
    if (how >= 2) mg_buf_put(&x.file, input.rest.data, input.rest.len);
    else if (fuzz_item(&input, &item) && item.len < MG_PART_MAX / 2) {
        FUZZ_HOLDS(mg_noise_write(&x.noise, item, &x.sealed) == MG_OK);
        mg_frame_put(&x.file, mg_buf_bytes(&x.sealed));
        for (int i = 0; i < ITEMS_MAX && fuzz_item(&input, &item); i++)
            if (item.len > 0) put_message(&x, item);
    }
    FUZZ_HOLDS(!x.file.failed);
    take(how % 2 == 0, mg_buf_bytes(&x.file));
    end(&x);
    return 0;
}

/* --- the world, and seeds --- */

static void put_seed_item(struct mg_buf *seed, struct mg_bytes item)
{
    FUZZ_HOLDS(item.len < UINT16_MAX);
    fuzz_put_item(seed, item);
}

/* What is in FILE, which the reader can open. */
static void seed_of(uint8_t how, struct mg_bytes file, const struct mg_identity *reader)
{
    struct mg_bundle_head head;
    struct mg_frame_reader frames;
    struct mg_envelope envelope;
    struct mg_noise noise;
    struct mg_buf seed, plain, out;
    struct mg_bytes frame, message;
    size_t head_len;
    bool first = true;
    mg_buf_init(&seed, FILE_ROOM);
    mg_buf_init(&plain, 2 * MG_MESSAGE_MAX);
    mg_buf_init(&out, MG_MESSAGE_MAX);
    FUZZ_HOLDS(mg_bundle_head_size(file.data, &head_len) == MG_OK);
    mg_bundle_head_get(file.data, &head);
    mg_buf_put_u8(&seed, how);
    for (int i = 7; i >= 0; i--) mg_buf_put_u8(&seed, (uint8_t)(head.number >> 8 * i));
    mg_noise_init(&noise, MG_NOISE_X, false, (struct mg_bytes){file.data, head_len}, reader->noise_secret, NULL, ephemeral);
    mg_frame_init(&frames);
    mg_envelope_init(&envelope);
    mg_frame_feed(&frames, (struct mg_bytes){file.data + head_len, file.len - head_len});
    for (; mg_frame_next(&frames, &frame); first = false) {
        bool whole = false;
        mg_buf_clear(&plain);
        FUZZ_HOLDS((first ? mg_noise_read(&noise, frame, &plain) : mg_noise_decrypt(&noise, frame, &plain)) == MG_OK);
        if (first) put_seed_item(&seed, mg_buf_bytes(&plain));
        else FUZZ_HOLDS(mg_envelope_add(&envelope, mg_buf_bytes(&plain), &whole) == MG_OK);
        if (!whole) continue;
        FUZZ_HOLDS(mg_envelope_open(&envelope, &zstd, &out, &message) == MG_OK);
        put_seed_item(&seed, message);
    }
    fuzz_seed(mg_buf_bytes(&seed));
    mg_envelope_free(&envelope);
    mg_frame_free(&frames);
    mg_noise_free(&noise);
    mg_buf_free(&seed);
    mg_buf_free(&plain);
    mg_buf_free(&out);
}

static void seeds(void)
{
    seed_of(0, mg_buf_bytes(&written), mg_store_identity(world_store(w, HUB)));
    seed_of(1, mg_buf_bytes(&answered), mg_store_identity(world_store(w, ANNE)));
}

static void build_world(void)
{
    char p[MG_ID_TEXT_LEN + 1];
    world_open(w, 1);
    /* Little territory: a chunk is to be small. */
    world_sql(w, HUB, "DELETE FROM commune WHERE insee <> '13056'; DELETE FROM antenna WHERE code NOT LIKE 'martigues/m%%'");
    FUZZ_HOLDS(world_join(w, "anne", MDFJ) == ANNE && world_join(w, "bastien", MDFJ) == ANNE + 1);
    world_sync(w, ANNE);
    world_sync(w, ANNE + 1);
    world_add(w, ANNE, "participant", p, "family_name=Durand", "commune=13056", NULL);
    world_sync_all(w);
    world_set(w, ANNE, "participant", p, "phone", "0442");
    world_set(w, ANNE + 1, "participant", p, "phone", "0443");
    world_add(w, ANNE + 1, "participant", NULL, "family_name=Blanc", NULL);
    world_sync(w, ANNE + 1);
    FUZZ_HOLDS(trip_write(w, ANNE, &written).status == MG_OK);
    w->trips_are_undone = true; /* the hub has yet to take it */
    FUZZ_HOLDS(trip_take_at_hub(w, mg_buf_bytes(&written), &answered).status == MG_OK);
    w->trips_are_undone = false;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    FUZZ_HOLDS(sodium_init() >= 0 && mg_zstd_init(&zstd) == MG_OK);
    build_world();
    fuzz_begin(seeds);
    return 0;
}
