/*
 * msg_enrolled.c - the hub tells a new node who it is now, and who the hub is. [P 5.12]
 */
#include "proto/fields.h"

void mg_put_enrolled(struct mg_buf *out, const struct mg_message *message)
{
    const struct mg_msg_enrolled *enrolled = &message->as.enrolled;
    mg_assert(enrolled->scope_count >= 0 && enrolled->scope_count <= MG_SCOPES_MAX);
    mg_mp_put_bin(out, enrolled->hub_node, MG_ID_LEN);
    mg_mp_put_bin(out, enrolled->hub_sign, MG_KEY_LEN);
    mg_put_text(out, enrolled->hub_name);
    mg_put_text(out, enrolled->node_name);
    mg_mp_put_array(out, (uint32_t)enrolled->scope_count);
    for (int i = 0; i < enrolled->scope_count; i++) mg_put_text(out, enrolled->scopes[i]);
}

void mg_get_enrolled(struct mg_mp_reader *in, struct mg_message *message)
{
    struct mg_msg_enrolled *enrolled = &message->as.enrolled;
    mg_mp_get_bin_exact(in, enrolled->hub_node, MG_ID_LEN);
    mg_mp_get_bin_exact(in, enrolled->hub_sign, MG_KEY_LEN);
    mg_get_text(in, enrolled->hub_name, MG_NAME_MAX);
    mg_get_text(in, enrolled->node_name, MG_NAME_MAX);
    uint32_t count = mg_mp_get_array(in, MG_SCOPES_MAX);
    for (uint32_t i = 0; i < count; i++) mg_get_text(in, enrolled->scopes[i], MG_SCOPE_MAX);
    enrolled->scope_count = (int)count;
    if (count == 0) mg_mp_refuse(in, "node without a scope");
}
