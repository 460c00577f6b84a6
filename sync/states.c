/*
 * states.c - which move is allowed, which message is awaited, and what is always true.
 */
#include "sync/session.h"

static const struct {
    const char *name;
    uint32_t next;
    uint32_t heard;
} states[MG_STATE_COUNT] = {
#define MG_X(NAME, next, heard) [MG_STATE_##NAME] = {#NAME, (next) | MG_TO(OVER), (heard)},
    MG_STATES(MG_X)
#undef MG_X
};

void mg_session_move(struct mg_session *s, enum mg_state to)
{
    mg_assert((states[s->state].next & 1U << to) != 0);
    s->state = to;
}

bool mg_state_hears(enum mg_state state, enum mg_message_type type)
{
    if (type == MG_MSG_ERROR) return state != MG_STATE_OVER;
    return (states[state].heard & 1U << type) != 0;
}

const char *mg_state_name(enum mg_state state)
{
    return states[state].name;
}

static void check_node(const struct mg_session *s)
{
    const struct mg_node_side *node = &s->as.node;
    mg_assert(node->note_count <= MG_WINDOW_PUSHES && node->run < MG_RUNS_MAX);
    mg_assert((node->note_count == 0) == (node->unreceipted == 0));
    mg_assert(node->rounds <= MG_ROUNDS_MAX);
    mg_assert(!node->refilling || node->pushing);
    /* Chunks may come only when the hub owes nothing for what was pushed. */
    if (s->state == MG_STATE_NODE_PULLING) {
        mg_assert(node->note_count == 0 && !node->pushing && node->said_last);
    }
    if (s->state == MG_STATE_NODE_STAGING) mg_assert(node->snapshot && node->note_count == 0 && !node->pushing);
    if (s->state == MG_STATE_NODE_CALLING) mg_assert(node->note_count == 0 && !node->pushing);
}

static void check_hub(const struct mg_session *s)
{
    const struct mg_hub_side *hub = &s->as.hub;
    mg_assert(hub->unacked_count <= MG_WINDOW_CHUNKS && hub->run < MG_RUNS_MAX);
    mg_assert((hub->unacked_count == 0) == (hub->unacked_bytes == 0));
    mg_assert(s->state != MG_STATE_HUB_OFFERING || hub->snapshot);
    mg_assert(!hub->ack_unsaved || hub->admitted);
    bool conversing = s->state >= MG_STATE_HUB_TRACING && s->state <= MG_STATE_HUB_ENDED;
    if (conversing) mg_assert(hub->admitted && hub->window >= 1 && hub->window <= MG_WINDOW_CHUNKS);
    if (s->state == MG_STATE_HUB_COLLECTING) mg_assert(hub->unacked_count == 0);
}

void mg_session_check(const struct mg_session *s)
{
    mg_assert(s->state < MG_STATE_COUNT);
    /* The last effect is the last. */
    if (s->closed) mg_assert(s->state == MG_STATE_OVER && s->store == MG_STORE_IDLE);
    if (s->store != MG_STORE_IDLE) mg_assert(s->request.op != MG_STORE_NONE);
    mg_assert(s->out.len <= s->out.max);
    if (s->role == MG_ROLE_NODE) check_node(s);
    if (s->role == MG_ROLE_HUB) check_hub(s);
}
