/*
 * verdict_digest.c - one line: the digest of what a pack says of made-up dossiers. `verdict_digest COUNT PACK...`
 *
 * Built several ways and run under several locales and time zones (test_sameness.sh): one digest.
 */
#include <locale.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/core.h"
#include "tests/support/dossiers.h"

static struct mg_pack *load(const char *path)
{
    static uint8_t text[MG_PACK_MAX + 1];
    struct mg_pack *pack = NULL;
    struct mg_error err = {""};
    FILE *file = fopen(path, "rb");
    size_t len = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    if (file != NULL) (void)fclose(file);
    if (mg_pack_load((struct mg_bytes){text, len}, path, &pack, &err) == MG_OK && mg_pack_check(pack, &err) == MG_OK) return pack;
    (void)fprintf(stderr, "verdict_digest: %s\n", err.text);
    exit(1);
}

static void judge(struct mg_pack *pack, uint64_t n, struct mg_facts *facts, crypto_generichash_state *state)
{
    struct dossier dossier;
    struct mg_verdict verdict;
    struct mg_error err;
    const struct mg_pack_info *info = mg_pack_info(pack);
    dos_make(n, strcmp(info->plie, "martigues") == 0, &dossier);
    dos_facts(&dossier, facts);
    struct mg_date as_of = {(int16_t)(dossier.as_of / 10000), (int8_t)(dossier.as_of / 100 % 100), (int8_t)(dossier.as_of % 100)};
    if (mg_pack_judge(pack, facts, as_of, &verdict, &err) != MG_OK) {
        (void)fprintf(stderr, "verdict_digest: dossier %llu: %s\n", (unsigned long long)n, err.text);
        exit(1);
    }
    char held[16];
    (void)snprintf(held, sizeof held, "%08x", verdict.held);
    (void)crypto_generichash_update(state, verdict.parts, sizeof verdict.parts);
    (void)crypto_generichash_update(state, (const uint8_t *)&verdict.exit_kind, 1);
    (void)crypto_generichash_update(state, (const uint8_t *)held, 8);
    (void)crypto_generichash_update(state, verdict.ok, (unsigned long long)info->rule_count);
}

int main(int argc, char **argv)
{
    crypto_generichash_state state;
    uint8_t hash[16];
    char hex[33];
    struct mg_facts facts;
    if (argc < 3 || sodium_init() < 0) return 2;
    bool localised = setlocale(LC_ALL, "") != NULL;
    tzset();
    mg_facts_init(&facts);
    (void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (int i = 2; i < argc; i++) {
        struct mg_pack *pack = load(argv[i]);
        for (uint64_t n = 0; n < strtoull(argv[1], NULL, 10); n++) judge(pack, n, &facts, &state);
        mg_pack_free(pack);
    }
    (void)crypto_generichash_final(&state, hash, sizeof hash);
    mg_facts_free(&facts);
    printf("%s\n", sodium_bin2hex(hex, sizeof hex, hash, sizeof hash));
    /* For the script: whether the locale that was asked for is in effect, and its decimal sign. */
    (void)fprintf(stderr, "%s %s\n", localised ? setlocale(LC_ALL, NULL) : "(refused)", localeconv()->decimal_point);
    return 0;
}
