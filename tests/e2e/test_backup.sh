#!/bin/sh
# test_backup.sh - the rehearsal: hub and nodes work, are backed up while they work, and are restored.
#
# Whatever is restored, hub or node, after the next sessions everybody shows the same digests and nothing
# that anybody holds is missing. Then backup and restore are killed at many moments: there is never half of one.
set -u
. "$(dirname "$0")/lib.sh"
scope=martigues/mdfj
rounds=${MAILLAGE_ROUNDS:-10}

count() { cell "$1" "SELECT count(*) AS n FROM participant"; }
people() { # DIR COUNT
    echo "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
          INSERT INTO participant(id, antenna, family_name, given_name) SELECT randomblob(16), '$scope', 'P', hex(randomblob(20)) FROM n;" |
        m --dir "$1" sql --write - || fail "people: $1"
}

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node anne $scope
join_node bastien $scope
people anne 30
sync_node anne
sync_node bastien

# --- a backup of a hub that serves and of a node that writes ---
people bastien 100
start_relay --rate 60 --delay 200 # so that the session outlasts the backup
"$bin/maillage" --quiet --dir bastien sync --hub "$relay_address" >bastien.out 2>bastien.err &
caller=$!
started="$started $caller"
expect 0 "" m --dir hub backup --into backups --keep 3
kill -0 $caller 2>/dev/null || fail "the session was over before the backup was: the story is too short"
wait $caller || fail "a session during a backup: $(cat bastien.err)"
end_process "$relay_pid" TERM
expect 0 "" m --dir hub backup hub.backup
expect 0 "" m --dir anne backup anne.backup
expect 3 "exists already" m --dir anne backup anne.backup
expect 3 "exists already" m --dir hub backup anne.backup
expect 3 "not a whole backup of metropole" m --dir hub backup anne.backup --replace
expect 2 "too few" m --dir hub backup --into backups --keep 1
is "who may read a backup" "$(stat -c %a hub.backup anne.backup | tr '\n' ' ')" "600 600 "
[ "$(find backups -name 'maillage-metropole-*.backup' | wc -l)" -ge 1 ] || fail "no backup in backups/"
[ -z "$(find . -name '*.part*')" ] || fail "something unfinished is left: $(find . -name '*.part*')"

# --- the hub: more work, then everything of it is gone ---
people anne 7
sync_node anne
people bastien 5
sync_node bastien
sync_node anne
before=$(m --dir hub digest)
expect 7 "maillaged runs" m --dir hub restore hub.backup --force
stop_hub
rm -rf hub
expect 0 "" m --dir hub restore hub.backup
[ "$(m --dir hub digest)" != "$before" ] || fail "the hub was restored to later than its backup"
start_hub hub
for node in anne bastien anne bastien; do m --dir $node sync --hub "$hub_address" >sync.out 2>&1 || [ $? = 6 ] || fail "$node: $(cat sync.out)"; done
sync_node anne
sync_node bastien
is "the hub's digests after everybody's sessions" "$(m --dir hub digest)" "$before"
for node in hub anne bastien; do is "$node" "$(count $node)" 142; done
same_digest $scope hub anne bastien
verified hub anne bastien

# --- a node, restored over the one that is there ---
people anne 3
expect 3 "--force" m --dir anne restore anne.backup
sync_node anne
expect 0 "" m --dir anne restore anne.backup --force
is "set aside" "$(find anne -name '*.before-restore-*' | wc -l)" 2
people anne 2 # and works on before it calls
sync_node anne
sync_node bastien
sync_node anne
for node in hub anne bastien; do is "$node" "$(count $node)" 147; done
same_digest $scope hub anne bastien
verified hub anne bastien
stop_hub

# --- killed while it makes one, at moments spread over the time that it takes ---
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# kill_after MS COMMAND...: sets killed to one more when that came before its end, else lasts to less
kill_after() {
    delay=$1
    shift
    "$@" >out 2>err &
    victim=$!
    started="$started $victim"
    sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
    end_process $victim KILL
    if [ "$ended" = 137 ]; then killed=$((killed + 1)); else lasts=$((lasts * 3 / 4)); fi # it lasts less than was measured
}
people anne 3000
start_hub hub
sync_node anne
sync_node bastien
stop_hub
begun=$(milliseconds)
expect 0 "" m --dir hub backup --replace hub.backup
lasts=$(($(milliseconds) - begun))
killed=0
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    kill_after $((lasts * round / (rounds + 1))) "$bin/maillage" --quiet --dir hub backup --replace hub.backup
    rm -rf check
    expect 0 "" m --dir check restore hub.backup # the one before, or a new one
done
expect 0 "" m --dir hub backup --replace hub.backup
[ ! -e hub.backup.part ] || fail "what was killed has left hub.backup.part"
[ $killed -ge $((rounds / 3)) ] || fail "only $killed of $rounds backups were killed: the story is too short"

# --- killed while it restores: the directory is one node or the other, whole ---
people bastien 4
expect 0 "" m --dir bastien backup bastien.backup
expect 0 "" m --dir bastien digest
cp out new.digest
cp -a bastien spare
people spare 1
expect 0 "" m --dir spare digest
cp out old.digest
cp -a spare victim
begun=$(milliseconds)
expect 0 "" m --dir victim restore --force bastien.backup
lasts=$(($(milliseconds) - begun))
killed=0
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    rm -rf victim
    cp -a spare victim
    kill_after $((lasts * round / (rounds + 1))) "$bin/maillage" --quiet --dir victim restore --force bastien.backup
    expect 0 "" m --dir victim digest
    cmp -s out old.digest || cmp -s out new.digest || fail "round $round: neither of both: $(cat out)"
    verified victim
done
[ $killed -ge $((rounds / 3)) ] || fail "only $killed of $rounds restores were killed: the story is too short"
finish
