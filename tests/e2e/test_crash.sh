#!/bin/sh
# test_crash.sh - power cuts in the middle: a node and the hub are killed at many points of a session.
#
# Nothing that a program said it had saved may be lost, nothing may come twice, and the next session
# goes on where the last one was cut, until everybody shows the same digests. A slow line between
# them makes the sessions long enough to be killed anywhere.
set -u
. "$(dirname "$0")/lib.sh"
scope=martigues/mdfj
rounds=${MAILLAGE_ROUNDS:-14}

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node anne $scope
join_node bastien $scope

# people DIR PREFIX: adds 40 participants in one transaction, 100 bytes each that do not compress
people() {
    echo "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
          INSERT INTO participant(id, antenna, family_name, given_name) SELECT randomblob(16), '$scope', '$2-' || i, hex(randomblob(40)) FROM n;" |
        m --dir "$1" sql --write - >out 2>err && written=$((written + 40)) || fail "people: $(cat err)"
}

count() { cell "$1" "SELECT count(*) AS n FROM participant WHERE family_name <> 'Alone'"; }

# pause HUNDREDTHS
pause() { sleep "$(($1 / 100)).$(printf %02d $(($1 % 100)))"; }

written=0
killed=0

# --- the node dies while it pushes and pulls ---
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    people anne "a$round"
    people bastien "b$round"
    sync_node bastien
    start_relay --rate 400
    "$bin/maillage" --quiet --dir anne sync --hub "$relay_address" >anne.out 2>anne.err &
    victim=$!
    started="$started $victim"
    pause $((round * 3))
    end_process $victim KILL
    [ "$ended" = 137 ] && killed=$((killed + 1))
    end_process "$relay_pid" TERM
    m --dir anne log verify >/dev/null 2>err || fail "round $round: anne: $(cat err)"
done
sync_node anne
sync_node bastien
for node in hub anne bastien; do is "$node, after the node was killed" "$(count $node)" $written; done
same_digest $scope hub anne bastien

# --- the hub dies while it takes and serves ---
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    people anne "c$round"
    people bastien "d$round"
    sync_node bastien
    start_relay --rate 400
    "$bin/maillage" --quiet --dir anne sync --hub "$relay_address" >anne.out 2>anne.err &
    caller=$!
    started="$started $caller"
    pause $((round * 3))
    end_process "$hub_pid" KILL
    wait $caller
    got=$?
    [ $got = 4 ] && killed=$((killed + 1))
    [ $got = 0 ] || [ $got = 4 ] || fail "round $round: a session whose hub died ends with $got: $(cat anne.err)"
    end_process "$relay_pid" TERM
    start_hub hub
    m --dir hub log verify >/dev/null 2>err || fail "round $round: hub: $(cat err)"
done
sync_node anne
sync_node bastien
for node in hub anne bastien; do is "$node, after the hub was killed" "$(count $node)" $written; done
same_digest $scope hub anne bastien
same_digest martigues hub anne bastien
is "numbers given twice" "$(cell hub 'SELECT count(*) - count(DISTINCT n) AS n FROM mg_commit WHERE n IS NOT NULL')" 0
[ $killed -ge "$rounds" ] || fail "only $killed of $((2 * rounds)) sessions were cut: the story is too short"

# --- a writer dies: what it said to be saved is there ---
round=0
while [ $round -lt $((3 * rounds)) ]; do
    round=$((round + 1))
    "$bin/maillage" --quiet --dir anne add participant family_name=Alone >>said 2>err &
    victim=$!
    started="$started $victim"
    case $((round % 3)) in # a slow machine, or a sanitizer, needs ten times as long
    0) sleep "0.$(printf %02d $((round % 30 * 2)))" ;;
    *) sleep "0.0$(printf %02d $((round % 30)))" ;;
    esac
    end_process $victim KILL
done
m --dir anne sql --json "SELECT lower(hex(id)) AS id FROM participant" | grep -o '[0-9a-f]\{32\}' | sort >there
tr -d - <said | grep -x '[0-9a-f]\{32\}' | sort >promised
[ -s promised ] || fail "nobody wrote anything: $(cat err)"
is "rows that were promised and are not there" "$(comm -23 promised there | wc -l)" 0
sync_node anne
same_digest $scope hub anne
verified hub anne bastien
stop_hub
finish
