/*
 * pack.c - a rule pack: YAML, SQL conditions in their sandbox, its own cases. (core/rules/PACKS.md)
 *
 * Input: the text. A pack that loads has the hash of its bytes; one that passes its cases judges made-up dossiers, the same
 * way each time, or says why it cannot.
 */
#include <stdio.h>
#include <string.h>

#include "tests/support/dossiers.h"
#include "tests/support/fuzzing.h"
#include "tests/support/pack.h"

enum { TEXT_MAX = 32 * 1024, DOSSIERS = 3 };

static mg_status load(struct mg_bytes text, struct mg_pack **pack)
{
    struct mg_error err = {""};
    mg_status status = mg_pack_load(text, "pack.yaml", pack, &err);
    FUZZ_HOLDS(status == MG_OK || (status == MG_REFUSED && strncmp(err.text, "pack.yaml", 9) == 0));
    return status;
}

static void judge(struct mg_pack *pack, struct mg_pack *again, uint64_t which)
{
    struct dossier dossier;
    struct mg_facts facts;
    struct mg_verdict verdict, other;
    struct mg_error err = {""};
    memset(&verdict, 0, sizeof verdict);
    memset(&other, 0, sizeof other);
    mg_facts_init(&facts);
    dos_make(which, which % 2 == 0, &dossier);
    dos_facts(&dossier, &facts);
    struct mg_date as_of = {(int16_t)(dossier.as_of / 10000), (int8_t)(dossier.as_of / 100 % 100), (int8_t)(dossier.as_of % 100)};
    mg_status status = mg_pack_judge(pack, &facts, as_of, &verdict, &err);
    FUZZ_HOLDS(status == MG_OK || (status == MG_REFUSED && err.text[0] != '\0'));
    FUZZ_HOLDS(mg_pack_judge(again, &facts, as_of, &other, &err) == status);
    FUZZ_HOLDS(status != MG_OK || memcmp(&verdict, &other, sizeof verdict) == 0);
    mg_facts_free(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mg_bytes text = {data, len};
    struct mg_pack *pack = NULL, *again = NULL;
    struct mg_error err = {""};
    uint8_t hash[MG_PACK_HASH_LEN];
    if (len > TEXT_MAX || load(text, &pack) != MG_OK) return 0;
    FUZZ_HOLDS(load(text, &again) == MG_OK);
    FUZZ_HOLDS(memcmp(mg_pack_info(pack)->hash, mg_pack_info(again)->hash, sizeof hash) == 0);
    mg_status status = mg_pack_check(pack, &err);
    FUZZ_HOLDS(status == MG_OK || (status == MG_REFUSED && err.text[0] != '\0'));
    FUZZ_HOLDS(mg_pack_check(again, &err) == status);
    for (uint64_t i = 0; status == MG_OK && i < DOSSIERS; i++) judge(pack, again, i);
    mg_pack_free(again);
    mg_pack_free(pack);
    return 0;
}

static void seed_text(const char *text, bool good)
{
    struct mg_bytes bytes = {(const uint8_t *)text, strlen(text)};
    struct mg_pack *pack = NULL;
    struct mg_error err = {""};
    mg_status status = mg_pack_load(bytes, "seed", &pack, &err);
    if (status == MG_OK) status = mg_pack_check(pack, &err);
    if (good && status != MG_OK) fprintf(stderr, "%s\n", err.text);
    FUZZ_HOLDS((status == MG_OK) == good);
    mg_pack_free(pack);
    fuzz_seed(bytes);
}

static void seeds(void)
{
    static const char more[] =
        "pack: p-1\nplie: martigues\nvalid_from: 2013-01-01\nvalid_to: 2022-12-31\ntitle: {fr: t, en: t}\n"
        "parameters:\n  hours: {value: 76, fr: heures, en: hours}\n"
        "tables:\n  smic:\n    fr: smic\n    en: smic\n    columns: [since, cents]\n    rows:\n      - [2013-01-01, 94300]\n"
        "entry:\n  rules:\n    - {id: aged, ok: \"age(birth_date, as_of) BETWEEN 18 AND 65\", fr: a, en: a}\n"
        "  decide: [{verdict: eligible, when: aged}, {verdict: ineligible, else: true}]\n"
        "step_start:\n  decide: [{verdict: allowed, else: true}]\n"
        "accompaniment:\n  decide: [{verdict: within, else: true}]\n"
        "exits:\n  - kinds: [cdi, cdd, interim, training, creation, abandonment, moved, death, retirement, other]\n"
        "    decide: [{verdict: negative, else: true}]\n"
        "indicators:\n  - {id: met, from: dossier, where: \"entry_date <= :to\", fr: m, en: m}\n"
        "  - {id: rsa, from: dossier, where: \"met AND rsa_socle\", over: met, fr: r, en: r}\n"
        "  - {id: insertion_hours, from: clause_hours, sum: hours, fr: h, en: h}\n"
        "  - {id: share, value: \"100 * rsa / met\", fr: s, en: s}\n"
        "objectives:\n  - {indicator: met, at_least: 5700}\n  - {indicator: rsa, at_least_percent: 30}\n"
        "cases:\n  - {name: c, as_of: 2020-01-01, facts: {participant: {birth_date: 1990-02-28}}, expect: {entry: eligible}}\n";
    seed_text(small_pack(), true);
    seed_text(more, true);
    seed_text("pack: &a [*a]\n", false);
    seed_text("{a: !x y, <<: {}}", false);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_begin(seeds);
    return 0;
}
