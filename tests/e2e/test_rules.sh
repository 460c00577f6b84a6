#!/bin/sh
# test_rules.sh - the rules from the keyboard: a pack on its way from a file to a verdict, a report, and every refusal.
# Needs $MAILLAGE_BIN, the directory of the programs.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
packs=$here/../../core/plie

# answers STATUS WORDS ARGUMENTS...: maillage ends with STATUS, and says WORDS on either stream.
answers() {
    want=$1 words=$2
    shift 2
    "$bin/maillage" "$@" >out 2>err
    got=$?
    [ $got = "$want" ] || fail "maillage $*: status $got, not $want: $(cat err)"
    cat out err | grep -qF -- "$words" || fail "maillage $*: says nothing of '$words': $(cat out err | head -n 5)"
}

# holds EXPRESSION ARGUMENTS...: the JSON document d that maillage prints makes it true.
holds() {
    expression=$1
    shift
    m --json "$@" >out 2>err || fail "maillage $*: $(cat err)"
    python3 -c 'import json, sys; d = json.load(open("out")); sys.exit(not eval(sys.argv[1]))' "$expression" ||
        fail "not so: $expression: $(head -c 600 out)"
}

# --- without a node ---

for pack in "$packs"/*.yaml; do answers 0 "cases passed" rules test "$pack"; done
sed 's/half_time_hours: {value: 76/half_time_hours: {value: 77/' "$packs/martigues-2020.yaml" >worse.yaml
answers 3 "worse.yaml:" rules test worse.yaml
answers 1 "nothing.yaml" rules test nothing.yaml
cat >facts.json <<'END'
{"participant": {"commune": "13056", "birth_date": "1990-01-01", "entry_date": "2019-01-01", "family_name": "Roux"},
 "situation": [{"code": "aah", "since": "2018-01-01"}],
 "contract": [{"id": "c1", "kind": "cdi", "starts_on": "2019-08-31", "hours_month": 76}],
 "exit": [{"id": "e1", "happened_on": "2019-08-31", "kind": "cdi", "contract": "c1", "validated_on": "2020-02-29"}]}
END
mart=$packs/martigues-2020.yaml
holds 'd["entry"] == "eligible" and d["exit"] == "positive" and d["exit_kind"] == "cdi" and d["accompaniment"] == "ended"' \
    rules eval "$mart" facts.json --as-of 2020-02-29
holds 'd["exit"] == "pending"' rules eval "$mart" facts.json --as-of 2020-02-28
holds 'list(d) == ["pack", "pack_hash", "as_of", "entry", "step_start", "accompaniment", "exit", "exit_kind", "reasons"]' \
    rules eval "$mart" facts.json --as-of 2020-02-28
holds 'all(r["fr"] and r["en"] and r["ok"] in (True, False, None) for r in d["reasons"]) and len(d["reasons"]) > 8' \
    rules eval "$mart" facts.json --as-of 2020-02-28
LC_ALL=fr_FR.UTF-8 answers 0 "Habite une des 3 communes" rules eval "$mart" facts.json --as-of 2020-02-28
answers 2 "not a date that exists" rules eval "$mart" facts.json --as-of 2020-02-30
answers 2 "--as-of" rules eval "$mart" facts.json
for bad in '{"participant": {"sex": "X"}}|participant.sex: "X" is not one of: F, M' \
    '{"participant": {"qpv": "1"}}|participant.qpv is a number' \
    '{"participant": {"qpv": 1.5}}|a value is a text, a whole number or null' \
    '{"participant": []}|a row of participant is an object' \
    '{"contracts": []}|rules see no table contracts; did you mean contract?' \
    '{"exit": [{"knd": "cdi"}]}|exit has no column knd; did you mean kind?' \
    '[1]|facts are an object' '{"exit": |not JSON'; do
    printf '%s' "${bad%%|*}" >bad.json
    answers 3 "${bad#*|}" rules eval "$mart" bad.json --as-of 2020-01-01
done

# --- a hub and a node ---

m --dir hub hub init --name metropole >/dev/null 2>&1 || fail "hub init"
start_hub hub
code=$(m --dir hub hub invite --name mdfj --scope martigues/mdfj --hub "$hub_address")
m --dir mdfj join "$code" >/dev/null 2>&1 || fail "join"
id=$(m --dir mdfj add participant family_name=Roux commune=13056 birth_date=1990-01-01 entry_date=2020-02-01 sex=F)
answers 3 "no rule pack is in force" --dir mdfj rules check "$id" --as-of 2020-06-30
answers 2 "no rule pack in force answers to this node" --dir mdfj report
answers 3 "worse.yaml:" --dir hub rules publish worse.yaml
holds 'd == []' --dir hub rules list
answers 1 "not a hub" --dir mdfj rules publish "$mart"
answers 0 "published" --dir hub rules publish "$mart"
holds 'd["verdicts_agree"] and d["digests_agree"]' --dir mdfj sync
holds 'len(d) == 1 and d[0]["pack"] == "martigues-2020" and d[0]["state"] == "in force"' --dir mdfj rules list
holds 'd["entry"] == "ineligible" and d["step_start"] == "allowed"' --dir mdfj rules check "$id" --as-of 2020-06-30
answers 3 "there is no participant" --dir mdfj rules check 00000000-0000-4000-8000-000000000000 --as-of 2020-06-30
answers 2 "is not the id" --dir mdfj rules check 12 --as-of 2020-06-30

# The longest pack, which nothing compresses, takes more than a chunk and arrives all the same.
python3 - "$mart" <<'END' >longest.yaml
import random, sys
text = open(sys.argv[1], encoding="utf-8").read().replace("pack: martigues-2020", "pack: martigues-long").replace("2020-01-01\nvalid_to: 2020-12-31", "2030-01-01")
dice = random.Random(1)
noise = "".join(chr(dice.randrange(48, 123)) for _ in range(98304 - len(text.encode()) - 2))
sys.stdout.write(text + "#" + noise + "\n")
END
answers 0 "published" --dir hub rules publish longest.yaml
holds 'd["verdicts_agree"] and d["digests_agree"]' --dir mdfj sync
holds '[p["state"] for p in d] == ["in force", "in force"]' --dir mdfj rules list

# Two people, one dossier: what the hub's edit does to the verdict here is drift, with its commit.
m --dir mdfj add situation participant="$id" code=aah since=2019-01-01 >/dev/null
holds 'd["verdicts_agree"]' --dir mdfj sync
holds 'd["entry"] == "eligible"' --dir mdfj rules check "$id" --as-of 2020-06-30
holds 'd == []' --dir mdfj rules drift
m --dir hub set participant "$id" commune=13001
holds 'd["verdicts_agree"]' --dir mdfj sync
holds 'len(d) == 1 and d[0]["participant"] == "'"$id"'" and (d[0]["rule"], d[0]["before"], d[0]["after"]) == ("entry", "eligible", "ineligible") and len(d[0]["commit"]) > 40' --dir mdfj rules drift

# An invariant that is broken is an item to review, here and at the hub.
m --dir mdfj add exit participant="$id" happened_on=2019-12-31 kind=moved >/dev/null
holds 'd["verdicts_agree"]' --dir mdfj sync
for dir in mdfj hub; do
    holds '[r["rule"] for r in d] == ["invariant.exit_after_entry"]' --dir $dir rules review
    holds 'd["review"] == 1' --dir $dir status
done

# --- the report ---

holds 'd["pack"] == "martigues-2020" and d["scope"] == "martigues/mdfj" and d["period"] == {"from": "2020-01-01", "to": "2020-06-30"}' \
    --dir mdfj report --as-of 2020-06-30
holds '[(i["value"], i["target"]) for i in d["indicators"] if i["id"] == "entries"] == [(1, None)]' --dir hub report martigues --as-of 2020-06-30
holds '[i["by"] for i in d["indicators"] if i["id"] == "women"] == [[{"group": "13001", "value": None, "percent": None, "masked": True}]]' \
    --dir hub report martigues --as-of 2019-12-30 --from 2019-01-01 --to 2020-12-31 --by commune
answers 0 "pack,scope,from,to,indicator,label,sex,value,percent,target,met" --dir mdfj report --as-of 2020-06-30 --by sex --csv
answers 2 "either --csv or --json" --dir mdfj --json report --csv
answers 2 '--by: "shoe" is none of: antenna' --dir mdfj report --by shoe
answers 2 "there is no antenna" --dir hub report --scope martigues/nowhere
answers 2 "no rule pack in force answers to pays-d-aix" --dir hub report pays-d-aix
answers 2 "ends before it begins" --dir hub report martigues --from 2020-06-01 --to 2020-05-01

stop_hub
[ "$failures" = 0 ] || { echo "$failures failed" >&2; exit 1; }
