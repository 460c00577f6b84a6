#!/bin/sh
# test_night.sh - nights that nobody attends: maillaged calls by itself, and the hub tells what came of it.
#
# Real programs whose clock a file moves (--clock-offset-file), so that a week passes in seconds: a
# night's run, a kill and a restart, a night without a hub, a kill in the middle of a run, a node that is
# switched off, and one that stays silent. Needs $MAILLAGE_BIN; listens on 127.0.0.1.
set -u

. "$(dirname "$0")/lib.sh"

export TZ=Europe/Paris
real=$bin
mkdir programs
for program in maillage maillaged; do
    printf '#!/bin/sh\nexec "%s/%s" --clock-offset-file "%s/offset" "$@"\n' "$real" $program "$work" >programs/$program
    chmod +x programs/$program
done
bin=$work/programs

# --- time ---

offset=0
set_offset() {
    offset=$1
    echo "$offset" >offset.new && mv offset.new offset
}
now() { echo $(($(date +%s) + offset)); }
# at_time EPOCH: it is that moment
at_time() { set_offset $(($1 - $(date +%s))); }
# pass MINUTES: a minute at a time, so that nobody takes it for a sleep
pass() {
    passed=0
    while [ $passed -lt "$1" ]; do
        set_offset $((offset + 60))
        sleep 0.15
        passed=$((passed + 1))
    done
}
next_run() { date -d "$(m --dir "$1" night --json | field next)" +%s; }
# last_run NODE KEY: of its newest report
last_run() { m --dir "$1" runs --last 1 --json | sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
count_runs() { m --dir "$1" runs --last 400 --json | grep -c '"number"'; }
# wait_run NODE COUNT: until it has that many reports
wait_run() {
    tries=0
    while [ "$(count_runs "$1")" -lt "$2" ]; do
        tries=$((tries + 1))
        [ $tries -gt 100 ] && { fail "$1 has $(count_runs "$1") runs, not $2: $(cat "$1.err")"; return 1; }
        sleep 0.1
    done
}

# told NODE COUNT: until the hub has as many, which the node's last word brings it
told() {
    tries=0
    while [ "$(m --dir hub runs "$1" --json | grep -c '"number"')" -lt "$2" ]; do
        tries=$((tries + 1))
        [ $tries -gt 100 ] && { fail "the hub has too few reports of $1"; return 1; }
        sleep 0.1
    done
}

start_node() {
    rm -f "$1.err"
    "$bin/maillaged" --dir "$1" 2>"$1.err" &
    node_pid=$!
    started="$started $node_pid"
    wait_for "$1.err" ready $node_pid
}

at_time "$(date -d '2026-06-10 20:00' +%s)" # the hub's first day

# --- wrong words ---

set_offset 0
echo soon >offset
expect 2 "does not hold the seconds" m --dir hub hub init --name Centrale
at_time "$(date -d '2026-06-10 20:00' +%s)"
m --dir hub hub init --name Centrale >/dev/null 2>&1 || fail "hub init"
m help | grep -q clock-offset && fail "help shows what is for trials"
start_hub hub
start_relay --delay 150
hub_address_of_hub=$hub_address
hub_address=$relay_address
join_node mdfj martigues/mdfj
expect 2 "is not a window" m --dir mdfj night --window 2-5
expect 2 "contradict" m --dir mdfj night --on --off
expect 2 "would get nothing done" m --dir mdfj night --max-bytes 100
expect 2 "a node knows its own runs only" m --dir mdfj runs other
expect 2 "there is no node" m --dir hub runs nobody
expect 2 "not a date" m --dir hub hub night --date 2026-02-30
is "the first run's trigger" "$(last_run mdfj trigger)" join

# --- a night comes ---

m --dir mdfj add employer name=Fonderie >/dev/null || fail add
start_node mdfj
due=$(next_run mdfj)
at_time $((due - 30))
pass 12
wait_run mdfj 2
is "the night's trigger" "$(last_run mdfj trigger)" night
is "the night's outcome" "$(last_run mdfj complete)" true
is "what was sent" "$(last_run mdfj pushed)" 1
is "what still waits" "$(m --dir mdfj status --json | field waiting)" 0
told mdfj 2
expect 0 "" m --dir hub hub night
grep -q "mdfj.*complete" out || fail "hub night does not show the run: $(cat out)"
expect 0 "" m --dir hub hub night --json
grep -q '"trigger":"night"' out || fail "hub night --json: $(cat out)"
expect 0 "" m --dir hub hub night --date 2026-06-09
grep -q "no run is known" out || fail "a night in which there was nothing: $(cat out)"

# --- killed and started again, it does not run twice ---

end_process $node_pid KILL
start_node mdfj
pass 8
is "runs after a restart in the same night" "$(count_runs mdfj)" 2

# --- a night without a hub ---

stop_hub
m --dir mdfj add employer name=Scierie >/dev/null || fail add
at_time $(($(next_run mdfj) - 30))
pass 25
wait_run mdfj 3
is "a run without a hub" "$(last_run mdfj complete)" false
attempts=$(last_run mdfj attempts)
[ "$attempts" -ge 2 ] || fail "only $attempts attempts in the night"
expect 0 "" m --dir mdfj status
grep -q "1 commit waits" out || fail "status does not say what waits: $(cat out)"
grep -q "last run (night)" out || fail "status does not say how the last run went: $(cat out)"
grep -q "next run:" out || fail "status does not say when the next is due: $(cat out)"
start_hub hub "$hub_address_of_hub"
minutes=0 # past the window it tries hourly, and half an hour of chance
while [ "$(last_run mdfj complete)" != true ] && [ $minutes -lt 100 ]; do
    pass 5
    minutes=$((minutes + 5))
done
is "runs once the hub is back" "$(count_runs mdfj)" 3
is "the run once the hub is back" "$(last_run mdfj complete)" true
[ "$(last_run mdfj attempts)" -gt "$attempts" ] || fail "the attempts are not one run: $(last_run mdfj attempts) after $attempts"
expect 0 "" m --dir hub hub night

# --- killed in the middle of a run ---

m --dir mdfj add employer name=Verrerie >/dev/null || fail add
at_time $(($(next_run mdfj) + 4 * 3600)) # it slept through the window
tries=0
while [ "$(grep -c 'run=now' mdfj.err)" -lt 5 ] && [ $tries -lt 40 ]; do
    before=$(grep -c 'run=now' mdfj.err)
    set_offset $((offset + 20))
    sleep 0.12
    [ "$(grep -c 'run=now' mdfj.err)" -gt "$before" ] && break
    tries=$((tries + 1))
done
end_process $node_pid KILL
start_node mdfj
pass 7
wait_run mdfj 4
is "the run after a kill" "$(last_run mdfj complete)" true
is "its trigger" "$(last_run mdfj trigger)" catch-up
is "what waits after a kill" "$(m --dir mdfj status --json | field waiting)" 0
pass 8
is "runs of that day" "$(count_runs mdfj)" 4

# --- switched off, and on again ---

expect 0 "" m --dir mdfj night --off
at_time $(($(now) + 86400))
pass 7
is "runs while it is off" "$(count_runs mdfj)" 4
expect 0 "" m --dir mdfj night --on --window 03:00-04:00
grep -q "03:00-04:00" out || fail "the window was not set: $(cat out)"
pass 7
wait_run mdfj 5

# --- what two verified backups hold for a month, it lets go of by itself ---

m --dir hub backup --into backups >/dev/null || fail "the first backup"
at_time $(($(now) + 86400))
m --dir hub backup --into backups >/dev/null || fail "the second backup"
pass 7
wait_run mdfj 6 # here it hears of them
grep -q 'event=prune commits=[1-9]' mdfj.err && fail "it let go of what is younger than a month"
before=$(cell mdfj "SELECT count(*) AS n FROM mg_commit WHERE body IS NOT NULL")
at_time $(($(now) + 40 * 86400))
pass 7
wait_run mdfj 7
tries=0
until grep -q 'event=prune commits=[1-9]' mdfj.err || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
after=$(cell mdfj "SELECT count(*) AS n FROM mg_commit WHERE body IS NOT NULL")
[ "$after" -lt "$before" ] || fail "nothing was let go of: $before commits, then $after: $(tail -3 mdfj.err)"

# --- silence ---

told mdfj 7
end_process $node_pid TERM
is "a node after SIGTERM" $ended 0
at_time $(($(now) + 4 * 86400))
expect 1 "mdfj is silent since" m --dir hub hub night
expect 0 "" m --dir hub hub night --silent-after 2w
expect 1 "mdfj is silent since" m --dir hub hub night --json
m --dir hub hub revoke mdfj >/dev/null 2>&1 || fail revoke
expect 0 "" m --dir hub hub night
end_process $relay_pid TERM
stop_hub
verified hub mdfj
finish
