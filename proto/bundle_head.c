/*
 * bundle_head.c - fixed places, so that a person with a hex dump finds them too.
 */
#include "proto/bundle_head.h"

#include <string.h>

static const uint8_t magic[3] = {'M', 'L', 'B'};

static size_t size_of(int kind)
{
    return (size_t)MG_BUNDLE_HEAD_MAX - (kind == MG_BUNDLE_OUT ? (size_t)MG_BUNDLE_TOKEN_LEN : 0);
}

size_t mg_bundle_head_put(uint8_t out[MG_BUNDLE_HEAD_MAX], const struct mg_bundle_head *head)
{
    uint8_t *at = out;
    memcpy(at, magic, sizeof magic);
    at[3] = (uint8_t)head->kind;
    at[4] = MG_BUNDLE_VERSION;
    at += MG_BUNDLE_START_LEN;
    memcpy(at, head->hub, MG_BUNDLE_ID_LEN);
    memcpy(at + MG_BUNDLE_ID_LEN, head->node, MG_BUNDLE_ID_LEN);
    at += 2 * MG_BUNDLE_ID_LEN;
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)(head->number >> (56 - 8 * i));
    if (head->kind == MG_BUNDLE_ANSWER) memcpy(at + 8, head->token, MG_BUNDLE_TOKEN_LEN);
    return size_of(head->kind);
}

mg_status mg_bundle_head_size(const uint8_t start[MG_BUNDLE_START_LEN], size_t *size)
{
    if (memcmp(start, magic, sizeof magic) != 0) return MG_BAD_BYTES;
    int kind = start[3];
    if (start[4] != MG_BUNDLE_VERSION || (kind != MG_BUNDLE_OUT && kind != MG_BUNDLE_ANSWER)) return MG_REFUSED;
    *size = size_of(kind);
    return MG_OK;
}

void mg_bundle_head_get(const uint8_t *bytes, struct mg_bundle_head *head)
{
    memset(head, 0, sizeof *head);
    head->kind = bytes[3];
    bytes += MG_BUNDLE_START_LEN;
    memcpy(head->hub, bytes, MG_BUNDLE_ID_LEN);
    memcpy(head->node, bytes + MG_BUNDLE_ID_LEN, MG_BUNDLE_ID_LEN);
    bytes += 2 * MG_BUNDLE_ID_LEN;
    for (int i = 0; i < 8; i++) head->number = head->number << 8 | bytes[i];
    if (head->kind == MG_BUNDLE_ANSWER) memcpy(head->token, bytes + 8, MG_BUNDLE_TOKEN_LEN);
}
