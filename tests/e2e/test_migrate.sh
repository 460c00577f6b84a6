#!/bin/sh
# test_migrate.sh - the tables change while the real programs run: from the hub's keyboard to each antenna, by session and by
# bundle, with a kill at any moment, and with every refusal. Needs $MAILLAGE_BIN, the directory of the programs.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

version() { m --dir "$1" schema --json | field version; }

m --dir hub hub init --name metropole >/dev/null 2>&1 || fail "hub init"
start_hub hub
join_node mdfj martigues/mdfj
join_node msp martigues/msp-port-de-bouc
join_node key martigues/mjs-saint-mitre
id=$(m --dir mdfj add participant family_name=Roux commune=13056)
for node in mdfj msp key; do sync_node $node; done

# --- what cannot be ---

m help hub migrate | sed -n 's/^  //p' | grep -v '^Every' >all.yaml # the help's own example
cat >bad.yaml <<'END'
migration: 1
changes:
  - add: participant.driving_licence
    type: enumeration
END
expect 3 "bad.yaml:4: a new column needs a type" m --dir hub hub migrate bad.yaml
expect 3 "bad.yaml:4: a new column needs a type" m --dir hub hub migrate bad.yaml --check
expect 1 "nothing.yaml" m --dir hub hub migrate nothing.yaml
expect 1 "not a hub" m --dir mdfj hub migrate all.yaml
expect 2 "" m --dir hub hub migrate
printf '\377\376\n' >bytes.yaml
expect 3 "bytes.yaml" m --dir hub hub migrate bytes.yaml
expect 0 "" m --dir hub hub migrate all.yaml --check
is "the hub's version after --check" "$(version hub)" 1
expect 2 "driving_licence" m --dir mdfj set participant "$id" driving_licence=b

# --- killed at any moment: the old tables or the new ones ---

tries=0
while [ $tries -lt 12 ]; do
    tries=$((tries + 1))
    "$bin/maillage" --dir hub hub migrate all.yaml >/dev/null 2>&1 &
    migrating=$!
    sleep "0.0$tries"
    end_process $migrating KILL
    case $(version hub) in
    1) [ "$(cell hub "SELECT count(*) AS n FROM migration")" = 0 ] || fail "a migration that is not applied" ;;
    2) break ;;
    *) fail "after a kill the version is $(version hub)" ;;
    esac
done
[ "$(version hub)" = 2 ] || m --dir hub hub migrate all.yaml >out 2>err || fail "hub migrate: $(cat err)"
expect 3 "all.yaml:1: the next migration here has the number 2" m --dir hub hub migrate all.yaml
m --dir hub schema housing >out
grep -q "^housing (antenna) (migration 1)$" out || fail "schema does not show the new table: $(cat out)"
m --dir hub schema participant | grep -q "driving_licence *enum *review *none|b (migration 1)" || fail "schema does not show the new column"
verified hub

# --- the hub that runs has noticed; nodes get it at their next session, one by a key ---

sync_node mdfj
is "mdfj's version" "$(version mdfj)" 2
m --dir mdfj set participant "$id" driving_licence=b || fail "a new column cannot be set"
home=$(m --dir mdfj add housing participant="$id" rent=45000) || fail "a new table takes no row"
expect 3 "driving_licence" m --dir mdfj set participant "$id" driving_licence=boat
m --dir mdfj add step participant="$id" kind=apprenticeship >/dev/null || fail "a new word is not taken"
sync_node mdfj
is "the rent at the hub" "$(cell hub "SELECT rent FROM housing")" 45000
is "the licence at the hub" "$(cell hub "SELECT driving_licence AS l FROM participant")" b
is "msp's version before its session" "$(version msp)" 1
m --dir mdfj set participant "$id" antenna=martigues/mjs-saint-mitre || fail "the dossier does not move"
sync_node mdfj
sync_node msp
is "msp's version" "$(version msp)" 2
m --dir key bundle out --to key.bundle >/dev/null 2>err || fail "bundle out: $(cat err)"
m --dir hub bundle in key.bundle >/dev/null 2>err || fail "bundle in: $(cat err)"
m --dir key bundle in key.bundle.answer >/dev/null 2>err || fail "bundle in: $(cat err)"
is "the version of the antenna with the key" "$(version key)" 2
is "the rent there" "$(cell key "SELECT rent FROM housing")" 45000
is "the rent at mdfj, which the dossier has left" "$(cell mdfj "SELECT count(*) AS n FROM housing")" 0
m --dir key remove housing "$home" || fail "a row of the new table cannot be removed"

# --- a new node, a second migration, and all the same at the end ---

cat >more.yaml <<'END'
migration: 2
changes:
  - add: housing.since
    type: date
END
m --json --dir hub hub migrate more.yaml >out || fail "the second migration"
is "its number" "$(field migration <out)" 2
join_node new martigues/mjs-saint-mitre
sync_node key
sync_node new
is "a new node's version" "$(version new)" 3
is "what a new node says of migrations" "$(m --dir new status --json | field migration_waits)" null
for node in mdfj msp key new; do sync_node $node; done
same_digest martigues/mjs-saint-mitre hub key new
same_digest martigues hub mdfj msp key new
verified hub mdfj msp key new
stop_hub
is "the hub after SIGTERM" $ended 0
finish
