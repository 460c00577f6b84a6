/* pack.c - see pack.h. */
#include "tests/support/pack.h"

#include <stdio.h>
#include <string.h>

#include "core/status.h"

static const char pack_text[] =
    "pack: world-1\n"
    "plie: martigues\n"
    "valid_from: 2013-01-01\n"
    "title: {fr: monde, en: world}\n"
    "parameters:\n"
    "  hours: {value: 76, fr: heures, en: hours}\n"
    "entry:\n"
    "  rules:\n"
    "    - {id: here, ok: \"commune = '13056'\", fr: ici, en: here}\n"
    "  decide:\n"
    "    - {verdict: incomplete, when: \"commune IS NULL\"}\n"
    "    - {verdict: eligible, when: here}\n"
    "    - {verdict: ineligible, else: true}\n"
    "step_start:\n"
    "  decide: [{verdict: allowed, else: true}]\n"
    "accompaniment:\n"
    "  decide:\n"
    "    - {verdict: not_started, when: entry_date IS NULL}\n"
    "    - {verdict: overdue, when: \"as_of > add_months(entry_date, 18)\"}\n"
    "    - {verdict: within, else: true}\n"
    "exits:\n"
    "  - kinds: [cdi, cdd, interim, training, creation, abandonment, moved, death, retirement, other]\n"
    "    rules:\n"
    "      - {id: enough, ok: \"contract_hours_month >= :hours\", fr: assez, en: enough}\n"
    "    decide:\n"
    "      - {verdict: incomplete, when: contract_id IS NULL}\n"
    "      - {verdict: positive, when: \"enough AND exit_validated_on IS NOT NULL\"}\n"
    "      - {verdict: pending, when: enough}\n"
    "      - {verdict: negative, else: true}\n"
    "invariants:\n"
    "  - {id: one_referent, ok: \"referents <= 1\", fr: un, en: one}\n"
    "alerts:\n"
    "  - {id: frozen, when: \"(SELECT count(*) FROM active_brake) > 2\", fr: freins, en: brakes}\n"
    "cases:\n"
    "  - name: here\n"
    "    as_of: 2020-01-01\n"
    "    facts: {participant: {commune: \"13056\"}}\n"
    "    expect: {entry: eligible, exit: none}\n"
    "  - name: there\n"
    "    as_of: 2020-01-01\n"
    "    facts: {participant: {commune: \"13001\"}}\n"
    "    expect: {entry: ineligible}\n";

const char *small_pack(void) { return pack_text; }

char *small_pack_with(const char *from, const char *to)
{
    const char *at = strstr(pack_text, from);
    char *text = NULL;
    mg_assert(at != NULL);
    mg_assert(asprintf(&text, "%.*s%s%s", (int)(at - pack_text), pack_text, to, at + strlen(from)) > 0);
    return text;
}
