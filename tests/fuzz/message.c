/*
 * message.c - every message, from either side. [P 5]
 *
 * Input: a byte that says who sent it, then the message. There is one way to write a message, so what is read is, written
 * again, what came.
 */
#include "proto/proto.h"

#include <string.h>

#include "tests/support/fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    struct mg_message message;
    struct mg_error err = {""};
    struct mg_buf again;
    int from = fuzz_byte(&input) % 2 == 0 ? MG_FROM_NODE : MG_FROM_HUB;
    struct mg_bytes bytes = input.rest;
    mg_status status = mg_message_decode(bytes, from, &message, &err);
    if (status != MG_OK) {
        FUZZ_HOLDS(status == MG_BAD_BYTES && err.text[0] != '\0' && message.histories == NULL);
        return 0;
    }
    bool other_version = (message.type == MG_MSG_HELLO && message.as.hello.protocol != MG_PROTOCOL) ||
                         (message.type == MG_MSG_ENROL && message.as.enrol.protocol != MG_PROTOCOL);
    FUZZ_HOLDS(!other_version || from == MG_FROM_NODE);
    mg_buf_init(&again, MG_MESSAGE_MAX);
    if (!other_version) {
        FUZZ_HOLDS(mg_message_encode(&message, &again) == MG_OK);
        FUZZ_HOLDS(again.len == bytes.len && memcmp(again.data, bytes.data, again.len) == 0);
    }
    mg_buf_free(&again);
    mg_message_free(&message);
    return 0;
}

/* --- seeds --- */

static const uint8_t some[64] = {7, 1, 2, 3};
static const struct mg_position place = {UINT64_C(0x0123456789abcdef), 70000};
static const struct mg_history histories[] = {{.id = 5}, {.id = UINT64_C(0x0123456789abcdef), .parent = 5, .fork = 300}};

static void fill_hub(struct mg_message *message)
{
    struct mg_end *end = &message->as.end.state;
    switch ((int)message->type) {
    case MG_MSG_WELCOME:
        message->as.welcome = (struct mg_msg_welcome){.protocol = MG_PROTOCOL, .state = {.known_seq = 200, .refill = true, .resume = 300,
            .hub_time = INT64_C(1790000000000), .runs = 7, .histories = histories, .history_count = 2}};
        return;
    case MG_MSG_RECEIPT: message->as.receipt.receipt = (struct mg_bytes){some, 20}; return;
    case MG_MSG_FORK: message->as.fork = (struct mg_msg_fork){.run = 2, .base_seq = 65536}; return;
    case MG_MSG_CHUNK: message->as.chunk.chunk = (struct mg_bytes){some, 30}; return;
    case MG_MSG_END:
        end->cursor = place;
        end->hub_time = INT64_C(1790000000000);
        end->day = 20717;
        end->unsaved = 1000;
        end->schema = 3;
        end->digest_count = 2;
        memcpy(end->digests[1].scope, "martigues/mdfj", 14);
        memcpy(end->digests[1].verdicts, some, MG_DIGEST_LEN);
        return;
    case MG_MSG_ENROLLED:
        memcpy(message->as.enrolled.hub_name, "metropole", 9);
        memcpy(message->as.enrolled.node_name, "mdfj", 4);
        memcpy(message->as.enrolled.scopes[0], "martigues/mdfj", 14);
        message->as.enrolled.scope_count = 1;
        return;
    case MG_MSG_VERDICTS: message->as.verdicts = (struct mg_msg_verdicts){.last = true, .page = {some, MG_VERDICT_ENTRY_LEN}}; return;
    case MG_MSG_BLOCK: message->as.block = (struct mg_msg_block){.number = 7, .bytes = {some, 12}}; return;
    default: return;
    }
}

static void fill_node(struct mg_message *message)
{
    switch ((int)message->type) {
    case MG_MSG_HELLO:
        message->as.hello = (struct mg_msg_hello){.protocol = MG_PROTOCOL, .window = 4, .chunk_units = 64,
            .state = {.schema_version = 1, .incarnation = INT64_MAX, .cursor = place, .acked_seq = 200, .last_seq = 201}};
        return;
    case MG_MSG_PUSH: message->as.push = (struct mg_msg_push){.run = 1, .last = true, .batch = {some, 40}}; return;
    case MG_MSG_ACK: message->as.ack.cursor = place; return;
    case MG_MSG_BYE: message->as.bye = (struct mg_msg_bye){.cursor = place, .complete = true, .waiting = 3, .reports = {some, 9}}; return;
    case MG_MSG_ERROR:
        message->as.error = (struct mg_msg_error){.code = MG_ERROR_BUSY, .seconds = 300};
        memcpy(message->as.error.text, "occup\xc3\xa9", 7);
        return;
    case MG_MSG_ENROL: message->as.enrol.protocol = MG_PROTOCOL; return;
    case MG_MSG_LINEAGE: message->as.lineage = (struct mg_msg_lineage){.histories = histories, .history_count = 2}; return;
    case MG_MSG_COMPARE: memcpy(message->as.compare.scope, "martigues", 9); return;
    case MG_MSG_SNAPSHOT: message->as.snapshot.block = 128; return;
    case MG_MSG_CLOSING: message->as.closing = (struct mg_msg_closing){.messages = 300, .number = 7, .refilled = place}; return;
    default: return;
    }
}

static void seeds(void)
{
    for (int type = 1; type < MG_MESSAGE_TYPES; type++) {
        struct mg_message message = {.type = (enum mg_message_type)type};
        struct mg_buf seed;
        fill_hub(&message);
        fill_node(&message);
        mg_buf_init(&seed, MG_MESSAGE_MAX);
        mg_buf_put_u8(&seed, 0);
        FUZZ_HOLDS(mg_message_encode(&message, &seed) == MG_OK);
        fuzz_seed(mg_buf_bytes(&seed));
        seed.data[0] = 1;
        fuzz_seed(mg_buf_bytes(&seed));
        mg_buf_free(&seed);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_begin(seeds);
    return 0;
}
