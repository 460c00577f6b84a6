#!/bin/sh
# test_snapshot.sh - a new node begins with a snapshot, over a link that breaks again and again, while the hub goes on.
#
# With the real programs: what came before a cut is not sent again, also not when the node was killed; a node that was
# away for long catches up so too and loses nothing of its own. Needs $MAILLAGE_BIN; listens on 127.0.0.1.
set -u
. "$(dirname "$0")/lib.sh"

m --dir hub hub init --name metropole >/dev/null 2>&1
start_hub hub
join_node mdfj martigues/mdfj
join_node away martigues/mdfj
m --dir away add participant family_name=Absente >/dev/null || fail "add away"
# 3,000 dossiers with a text that does not compress to nothing, 100 a transaction
make_dossiers() { # FIRST LAST
    n=$1
    while [ "$n" -lt "$2" ]; do
        m --dir mdfj sql --write "WITH RECURSIVE c(n) AS (SELECT $n UNION ALL SELECT n + 1 FROM c WHERE n < $((n + 249)))
            INSERT INTO participant(antenna, family_name, address) SELECT 'martigues/mdfj', 'Famille ' || n, hex(randomblob(60)) FROM c" >/dev/null ||
            fail "insert at $n"
        n=$((n + 250))
    done
}
make_dossiers 0 3000
sync_node mdfj

# --- a new node, whose link breaks after every 90 kB ---

start_relay --cut-down 90000 --cut-always
hub_direct=$hub_address
hub_address=$relay_address
code=$(m --dir hub hub invite --name neuf --scope martigues/mdfj --hub "$hub_address" 2>/dev/null)
m --dir neuf join "$code" >/dev/null 2>&1
[ $? = 4 ] || fail "the first session of neuf was not cut"
total=0 sessions=0 killed=0
while [ $sessions -lt 40 ]; do
    sessions=$((sessions + 1))
    [ $sessions = 3 ] && make_dossiers 3000 3250 && m --dir mdfj sync --hub "$hub_direct" >/dev/null 2>&1 # the hub goes on
    if [ $sessions = 2 ]; then # killed with some blocks staged
        "$bin/maillage" --quiet --dir neuf sync >/dev/null 2>&1 &
        pid=$!
        sleep 0.1
        kill -9 $pid 2>/dev/null && killed=1
        wait $pid 2>/dev/null
        continue
    fi
    m --dir neuf sync --json >out 2>err && break
done
[ $sessions -ge 3 ] || fail "neuf was there after $sessions sessions: nothing was cut"
[ $sessions -lt 40 ] || fail "neuf does not get there: $(cat err)"
end_process "$relay_pid" TERM
hub_address=$hub_direct
m --dir neuf sync --hub "$hub_direct" --json >out 2>err || fail "neuf: $(cat err)"
is "digests of neuf" "$(field digests_agree <out)" true
is "dossiers at neuf" "$(cell neuf "SELECT count(*) AS n FROM participant")" 3250
is "commits at neuf from before the snapshot" "$(cell neuf "SELECT count(*) AS n FROM mg_commit WHERE hash IS NOT NULL AND seq < 12")" 0
is "blocks that wait" "$(cell neuf "SELECT count(*) AS n FROM mg_stage")" 0
m --dir neuf log verify >out 2>err || fail "log verify at neuf: $(cat err)"

# What was cut cost no more than the block that was on its way: the hub counted what it sent.
sent=$(sed -n 's/.*node=neuf .*sent=\([0-9]*\).*/\1/p' hub.err | awk '{s += $1} END {print s}')
size=$(ls -l hub/snapshots.db | awk '{print $5}')
cuts=$(grep -c 'node=neuf result=failed' hub.err)
[ "$sent" -le $((size + (cuts + 2) * 140000)) ] || fail "$sent bytes were sent for a snapshot of $size in $cuts cut sessions"

# --- one that was away, with work of its own ---

m --dir away sync --hub "$hub_direct" --json >out 2>err || fail "away: $(cat err)"
is "digests of away" "$(field digests_agree <out)" true
is "what was pushed by away" "$(field pushed <out)" 1
is "dossiers at away" "$(cell away "SELECT count(*) AS n FROM participant")" 3251
m --dir neuf sync --hub "$hub_direct" >/dev/null 2>&1 || fail "neuf does not sync"
m --dir mdfj sync --hub "$hub_direct" >/dev/null 2>&1 || fail "mdfj does not sync"
is "the absent one's dossier" "$(cell neuf "SELECT count(*) AS n FROM participant WHERE family_name = 'Absente'")" 1
same_digest martigues/mdfj hub mdfj neuf away

# --- a shelf may be thrown away at any time ---

rm -f hub/snapshots.db*
join_node plus martigues/mdfj
same_digest martigues/mdfj hub plus
stop_hub
is "a hub after SIGTERM" $ended 0
verified hub mdfj neuf away plus
finish
