#!/bin/sh
# test_daemon.sh - maillaged as people meet it: real programs, real sockets, a bad network.
#
# One hub and a few nodes live through a working day: enrolment, sessions, a second daemon, a
# killed daemon, a hub that is away, refusals, a link that breaks in the middle. Every sentence
# and exit status that CLI.md promises is asked for. Needs $MAILLAGE_BIN; listens on 127.0.0.1.
set -u

. "$(dirname "$0")/lib.sh"

m() { "$bin/maillage" "$@"; } # not quiet: what it says is looked at

# start_node DIR: sets node_pid
start_node() {
    rm -f "$1.err"
    "$bin/maillaged" --dir "$1" 2>"$1.err" &
    node_pid=$!
    started="$started $node_pid"
    wait_for "$1.err" ready $node_pid
}

# start_hub_to_stay DIR: as start_hub, on a port that the hub can come back to, because the system
# does not hand it out to others meanwhile
start_hub_to_stay() {
    while :; do
        number=$(od -An -N2 -tu2 /dev/urandom)
        rm -f "$1.err"
        hub_address=127.0.0.1:$((number % 20000 + 11000))
        "$bin/maillaged" --dir "$1" --listen "$hub_address" 2>"$1.err" &
        hub_pid=$!
        started="$started $hub_pid"
        while kill -0 $hub_pid 2>/dev/null && ! grep -q "^listening on " "$1.err"; do
            sleep 0.05
        done
        grep -q "another program listens" "$1.err" || break
    done
    wait_for "$1.err" "listening on $hub_address" $hub_pid
}

# add_person DIR NAME
add_person() {
    expect 0 "" m --dir "$1" add participant antenna="$scope" family_name="$2" birth_date=1980-05-17
}

rows() { m --dir "$1" sql "SELECT count(*) AS n FROM participant" --json | field n; }

# people DIR COUNT PREFIX: adds participants in one transaction, 100 bytes each that do not compress
people() {
    echo "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
          INSERT INTO participant(id, antenna, family_name, given_name, birth_date)
          SELECT randomblob(16), '$scope', '$3-' || i, hex(randomblob(40)), '1980-01-01' FROM n;" |
        m --dir "$1" sql --write - >out 2>err || fail "people: $(cat err)"
}

scope=martigues/msp-port-de-bouc

# --- wrong words, before there is anything ---

expect 0 "" timeout 20 "$bin/maillaged" --help
expect 0 "" timeout 20 "$bin/maillaged" --version
expect 2 "--help" timeout 20 "$bin/maillaged" --dri hub
expect 2 "no use" timeout 20 "$bin/maillaged" --dir hub now
expect 2 "" timeout 20 "$bin/maillaged" --dir
expect 1 "there is no node" timeout 20 "$bin/maillaged" --dir nowhere
[ -e nowhere ] && fail "maillaged made a directory that it was only asked about"

# --- a hub ---

m --dir hub hub init --name Centrale >/dev/null || fail "hub init"
expect 2 "not a port" timeout 20 "$bin/maillaged" --dir hub --listen 127.0.0.1:99999
expect 2 "brackets" timeout 20 "$bin/maillaged" --dir hub --listen ::1:7447
start_hub hub
case $hub_address in 127.0.0.1:[1-9]*) ;; *) fail "the hub's address is $hub_address" ;; esac
end_process $hub_pid TERM
is "a hub nobody called, after SIGTERM" $ended 0
start_hub_to_stay hub
expect 7 "another maillaged" timeout 20 "$bin/maillaged" --dir hub --listen 127.0.0.1:0
m --dir hub2 hub init --name Autre >/dev/null || fail "hub init"
expect 1 "another program listens" timeout 20 "$bin/maillaged" --dir hub2 --listen "$hub_address"

# --- a node joins, adds, syncs; the hub lists it ---

# invite HUB NODE ADDRESS: prints a code
invite() { m --dir "$1" hub invite --name "$2" --scope "$scope" --hub "$3" 2>err; }
code=$(invite hub alpha "$hub_address") || fail "invite: $(cat err)"
expect 0 "" m --dir alpha join "$code" --json
is "the node's scopes" "$(grep -c "$scope" out)" 1
[ -e alpha/join.keys ] && fail "join.keys stayed"
expect 3 "is a node already" m --dir alpha join "$code"
expect 5 "" m --dir beta join "$code" # used
add_person alpha Durand
expect 0 "" m --dir alpha sync --json
is pushed "$(field pushed <out)" 1
is complete "$(field complete <out)" true
is agree "$(field digests_agree <out)" true
m --dir hub list participant >out 2>err || fail "list on the hub: $(cat err)"
grep -q Durand out || fail "the hub does not have the row"
m --dir hub hub nodes --json | grep -q '"alpha"' || fail "hub nodes does not list alpha"
grep -q 'event=session node=alpha result=complete' hub.err || fail "the hub's log lacks the session"
grep -q Durand hub.err && fail "personal data in the hub's log"
expect 0 "" m --dir alpha sync --json
is "round trips with nothing new" "$(field round_trips <out)" 2
[ "$(field bytes_sent <out)" -le 300 ] && [ "$(field bytes_received <out)" -le 300 ] ||
    fail "nothing new cost more than 300 bytes: $(cat out)"

# --- maillaged on a node: it does the sessions of `sync` ---

expect 2 "only a hub listens" timeout 20 "$bin/maillaged" --dir alpha --listen 127.0.0.1:0
start_node alpha
is "the control socket's mode" "$(stat -c %a alpha/control.sock)" 600
expect 7 "another maillaged" timeout 20 "$bin/maillaged" --dir alpha
add_person alpha Blanc
expect 0 "" m --dir alpha sync --json
is "pushed by the node's maillaged" "$(field pushed <out)" 1
grep -q 'event=session result=complete' alpha.err || fail "the session was not its maillaged's"
end_process $node_pid TERM
is "the node's maillaged after SIGTERM" $ended 0
[ -e alpha/control.sock ] && fail "control.sock stayed"
start_node alpha
end_process $node_pid KILL
expect 0 "" m --dir alpha sync --json # a dead daemon's socket is nobody's

# --- SIGTERM, then the hub is away ---

end_process $hub_pid TERM
is "the hub after SIGTERM" $ended 0
add_person alpha Chaix
expect 4 "refuses the connection" m --dir alpha sync
m --dir alpha status >out 2>err
grep -q "refuses the connection" out err || fail "status hides the failed session: $(cat out err)"
expect 4 "unknown" m --dir alpha sync --hub hub.invalid:7447
expect 2 "not a port" m --dir alpha sync --hub hub:0

# --- another hub on the same address is not ours ---

start_hub hub2 "$hub_address"
expect 5 "" m --dir alpha sync
code=$(invite hub gamma "$hub_address") || fail "invite: $(cat err)"
expect 5 "" m --dir gamma join "$code"
end_process $hub_pid TERM
start_hub hub "$hub_address"
expect 0 "" m --dir gamma join "$code" # the same invitation, once the right hub answers
expect 0 "" m --dir alpha sync --json
is "pushed after the hub came back" "$(field pushed <out)" 1

# --- kill -9 in the middle of the day loses nothing ---

people alpha 200 before
expect 0 "" m --dir alpha sync --json
end_process $hub_pid KILL
start_hub hub "$hub_address"
expect 0 "" m --dir alpha sync --json
is "pushed again after kill -9" "$(field pushed <out)" 0
expect 0 "" m --dir gamma sync --json
is "rows at gamma" "$(rows gamma)" "$(rows hub)"
is digests "$(m --dir gamma digest | grep msp)" "$(m --dir hub digest | grep msp-port)"

# --- a link that breaks on the way up, on the way down, and an enrolment whose answer is lost ---

people alpha 500 up
start_relay --cut-up 20000 --cut-always
expect 4 "" m --dir alpha sync --hub "$relay_address"
expect 4 "" m --dir alpha sync --hub "$relay_address"
end_process $relay_pid TERM
is "the relay after SIGTERM" $ended 0
expect 0 "" m --dir alpha sync --json
is "the rest goes through" "$(field waiting <out)" 0
start_relay --cut-down 9000
expect 4 "" m --dir gamma sync --hub "$relay_address"
expect 0 "" m --dir gamma sync --hub "$relay_address" --json
end_process $relay_pid TERM
is "agree after a cut" "$(field digests_agree <out)" true
is "rows at gamma after a cut" "$(rows gamma)" "$(rows hub)"

start_relay --cut-down 150
code=$(invite hub delta "$relay_address") || fail "invite: $(cat err)"
expect 4 "" m --dir delta join "$code"
is "the mode of join.keys" "$(stat -c %a delta/join.keys 2>&1)" 600
expect 0 "" m --dir delta join "$code"
[ -e delta/join.keys ] && fail "join.keys stayed after the second try"
is "rows at delta" "$(rows delta)" "$(rows hub)"
end_process $relay_pid TERM

# --- damaged bytes never get in ---

people alpha 50 noise
start_relay --corrupt 2000 --seed 7
"$bin/maillage" --dir alpha sync --hub "$relay_address" >out 2>err
got=$?
[ $got -ne 0 ] && [ $got -ne 6 ] && [ $got -lt 128 ] || fail "damage gave $got: $(cat err)"
end_process $relay_pid TERM
expect 0 "" m --dir alpha sync --json
is "agree after damage" "$(field digests_agree <out)" true

# --- a slow line and a budget ---

people alpha 300 slow
start_relay --delay 20 --rate 200
expect 0 "" m --dir gamma sync --hub "$relay_address" --max-bytes 3000 --json
expect 0 "" m --dir alpha sync --hub "$relay_address" --json
is "complete over a slow line" "$(field complete <out)" true
end_process $relay_pid TERM

# --- refusals ---

# An invitation that has expired: written by a hub whose clock was two hours behind.
cat >behind.c <<'C'
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
    long result = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec -= 7200;
    return (int)result;
}
C
if ${CC:-cc} -shared -fPIC -o behind.so behind.c 2>err; then
    code=$(LD_PRELOAD=./behind.so ASAN_OPTIONS=verify_asan_link_order=0 \
        "$bin/maillage" --dir hub hub invite --name late --scope "$scope" --hub "$hub_address" \
        --expires 1h 2>err) || fail "invite: $(cat err)"
    expect 5 "expired" m --dir late join "$code"
    code=$(invite hub late2 "$hub_address") || fail "invite: $(cat err)"
    expect 0 "" m --dir late join "$code" # the same directory, by a new invitation
else
    echo "skipped: no compiler to set a clock back" >&2
fi
expect 0 "" m --dir hub hub revoke gamma
expect 5 "revoked" m --dir gamma sync
expect 0 "" m --dir alpha sync --json

# --- strangers: garbage, silence, and a SIGTERM meanwhile ---

port=${hub_address##*:}
if command -v python3 >/dev/null; then
    python3 - "$port" <<'PYTHON' || fail "strangers"
import socket, sys, os
port = int(sys.argv[1])
def call(words):
    s = socket.create_connection(("127.0.0.1", port), 5)
    s.sendall(words)
    s.settimeout(15)
    answer = b""
    try:
        while True:
            got = s.recv(4096)
            if not got: break
            answer += got
    except ConnectionResetError:
        pass
    return answer
for words in (b"GET / HTTP/1.0\r\n\r\n", os.urandom(3000), b"MLG\x01\x00\x00",
              b"MLG\x01\xff\xff" + os.urandom(65535),
              b"MLG\x01\x00\x30" + os.urandom(48), b"MLG\x02\x00\x38" + os.urandom(56), b"MLG\x09"):
    answer = call(words)
    assert len(answer) < 64, answer
PYTHON
    # A crowd that only connects takes every place, and loses them to nodes that say who they are.
    python3 - "$port" >crowd.out 2>&1 <<'PYTHON' &
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) for _ in range(600)]
time.sleep(1.2)
print("crowded", flush=True)
time.sleep(60)
PYTHON
    crowd_pid=$!
    started="$started $crowd_pid"
    wait_for crowd.out crowded $crowd_pid
    expect 0 "" m --dir alpha sync --json
fi
before=$(date +%s)
end_process $hub_pid TERM
is "the hub after strangers and SIGTERM" $ended 0
[ $(($(date +%s) - before)) -lt 5 ] || fail "the hub waited for strangers"
grep -E -q 'should never happen|Sanitizer' hub.err alpha.err && fail "$(cat hub.err alpha.err)"

finish
