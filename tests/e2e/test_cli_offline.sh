#!/bin/sh
# test_cli_offline.sh - the command line without any network: one hub, one person, one terminal.
#
# Every verb that needs no peer, in the order in which a person would meet them, then every kind of
# refusal with its exit status and its sentence. What --json prints is read back by a JSON reader.
# Needs $MAILLAGE_BIN, the directory of the programs.
set -u

. "$(dirname "$0")/lib.sh"
export TZ=Europe/Paris MAILLAGE_DIR="$work/hub" HOME="$work"
unset XDG_DATA_HOME
nobody=00000000-0000-4000-8000-000000000000

m() { "$bin/maillage" "$@"; } # not quiet: what it says is looked at

# expect STATUS WORDS ARGUMENTS...: runs maillage; the exit status must be STATUS and stderr hold WORDS.
# A refusal prints nothing on stdout, with --json neither.
expect() {
    want=$1 words=$2
    shift 2
    m "$@" >out 2>err </dev/null
    got=$?
    [ "$got" = "$want" ] || fail "exit $got, not $want: $* ($(cat err))"
    case $(cat err) in *"$words"*) ;; *) fail "\"$words\" is not said by: $* ($(cat err))" ;; esac
    if [ "$want" != 0 ] && [ -s out ]; then fail "a refusal printed data: $*"; fi
}

# says TEXT ARGUMENTS...: status 0, and TEXT is on stdout.
says() {
    text=$1
    shift
    expect 0 "" "$@"
    case $(cat out) in *"$text"*) ;; *) fail "\"$text\" is not printed by: $* ($(cat out))" ;; esac
}

# json EXPRESSION ARGUMENTS...: with --json one document and nothing else; EXPRESSION, in which it is
# `d`, holds.
json() {
    expression=$1
    shift
    m --json "$@" >out 2>err </dev/null || fail "exit $?: --json $* ($(cat err))"
    python3 -c 'import json, sys
d = json.load(open("out", encoding="utf-8"))
sys.exit(0 if eval("(" + sys.argv[1] + ")") else 1)' "$expression" 2>python.err ||
        fail "not so: $expression: --json $* ($(head -c 600 out) $(cat python.err))"
}

# --- before there is a node ---

expect 1 "maillage join" status
expect 1 "hub init" list participant
says "hub invite" help
says "sync" --help
says "COLUMN=VALUE" help add
says "COLUMN=VALUE" add --help
says "hub revoke" help hub
says "maillage " --version
json '"version" in d' --version
json 'd["tables"][0]["name"] == "antenna"' schema
json '[t["name"] for t in d["tables"]] == ["participant"] and
      {c["name"]: c for c in d["tables"][0]["columns"]}["level"]["values"] ==
      ["I_II", "III", "IV", "V", "Vbis", "VI"]' schema participant
json '{c["name"]: c["policy"] for c in d["tables"][0]["columns"]}["family_name"] == "review"' \
    schema participant
says "participant (antenna)" schema
json '{"verb", "usage", "summary"} == set(d[0])' help

# The verbs of `help`, of the manual and of the table are the same.
m help --names >names
for verb in "hub init" "hub invite" "hub nodes" "hub revoke" join status sync add set remove show list \
    sql log conflicts resolve digest schema demo help; do
    grep -qxF -- "$verb" names || fail "$verb is not in help --names"
done
grep -q relay names && fail "relay is hidden, but listed"
while read -r verb; do
    m help "$verb" | grep -q "^Usage: maillage $verb" || fail "no help for $verb"
done <names
m help --options sync | grep -qx -- --max-bytes || fail "no options of sync for the completion"

# --- the hub ---

m --json hub init --name Métropole >hub.json 2>err || fail "hub init: $(cat err)"
node=$(python3 -c 'import json; d = json.load(open("hub.json")); assert len(d["hub_key"]) == 64; print(d["node"])') ||
    fail "hub init printed $(cat hub.json)"
expect 3 "already" hub init --name Again
expect 1 "this is the hub" sync
json 'd["role"] == "hub" and d["node"] == "'"$node"'" and d["name"] == "Métropole" and
      d["conflicts"] == 0 and d["last_sync"] is None and len(d["incarnation"]) == 16 and
      list(d)[:8] == ["role", "node", "name", "incarnation", "scopes", "cursor", "history", "waiting"]' status
json '(d["waiting"] == 0) == d["synchronised"] and d["waiting"] > 0' status # no maillaged gave a number yet
says "waits for a number" status
says "Métropole" status
json 'len(d) == 8 and [r["id"] for r in d] == sorted(r["id"] for r in d) and
      list(d[0]) == ["id", "code", "name", "plie"]' list antenna
json 'len(d) == 39' list commune
json '[r["code"] for r in d] == ["martigues/mdfj"]' list antenna code=martigues/mdfj
json 'd == []' conflicts
json '[r["name"] for r in d if r["state"] == "active"] in ([], ["Métropole"])' hub nodes

# --- rows ---

expect 0 "" add participant antenna=martigues/mdfj "family_name=D'Arc=Roméo" given_name=Zoé level=V \
    birth_date=1990-02-28
zoe=$(cat out)
[ ${#zoe} = 36 ] || fail "add printed \"$zoe\""
json 'd["family_name"] == "D'"'"'Arc=Roméo" and d["level"] == "V" and d["email"] is None and
      list(d)[0] == "id" and d["id"] == "'"$zoe"'"' show participant "$zoe"
says "Roméo" show participant "$zoe"
json 'd["id"] == "'"$zoe"'"' set participant "$zoe" level=Vbis qpv=1 email=z@example.org
expect 0 "" set participant "$zoe" email=
json 'd["email"] is None and d["qpv"] == 1' show participant "$zoe"
json 'len(d) == 1' list participant level=Vbis qpv=1 email=
json 'd == []' list participant level=V
json '[r["id"] for r in d] == ["'"$zoe"'"]' list participant "id=$zoe"
json 'list(d) == ["id"] and len(d["id"]) == 36' add employer plie=martigues "name=$(printf 'A\nB')"
m list employer | grep -q 'A↵B' || fail "a line break in a name breaks the table"
m list employer | grep -q ' $' && fail "a line of a table ends in blanks"
json 'd[0]["name"] == "A\nB"' list employer
expect 0 "" add situation "participant=$zoe" code=rsa_socle since=2020-01-01
json 'd[0]["participant"] == "'"$zoe"'"' list situation "participant=$zoe"
expect 3 "\"--json\" is not an id" show participant -- --json

# --- SQL ---

json 'd == [{"n": 8, "r": 1.5, "z": None, "b": "00ff", "n:1": 2, "t": "é"}]' \
    sql "SELECT count(*) AS n, 1.5 AS r, NULL AS z, x'00ff' AS b, 2 AS n, 'é' AS t FROM antenna"
json 'd == [{"id": "'"$zoe"'"}]' sql "SELECT id FROM participant WHERE level = 'Vbis'"
json 'd == []' sql "SELECT 1 WHERE 0"
json 'len(d) == 1 and len(d[0]["id"]) == 36' sql --write \
    "INSERT INTO participant(antenna, family_name) VALUES ('martigues/mdfj', 'Sql') RETURNING id"
json 'd == []' sql --write "UPDATE participant SET level = 'IV' WHERE family_name = 'Sql'"
json 'd[0]["n"] > 0' sql "SELECT count(*) AS n FROM mg_commit"
printf "UPDATE participant SET level = 'III' WHERE family_name = 'Sql';\n-- two\nSELECT 7 AS seven;\n" |
    m --json sql --write - >out 2>err || fail "a script: $(cat err)"
tr -d ' \n' <out | grep -qx '\[{"seven":7}\]' || fail "a script printed $(cat out)"
json 'd[0]["level"] == "III"' list participant family_name=Sql
printf "UPDATE participant SET level = 'VI' WHERE family_name = 'Sql';\n\nUPDATE participant SET level = 'X';\n" |
    m sql --write - >out 2>err
[ $? = 3 ] || fail "a bad value in a script: exit $?"
grep -q "statement 2 (line 3)" err || fail "a script does not say where it failed: $(cat err)"
json 'd[0]["level"] == "III"' list participant family_name=Sql # the first statement went with the second

expect 2 "sql --write" sql "DELETE FROM participant"
expect 2 "sql --write" sql "INSERT INTO employer(name) VALUES ('x') RETURNING id"
expect 2 "one query at a time" sql "SELECT 1; SELECT 2"
expect 2 "did you mean participant" sql "SELECT * FROM particpant"
expect 2 "syntax" sql "SELEC 1"
expect 2 "no SQL" sql " -- nothing"
expect 2 "keys" sql "SELECT value FROM mg_meta"
expect 2 "not allowed" sql "VACUUM INTO '$work/copy.db'"
expect 2 "PRAGMA" sql "PRAGMA key = 'x'"
expect 2 "PRAGMA" sql "PRAGMA user_version = 9"
expect 2 "attached" sql "ATTACH '$work/other.db' AS other"
for script in "COMMIT" "ROLLBACK" "BEGIN" "SAVEPOINT a" "VACUUM" "PRAGMA foreign_keys = 0" \
    "PRAGMA table_info(participant)" \
    "ATTACH '$work/other.db' AS other" "DELETE FROM mg_commit" "UPDATE mg_self SET role = 'node'" \
    "DROP TABLE participant" "DROP TRIGGER IF EXISTS x; CREATE TABLE x(a)" "DELETE FROM sqlite_master" \
    "CREATE TEMP TABLE t(a)" "REINDEX" "ALTER TABLE participant ADD COLUMN x"; do
    expect 2 "nothing was changed" sql --write "$script"
done
expect 2 "statement 2" sql --write "UPDATE participant SET level = 'I_II'; COMMIT"
json 'all(r["level"] != "I_II" for r in d)' list participant
[ -e copy.db ] || [ -e other.db ] && fail "SQL made another file"

# --- the trail ---

json 'set(d[0]) >= {"commit", "node", "name", "table", "id", "column", "before", "after", "claimed_at",
      "received_at", "hub_seq"} and
      [(e["before"], e["after"]) for e in d if e["column"] == "level"] == [(None, "V"), ("V", "Vbis")] and
      [e["after"] for e in d if e["column"] == "qpv"] == [1]' log participant "$zoe"
says "level: V -> Vbis" log participant "$zoe"
json 'd["commits"] > 3' log verify
says "all holds" log verify
json '"/" in d and "martigues/mdfj" in d and all(len(h) == 16 for h in d.values())' digest
m digest >out
[ "$(head -1 out | cut -d' ' -f1)" = / ] || fail "digest does not begin with the root: $(cat out)"
grep -qE '^martigues/mdfj [0-9a-f]{16}$' out || fail "digest printed $(cat out)"
before=$(m digest)
expect 0 "" remove situation "$(m sql 'SELECT id FROM situation' | tail -1)"
[ "$(m digest)" != "$before" ] || fail "the digest did not change with the data"
says "deleted" log

# --- usage: status 2, with the nearest name ---

expect 2 "maillage help"
expect 2 "did you mean \`status\`" stauts
expect 2 "did you mean \`hub init\`" hub inti --name X
expect 2 "one more word" hub
expect 2 "did you mean --json" list participant --jsno
expect 2 "did you mean \"participant\"" list particpant
expect 2 "did you mean \"level\"" set participant "$zoe" levl=V
expect 2 "did you mean \"level\"" list participant levl=V
expect 2 "COLUMN=VALUE" set participant "$zoe" level
expect 2 "needs more" set participant "$zoe"
expect 2 "no use for" remove participant "$zoe" now
expect 2 "--name" hub init
expect 2 "needs a value" hub init --name
expect 2 "takes no value" status --json=yes
expect 2 "only once" hub init --name A --name B
expect 2 "either --value" resolve participant "$zoe" level
expect 2 "whole number" sync --max-bytes lots
expect 2 "not a time" hub invite --name n --scope martigues/mdfj --hub 127.0.0.1:1 --expires soon
expect 2 "verify" log participant
expect 2 "--dir" --dir= status

# --- the data was refused: status 3, and nothing changed ---

before=$(m digest)
expect 3 "IV" set participant "$zoe" level=VII
expect 3 "date" set participant "$zoe" birth_date=1990-02-31
expect 3 "" set participant "$zoe" qpv=maybe
expect 3 "" set participant "$nobody" level=V
expect 3 "" show participant "$nobody"
expect 3 "not an id" show participant nobody
expect 3 "" add situation "participant=$nobody" code=deld since=2020-01-01
expect 3 "" add participant family_name=Nowhere
expect 3 "" resolve participant "$zoe" level --value V
expect 3 "did you mean" list participant level=Vbiss
expect 3 "" --json set participant "$zoe" family_name=Half level=VII
[ "$(m digest)" = "$before" ] || fail "a refusal changed the data"

# --- where things are ---

(unset MAILLAGE_DIR && XDG_DATA_HOME="$work/xdg" m hub init --name X >/dev/null 2>&1 &&
    [ -e "$work/xdg/maillage/maillage.db" ]) || fail "\$XDG_DATA_HOME is not used"
(unset MAILLAGE_DIR && m hub init --name X >/dev/null 2>&1 &&
    [ -e "$work/.local/share/maillage/maillage.db" ]) || fail "\$HOME is not used"
json 'd["name"] == "X"' --dir "$work/xdg/maillage" status
json 'd["name"] == "X"' status --dir="$work/xdg/maillage"
expect 0 "" --quiet hub init --name Q --dir "$work/quiet"
[ -s err ] && fail "--quiet says $(cat err)"

# --- an output that cannot be written: status 1 ---

m list antenna >/dev/full 2>err
[ $? = 1 ] || fail "a full disk under stdout is not told"
grep -q "could not be written" err || fail "a full disk is not said: $(cat err)"
m --json list antenna >&- 2>err
[ $? = 1 ] || fail "a closed stdout is not told"
{ m sql "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 200000) SELECT x FROM c" 2>err
    echo $? >status; } | head -1 >/dev/null
[ "$(cat status)" = 1 ] || fail "a reader that left: exit $(cat status)"

# --- storage: status 7 ---

cp -r hub damaged
head -c 40000 /dev/zero >damaged/maillage.db
rm -f damaged/maillage.db-wal damaged/maillage.db-shm
expect 7 "" --dir "$work/damaged" list participant
cp -r hub keyless
head -c 32 /dev/zero >keyless/store.key
expect 7 "" --dir "$work/keyless" --json list participant

finish
