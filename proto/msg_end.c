/*
 * msg_end.c - the signed fact that closes a pull: at this position, these digests. [P 5.8]
 */
#include "proto/fields.h"

enum { DAY_MAX = 2932896 }; /* 9999-12-31 */

static bool is_zero(const uint8_t sum[MG_DIGEST_LEN])
{
    uint8_t any = 0;
    for (int i = 0; i < MG_DIGEST_LEN; i++) any |= sum[i];
    return any == 0;
}

void mg_put_end(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_end *end = &message->as.end.state;
    mg_assert(end->hub_time >= 0 && end->schema >= 0 && end->digest_count >= 0 && end->digest_count <= MG_DIGESTS_MAX);
    mg_put_position(out, &end->cursor);
    mg_mp_put_uint(out, (uint64_t)end->hub_time);
    mg_mp_put_uint(out, (uint64_t)end->day);
    mg_mp_put_uint(out, end->unsaved);
    mg_mp_put_uint(out, (uint64_t)end->schema);
    mg_mp_put_array(out, (uint32_t)end->digest_count);
    for (int i = 0; i < end->digest_count; i++) {
        bool judged = !is_zero(end->digests[i].verdicts);
        mg_mp_put_array(out, judged ? 3 : 2);
        mg_put_text(out, end->digests[i].scope);
        mg_mp_put_bin(out, end->digests[i].digest, MG_DIGEST_LEN);
        if (judged) mg_mp_put_bin(out, end->digests[i].verdicts, MG_DIGEST_LEN);
    }
    mg_mp_put_bin(out, end->signature, sizeof end->signature);
}

void mg_get_end(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_end *end = &message->as.end.state;
    mg_get_position(in, &end->cursor);
    end->hub_time = (int64_t)mg_get_number(in, MG_NUMBER_MAX);
    end->day = (int64_t)mg_get_number(in, DAY_MAX);
    end->unsaved = mg_get_number(in, end->cursor.n);
    end->schema = (int)mg_get_number(in, INT32_MAX);
    uint32_t count = mg_mp_get_array(in, MG_DIGESTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parts = mg_mp_get_array(in, 3);
        mg_get_text(in, end->digests[i].scope, MG_SCOPE_MAX);
        mg_mp_get_bin_exact(in, end->digests[i].digest, MG_DIGEST_LEN);
        if (parts == 3) mg_mp_get_bin_exact(in, end->digests[i].verdicts, MG_DIGEST_LEN);
        if (parts < 2 || (parts == 3 && is_zero(end->digests[i].verdicts))) mg_mp_refuse(in, "a digest is not written in its one way");
    }
    end->digest_count = (int)count;
    mg_mp_get_bin_exact(in, end->signature, sizeof end->signature);
}
