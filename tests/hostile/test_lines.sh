#!/bin/bash
# test_lines.sh - peers that hold a line and give nothing, before a real hub: a slow-loris, noise, and links that are half open.
#
# Others are served meanwhile, and a node whose old session hangs is served too when it comes again. Needs $MAILLAGE_BIN.
set -u

. "$(dirname "$0")/../e2e/lib.sh"
scope=martigues/mdfj

m hub init --dir hub --name Centrale >/dev/null || fail "hub init"
start_hub hub
join_node anne $scope
join_node bastien $scope
host=${hub_address%:*} port=${hub_address#*:}

connect() { exec {line}<>"/dev/tcp/$host/$port"; }
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$hub_pid/status"; }
add() { m --dir "$1" add participant --scope $scope "family_name=$2" >/dev/null || fail "$1 adds no $2"; }

# --- slow-loris: a byte a second of a preamble and a frame that never ends; a hundred at once ---
before=$(memory)
lines=
for _ in {1..100}; do
    connect
    lines="$lines $line"
done
(
    for byte in M L G '\1' '\1' '\377' '\377' x x x x x x x x x x; do
        for line in $lines; do printf "$byte" >&"$line"; done 2>/dev/null
        sleep 1
    done
) 2>/dev/null &
dripping=$!
started="$started $dripping"
began=$SECONDS
add anne "Pendant la pluie"
sync_node anne
sync_node bastien
is "what bastien reads while a hundred hold their lines" "$(cell bastien "SELECT family_name FROM participant")" "Pendant la pluie"

# All of them are hung up on when the handshake has lasted ten seconds, whatever has come.
for line in $lines; do
    timeout 20 cat <&"$line" >/dev/null || fail "a line is held after $((SECONDS - began)) s"
    exec {line}>&-
done
[ $((SECONDS - began)) -le 19 ] || fail "the last slow line was held for $((SECONDS - began)) s"
kill $dripping 2>/dev/null
wait $dripping 2>/dev/null
grown=$(($(memory) - before))
[ $grown -le 16384 ] || fail "a hundred slow lines left the hub $grown KiB larger"

# --- bytes that are no preamble: an answer at once, and the end ---
for noise in 'GET / HTTP/1.1\r\n\r\n' '\377\377\377\377\377\377\377\377\377\377' 'MLG\177\1\0\0' '\0\0\0\0\0\0\0\0'; do
    connect
    printf "$noise" >&"$line"
    timeout 5 cat <&"$line" >noise.out || fail "no end after noise: $noise"
    exec {line}>&-
done
kill -0 "$hub_pid" || fail "noise ended the hub"

# --- half open: a node stops in the middle of its session, its line stays ---
for i in {1..30}; do add anne "Moitie $i"; done
start_relay --rate 8
"$bin/maillage" --quiet --dir anne sync --hub "$relay_address" >anne.out 2>anne.err &
calling=$!
started="$started $calling"
sleep 0.7
kill -STOP "$relay_pid"
kill -0 $calling || fail "anne's session was over before it could hang"
add bastien "A cote"
sync_node bastien # while the hub waits for anne
kill -9 $calling
wait $calling 2>/dev/null
sync_node anne # by another line; at the hub her old session still hangs
sync_node bastien
is "what came of anne after half a session" "$(cell bastien "SELECT count(*) FROM participant WHERE family_name LIKE 'Moitie %'")" 30
same_digest $scope hub anne bastien
kill -CONT "$relay_pid"
end_process "$relay_pid" TERM

stop_hub
is "the hub's end" "$ended" 0
verified hub anne bastien
finish
