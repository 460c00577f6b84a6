#!/bin/sh
# test_doctor.sh - what is well is called well; each thing that is broken on purpose is found, and said how to mend.
set -u
. "$(dirname "$0")/lib.sh"
scope=martigues/mdfj
packs=$(dirname "$0")/../../core/plie

# state DIR CHECK: what the doctor of DIR finds of CHECK
state() {
    m --dir "$1" doctor --json >doctor.out 2>doctor.err
    echo $? >doctor.exit
    tr -d '\n' <doctor.out | sed 's/},/},\n/g' | sed -n "s/.*\"check\": *\"$2\", *\"state\": *\"\([a-z]*\)\".*/\1/p"
}
# finds DIR CHECK STATE EXIT WORDS
finds() {
    is "$1: $2" "$(state "$1" "$2")" "$3"
    expect "$4" "" m --dir "$1" doctor
    case $(cat out) in *"$5"*) ;; *) fail "\"$5\" is not said of $1: $(cat out)" ;; esac
}

expect 1 "maillage join CODE" m --dir nowhere doctor
[ ! -e nowhere ] || fail "doctor makes a directory"

m --dir hub hub init --name metropole >/dev/null
finds hub daemon warning 0 "maillaged-hub"
finds hub backup warning 0 "never a backup"
finds hub "rule packs" warning 0 "rules publish"
start_hub hub
for pack in martigues-2020 pays-d-aix-2018-2022; do expect 0 "" m --dir hub rules publish "$packs/$pack.yaml"; done
expect 0 "" m --dir hub backup --into backups
join_node anne $scope
m --dir anne add participant family_name=Petit >/dev/null

# --- well ---
expect 0 "all is well" "$bin/maillage" --dir hub doctor
[ "$(grep -c ' ok ' out)" -ge 11 ] || fail "not everything was looked at on the hub: $(cat out)"
finds anne hub ok 0 "with its key"
finds anne waiting ok 0 "1 commit waits"
is "a commit that the doctor sent" "$(m --dir anne status --json | field waiting)" 1
is "the hub's dossiers" "$(cell hub 'SELECT count(*) AS n FROM participant')" 0
"$bin/maillaged" --dir anne 2>anne.log &
daemon=$!
started="$started $daemon"
wait_for anne.log ready $daemon
expect 0 "all is well" "$bin/maillage" --dir anne doctor
end_process $daemon KILL
finds anne daemon warning 0 "maillaged-node"

# --- the directory, the key ---
chmod 644 anne/store.key
finds anne directory problem 1 "chmod go-rwx"
chmod 600 anne/store.key
cp anne/store.key key
m --dir other hub init --name other >/dev/null
cp other/store.key anne/store.key
finds anne store problem 7 "restore FILE"
is "pages of a store that is shut" "$(state anne pages)" ""
cp key anne/store.key

# --- pages and log ---
cp -a anne torn
m --dir torn sql 'SELECT 1' >/dev/null # its log is in the database
dd if=/dev/zero of=torn/maillage.db bs=1 seek=$(($(stat -c %s torn/maillage.db) - 2000)) count=16 conv=notrunc 2>/dev/null
torn=$(state torn pages) # it is found, now or when it is opened
case "$torn $(cat doctor.exit)" in "problem 1" | " 7") ;; *) fail "a torn page is not found: $(cat doctor.out doctor.err)" ;; esac

# --- a hub that was restored asks what it has lost; the doctor gives nothing back ---
expect 0 "" m --dir hub backup hub.backup
stop_hub
start_hub hub "$hub_address"
sync_node anne
finds anne hub ok 0 "with its key"
stop_hub
rm -rf hub
expect 0 "" m --dir hub restore hub.backup
start_hub hub "$hub_address"
finds anne hub warning 0 "maillage sync"
is "the hub's dossiers" "$(cell hub 'SELECT count(*) AS n FROM participant')" 0
sync_node anne
is "the hub's dossiers" "$(cell hub 'SELECT count(*) AS n FROM participant')" 1
finds anne hub ok 0 "with its key"

# --- the hub: revoked, away, another ---
expect 0 "" m --dir hub hub revoke anne
finds anne hub problem 1 "hub nodes"
stop_hub
finds anne hub warning 0 "work goes on without it"
start_hub other "$hub_address"
finds anne hub problem 1 "does not have the hub's key"
stop_hub
finish
