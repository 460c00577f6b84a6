/*
 * messages.c - the frame around every message's own fields: number, count, ceiling, sender.
 */
#include "proto/messages.h"

#include <stdlib.h>

struct kind {
    const char *name;
    uint32_t elements;
    int from;
    size_t ceiling;
    void (*put)(struct mg_buf *out, const struct mg_message *message);
    void (*get)(struct mg_mp_reader *in, struct mg_message *message);
};

static const struct kind kinds[MG_MESSAGE_TYPES] = {
#define MG_X(NAME, name, number, elements, from, ceiling)                                          \
    [number] = {#NAME, (elements), (from), (size_t)(ceiling), mg_put_##name, mg_get_##name},
    MG_MESSAGES(MG_X)
#undef MG_X
};

#define MG_X(NAME, name, number, elements, from, ceiling)                                          \
    _Static_assert((number) < MG_MESSAGE_TYPES, #NAME " has a row");                               \
    _Static_assert((ceiling) <= MG_MESSAGE_MAX, #NAME " fits in a message");
MG_MESSAGES(MG_X)
#undef MG_X

const char *mg_message_name(enum mg_message_type type)
{
    bool known = (size_t)type < MG_MESSAGE_TYPES && kinds[type].name != NULL;
    return known ? kinds[type].name : "message";
}

mg_status mg_message_encode(const struct mg_message *message, struct mg_buf *out)
{
    mg_assert((size_t)message->type < MG_MESSAGE_TYPES && kinds[message->type].put != NULL);
    const struct kind *kind = &kinds[message->type];
    size_t before = out->len;
    mg_mp_put_array(out, kind->elements);
    mg_mp_put_uint(out, (uint64_t)message->type);
    kind->put(out, message);
    if (out->failed) return MG_FAILED;
    mg_assert(out->len - before <= kind->ceiling);
    return MG_OK;
}

/* [P 3.6] Of HELLO and ENROL, the number and the protocol have the same place in every version, so
 * that a hub can tell a node of another version what to do. True when that is what this is. */
static bool is_of_another_version(struct mg_bytes bytes, struct mg_message *message)
{
    struct mg_mp_reader in;
    mg_mp_read(&in, bytes.data, bytes.len);
    uint32_t elements = mg_mp_get_array(&in, UINT8_MAX);
    uint64_t type = mg_mp_get_uint(&in);
    uint64_t protocol = mg_mp_get_uint(&in);
    if (in.error != NULL || elements < 2 || protocol == MG_PROTOCOL) return false;
    if (type == MG_MSG_HELLO) message->as.hello.protocol = protocol;
    if (type == MG_MSG_ENROL) message->as.enrol.protocol = protocol;
    if (type != MG_MSG_HELLO && type != MG_MSG_ENROL) return false;
    message->type = (enum mg_message_type)type;
    return true;
}

static const struct kind *kind_of(uint64_t number, int from)
{
    if (number >= MG_MESSAGE_TYPES || kinds[number].get == NULL) return NULL;
    return (kinds[number].from & from) != 0 ? &kinds[number] : NULL;
}

mg_status mg_message_decode(struct mg_bytes bytes, int from, struct mg_message *message,
                            struct mg_error *err)
{
    *message = (struct mg_message){.type = MG_MSG_NONE};
    if ((from & MG_FROM_NODE) != 0 && is_of_another_version(bytes, message)) return MG_OK;

    struct mg_mp_reader in;
    mg_mp_read(&in, bytes.data, bytes.len);
    uint32_t elements = mg_mp_get_array(&in, UINT8_MAX);
    uint64_t number = mg_mp_get_uint(&in);
    const struct kind *kind = kind_of(number, from);
    if (in.error != NULL || kind == NULL) {
        return mg_fail(err, MG_BAD_BYTES, "a message that PROTOCOL.md does not know came");
    }
    if (elements != kind->elements) mg_mp_refuse(&in, "wrong number of fields");
    if (bytes.len > kind->ceiling) mg_mp_refuse(&in, "larger than its ceiling");
    message->type = (enum mg_message_type)number;
    if (in.error == NULL) kind->get(&in, message);
    if (mg_mp_done(&in)) return MG_OK;

    mg_message_free(message);
    return mg_fail(err, MG_BAD_BYTES, "%s at byte %zu: %s", kind->name, in.pos, in.error);
}

void mg_message_free(struct mg_message *message)
{
    free(message->histories);
    *message = (struct mg_message){.type = MG_MSG_NONE};
}
