#!/bin/sh
# test_progress.sh - a person at a terminal: sees how far long work is, and ends it with ctrl-C.
#
# The terminal is script(1)'s, and ctrl-C is the byte that a keyboard sends: who gets the signal is the
# terminal's business, as in life.
set -u
. "$(dirname "$0")/lib.sh"
command -v script >/dev/null || { echo "skipped: script is not installed (Debian: apt-get install bsdutils)"; exit 0; }
scope=martigues/mdfj
forever="WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

# at_terminal SECONDS COMMAND: presses ctrl-C after so long; the screen is in screen, got is the exit status. Not in the
# background, where a shell has its children ignore ctrl-C.
at_terminal() {
    {
        sleep "$1"
        printf '\003'
        sleep 1 # the end of its input is not what ends it
    } | timeout 60 script -q -e -f -c "exec $2" /dev/null >screen.raw 2>&1
    got=$?
    tr '\r' '\n' <screen.raw >screen
}
# ended_by_ctrl_c WHAT WORDS
ended_by_ctrl_c() {
    [ $got = 130 ] || fail "$1: exit $got, not 130: $(cat screen)"
    grep -q "^.*maillage: .*$2" screen || fail "$1: \"$2\" is not said: $(cat screen)"
}

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node anne $scope
cp -a anne before

# --- SQL that never ends ---
at_terminal 1.6 "$bin/maillage --dir anne sql '$forever'"
ended_by_ctrl_c "a query" "nothing was changed"
grep -q 'working, [12] s' screen || fail "no progress was shown: $(cat screen)"
at_terminal 1.2 "$bin/maillage --dir anne --quiet sql '$forever'"
ended_by_ctrl_c "a quiet query" "nothing was changed"
! grep -q 'working' screen || fail "progress although --quiet: $(cat screen)"
at_terminal 0.6 "$bin/maillage --dir anne sql --write \"INSERT INTO participant(id, antenna, family_name) VALUES (randomblob(16), '$scope', 'P'); $forever\""
ended_by_ctrl_c "a script" "nothing was changed"
is "dossiers" "$(cell anne 'SELECT count(*) AS n FROM participant')" 0

# --- in a pipe: nothing but the sentence; SIGTERM does as ctrl-C ---
"$bin/maillage" --dir anne sql "$forever" >out 2>err &
victim=$!
started="$started $victim"
sleep 1
end_process $victim TERM
is "SIGTERM" "$ended" 130
is "what a pipe gets" "$(cat err)" "maillage: stopped (running the query): nothing was changed"

# --- a session through a slow line ---
echo "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
      INSERT INTO participant(id, antenna, family_name, given_name) SELECT randomblob(16), '$scope', 'P', hex(randomblob(60)) FROM n;" >people.sql
for i in 1 2 3; do m --dir anne sql --write - <people.sql || fail "people $i"; done
start_relay --rate 4000
at_terminal 2 "$bin/maillage --dir anne sync --hub $relay_address"
ended_by_ctrl_c "a session" "stopped"
grep -qE '(sending|exchanging) [0-9]' screen || fail "no progress was shown: $(cat screen)"
sync_node anne
same_digest $scope hub anne

# --- a session that maillaged does goes on there ---
"$bin/maillaged" --dir before 2>before.log & # a clone: it fetches everything
daemon=$!
started="$started $daemon"
wait_for before.log ready $daemon
at_terminal 0.7 "$bin/maillage --dir before sync --hub $relay_address"
ended_by_ctrl_c "a session by maillaged" "goes on in maillaged"
tries=0
until grep -q 'event=session .*result=complete\|result=complete' before.log || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
grep -q 'result=complete' before.log || fail "it did not go on: $(cat before.log)"
end_process $daemon TERM
end_process "$relay_pid" TERM
same_digest $scope hub before

# --- log verify, backup: ended in the middle, nothing is left ---
for moment in 0.3 0.2 0.15 0.1 0.05; do # it may be faster than we are
    at_terminal $moment "$bin/maillage --dir hub log verify"
    [ $got != 0 ] && break
done
ended_by_ctrl_c "log verify" "nothing was changed"
for moment in 0.3 0.2 0.15 0.1 0.05; do
    rm -f hub.backup
    at_terminal $moment "$bin/maillage --dir hub backup hub.backup"
    [ $got != 0 ] && break
done
ended_by_ctrl_c "backup" "unfinished backup was removed"
[ -z "$(find . -name 'hub.backup*')" ] || fail "something is left: $(find . -name 'hub.backup*')"
at_terminal 5 "$bin/maillage --dir hub backup hub.backup" # is done before
[ $got = 0 ] || fail "backup at a terminal: $got $(cat screen)"
finish
