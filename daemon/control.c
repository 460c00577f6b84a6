/*
 * control.c - requests and answers as lines; see control.h.
 *
 * The answer's fields are a list written once: writer and reader cannot disagree.
 * Reading refuses what it does not know, because both ends come from one build.
 */
#include "daemon/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The integers of an answer, in the order of the line. */
enum field {
    FIELD_PUSHED,
    FIELD_PULLED,
    FIELD_SENT,
    FIELD_RECEIVED,
    FIELD_TRIPS,
    FIELD_HISTORY,
    FIELD_N,
    FIELD_COMPLETE,
    FIELD_AGREE,
    FIELD_VERDICTS,
    FIELD_WAITING,
    FIELD_MS,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    [FIELD_PUSHED] = "pushed", [FIELD_PULLED] = "pulled",
    [FIELD_SENT] = "sent",     [FIELD_RECEIVED] = "received",
    [FIELD_TRIPS] = "trips",   [FIELD_HISTORY] = "history",
    [FIELD_N] = "n",           [FIELD_COMPLETE] = "complete",
    [FIELD_AGREE] = "agree",   [FIELD_VERDICTS] = "verdicts",
    [FIELD_WAITING] = "waiting", [FIELD_MS] = "ms",
};

void mg_control_put_request(const struct mg_control_request *request, char *line)
{
    snprintf(line, MG_CONTROL_LINE_MAX, "sync %s %" PRId64 " %" PRId64 "\n",
             request->address[0] == '\0' ? "-" : request->address, request->max_bytes,
             request->max_ms);
}

/* A number without sign, at most INT64_MAX, and nothing else in the word. */
static bool get_number(const char *word, int64_t *number)
{
    if (word[0] < '0' || word[0] > '9') return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(word, &end, 10);
    if (errno != 0 || *end != '\0' || value > INT64_MAX) return false;
    *number = (int64_t)value;
    return true;
}

static mg_status get_address(const char *word, char address[MG_ADDRESS_TEXT_MAX],
                             struct mg_error *err)
{
    address[0] = '\0';
    if (strcmp(word, "-") == 0) return MG_OK;
    struct mg_address parsed;
    mg_status status = mg_address_parse(word, false, &parsed, err);
    if (status == MG_OK) mg_address_format(&parsed, address);
    return status;
}

mg_status mg_control_get_request(const char *line, struct mg_control_request *request,
                                 struct mg_error *err)
{
    struct mg_control_request out = {0};
    char copy[MG_CONTROL_LINE_MAX];
    size_t len = strlen(line);
    if (len >= sizeof copy) return mg_fail(err, MG_BAD_BYTES, "control: the line is too long");
    memcpy(copy, line, len + 1);

    char *rest = NULL;
    const char *verb = strtok_r(copy, " ", &rest);
    if (verb == NULL || strcmp(verb, "sync") != 0)
        return mg_fail(err, MG_BAD_BYTES,
                       "control: the only request is `sync [ADDRESS [MAX_BYTES [MAX_MS]]]`");
    const char *word = strtok_r(NULL, " ", &rest);
    if (word != NULL) {
        mg_status status = get_address(word, out.address, err);
        if (status != MG_OK) return status;
        word = strtok_r(NULL, " ", &rest);
    }
    int64_t *const numbers[] = {&out.max_bytes, &out.max_ms};
    for (size_t i = 0; i < 2 && word != NULL; i++, word = strtok_r(NULL, " ", &rest))
        if (!get_number(word, numbers[i]))
            return mg_fail(err, MG_BAD_BYTES, "control: \"%.40s\" is not a number", word);
    if (word != NULL)
        return mg_fail(err, MG_BAD_BYTES, "control: \"%.40s\" is one word too many", word);
    *request = out;
    return MG_OK;
}

static void fields_of(const struct mg_dial_result *result, uint64_t fields[FIELD_COUNT])
{
    fields[FIELD_PUSHED] = (uint64_t)result->pushed;
    fields[FIELD_PULLED] = (uint64_t)result->pulled;
    fields[FIELD_SENT] = (uint64_t)result->bytes_sent;
    fields[FIELD_RECEIVED] = (uint64_t)result->bytes_received;
    fields[FIELD_TRIPS] = (uint64_t)result->round_trips;
    fields[FIELD_HISTORY] = result->cursor.history;
    fields[FIELD_N] = result->cursor.n;
    fields[FIELD_COMPLETE] = result->complete;
    fields[FIELD_AGREE] = result->digests_agree;
    fields[FIELD_VERDICTS] = result->verdicts_agree;
    fields[FIELD_WAITING] = (uint64_t)result->waiting;
    fields[FIELD_MS] = (uint64_t)(result->seconds * 1000.0);
}

static void result_of(const int64_t fields[FIELD_COUNT], struct mg_dial_result *result)
{
    *result = (struct mg_dial_result){
        .pushed = fields[FIELD_PUSHED],
        .pulled = fields[FIELD_PULLED],
        .bytes_sent = fields[FIELD_SENT],
        .bytes_received = fields[FIELD_RECEIVED],
        .round_trips = fields[FIELD_TRIPS],
        .cursor = {.history = (uint64_t)fields[FIELD_HISTORY], .n = (uint64_t)fields[FIELD_N]},
        .complete = fields[FIELD_COMPLETE] != 0,
        .digests_agree = fields[FIELD_AGREE] != 0,
        .verdicts_agree = fields[FIELD_VERDICTS] != 0,
        .waiting = fields[FIELD_WAITING],
        .seconds = (double)fields[FIELD_MS] / 1000.0,
    };
}

void mg_control_put_answer(const struct mg_control_answer *answer, char *line)
{
    uint64_t fields[FIELD_COUNT];
    fields_of(&answer->result, fields);
    size_t used = (size_t)snprintf(line, MG_CONTROL_LINE_MAX, "%d", (int)answer->status);
    for (int i = 0; i < FIELD_COUNT; i++)
        used += (size_t)snprintf(line + used, MG_CONTROL_LINE_MAX - used, " %s=%" PRIu64,
                                 field_names[i], fields[i]);
    used += (size_t)snprintf(line + used, MG_CONTROL_LINE_MAX - used, " text=%s",
                             answer->status == MG_OK ? "" : answer->error.text);
    mg_assert(used + 1 < MG_CONTROL_LINE_MAX); /* 12 fields of at most 31 bytes, 600 of text */
    for (char *c = line; *c != '\0'; c++)
        if (*c == '\n') *c = ' ';
    memcpy(line + used, "\n", 2);
}

static bool get_status(const char *word, mg_status *status)
{
    int64_t number = -1;
    if (!get_number(word, &number)) return false;
    switch (number) {
#define MG_X(name, code, text)                                                                     \
    case code: *status = name; return true;
        MG_STATUSES(MG_X)
#undef MG_X
    default: return false;
    }
}

/* WORD is "name=number" with the name of field I. */
static bool get_field(const char *word, int i, int64_t *number)
{
    size_t len = strlen(field_names[i]);
    return word != NULL && strncmp(word, field_names[i], len) == 0 && word[len] == '=' &&
           get_number(word + len + 1, number);
}

mg_status mg_control_get_answer(const char *line, struct mg_control_answer *answer,
                                struct mg_error *err)
{
    struct mg_control_answer out = {.status = MG_OK};
    char copy[MG_CONTROL_LINE_MAX];
    size_t len = strlen(line);
    if (len >= sizeof copy) return mg_fail(err, MG_BAD_BYTES, "control: the line is too long");
    memcpy(copy, line, len + 1);

    char *rest = NULL;
    const char *word = strtok_r(copy, " ", &rest);
    bool good = word != NULL && get_status(word, &out.status);
    int64_t fields[FIELD_COUNT] = {0};
    for (int i = 0; good && i < FIELD_COUNT; i++)
        good = get_field(strtok_r(NULL, " ", &rest), i, &fields[i]);
    good = good && rest != NULL && strncmp(rest, "text=", 5) == 0 &&
           strlen(rest + 5) < sizeof out.error.text;
    if (!good)
        return mg_fail(err, MG_BAD_BYTES,
                       "maillaged answered something else than expected: are both of one version?");
    (void)snprintf(out.error.text, sizeof out.error.text, "%s", rest + 5);
    result_of(fields, &out.result);
    *answer = out;
    return MG_OK;
}
