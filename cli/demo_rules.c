/*
 * demo_rules.c - what the rules make of it all: indicators against targets, verdicts compared, drift told.
 */
#include <string.h>

#include "cli/demo.h"

/* The demonstration's people are entered up to the end of 2021. */
#define AS_OF "2021-12-31"

static void tell_indicator(const struct mg_demo *demo, const json_t *indicator)
{
    const json_t *percent = json_object_get(indicator, "percent");
    char share[32] = "";
    if (!json_is_integer(json_object_get(indicator, "target"))) return;
    if (json_is_integer(percent)) (void)snprintf(share, sizeof share, "%lld %%", (long long)json_integer_value(percent));
    bool of_percent = strcmp(mg_demo_text(indicator, "target_is"), "percent") == 0;
    mg_demo_say(demo, "  %-58s %7lld %6s   %s %lld%s, %s", mg_demo_text(indicator, "label"), (long long)mg_demo_int(indicator, "value"),
                share, of_percent ? "at least" : mg_demo_text(indicator, "target_is"), (long long)mg_demo_int(indicator, "target"),
                of_percent ? " %" : "", json_is_true(json_object_get(indicator, "met")) ? "met" : "not met");
}

static mg_status tell_report(struct mg_demo *demo, const char *plie, struct mg_error *err)
{
    json_t *report = NULL;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("report", plie, "--as-of", AS_OF), &report, err);
    if (status != MG_OK) return status;
    const json_t *list = json_object_get(report, "indicators"), *period = json_object_get(report, "period");
    mg_demo_say(demo, "%s, from %s to %s", mg_demo_text(report, "pack"), mg_demo_text(period, "from"), mg_demo_text(period, "to"));
    for (size_t i = 0; i < json_array_size(list); i++) tell_indicator(demo, json_array_get(list, i));
    mg_demo_check(demo, json_array_size(list) > 0 && mg_demo_int(json_array_get(list, 0), "value") > 0,
                  "%s: %zu indicators, and somebody was accompanied", plie, json_array_size(list));
    json_object_set_new(demo->summary, plie, report);
    return MG_OK;
}

/* The sum of the verdicts of a scope, as SQL's integer. */
static mg_status sum_of(struct mg_demo *demo, const struct mg_demo_node *node, const char *scope, int64_t *sum, struct mg_error *err)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT verdicts AS n FROM mg_scope WHERE path = '%s'", scope);
    return mg_demo_number(demo, node, sql, sum, err);
}

mg_status mg_demo_check_verdicts(struct mg_demo *demo, struct mg_error *err)
{
    mg_status status = MG_OK;
    int equal = 0, agreed = 0;
    mg_demo_say(demo, "  %-18s %-16s  %s", "antenna", "its verdicts", "the hub's of it");
    for (int i = 0; i < MG_DEMO_ANTENNAS && status == MG_OK; i++) {
        const struct mg_demo_node *node = &demo->antennas[i];
        int64_t here = 0, hub = 0;
        json_t *session = NULL;
        status = sum_of(demo, node, node->code, &here, err);
        if (status == MG_OK) status = sum_of(demo, &demo->hub, node->code, &hub, err);
        if (status == MG_OK) status = mg_demo_do(demo, node, MG_ARGS("sync"), &session, err);
        agreed += json_is_true(json_object_get(session, "verdicts_agree"));
        json_decref(session);
        equal += here == hub && here != 0;
        mg_demo_say(demo, "  %-18s %016llx  %016llx", node->name, (unsigned long long)here, (unsigned long long)hub);
    }
    if (status == MG_OK)
        mg_demo_check(demo, equal == MG_DEMO_ANTENNAS && agreed == MG_DEMO_ANTENNAS,
                      "the rules say the same of every dossier at all %d antennas and at the hub", MG_DEMO_ANTENNAS);
    return status;
}

static mg_status tell_drift(struct mg_demo *demo, struct mg_error *err)
{
    enum { TOLD = 8 };
    json_t *drift = NULL;
    size_t concurrent = 0;
    mg_status status = mg_demo_do(demo, &demo->hub, MG_ARGS("rules", "drift"), &drift, err);
    for (size_t i = 0; i < json_array_size(drift); i++) {
        const json_t *one = json_array_get(drift, i);
        if (!json_is_true(json_object_get(one, "concurrent"))) continue;
        if (concurrent++ < TOLD)
            mg_demo_say(demo, "  %.8s: %s was %s, is %s, by commit %s", mg_demo_text(one, "participant"), mg_demo_text(one, "rule"),
                        mg_demo_text(one, "before"), mg_demo_text(one, "after"), mg_demo_text(one, "commit"));
    }
    mg_demo_say(demo, "%zu verdicts changed with what came in, %zu of them where two people worked without seeing each other",
                json_array_size(drift), concurrent);
    if (status == MG_OK && !demo->small)
        mg_demo_check(demo, concurrent > 0, "the drift is listed, with the commit that caused it: 60 hours a month are less than half-time");
    json_object_set_new(demo->summary, "drift", json_integer((json_int_t)json_array_size(drift)));
    json_decref(drift);
    return status;
}

mg_status mg_demo_tell_rules(struct mg_demo *demo, struct mg_error *err)
{
    mg_demo_chapter(demo, "What the merges did to the verdicts");
    mg_status status = tell_drift(demo, err);
    if (status == MG_OK) status = mg_demo_check_verdicts(demo, err);
    if (status != MG_OK) return status;
    mg_demo_chapter(demo, "What the funders ask for");
    status = tell_report(demo, "pays-d-aix", err);
    return status == MG_OK ? tell_report(demo, "martigues", err) : status;
}
