#!/bin/bash
# test_crowd.sh - a hub that is almost full: who is sent away, and who is still let in.
#
# With few file descriptors a hub takes 16 callers at once and keeps two of those places for what
# a person waits for. Silent strangers take the other 14. A stranger older than a second would lose
# its place, so the crowd is made anew when the machine was too slow. Needs $MAILLAGE_BIN.
set -u

. "$(dirname "$0")/lib.sh"

m hub init --dir hub --name Centrale >/dev/null || fail "hub init"
start_hub hub
join_node alpha martigues/msp-port-de-bouc
stop_hub
start_small_hub() {
    ulimit -n 144
    start_hub hub "$hub_address"
}
start_small_hub
grep -q 'callers_max=16' hub.err || fail "the hub did not count its descriptors: $(cat hub.err)"

# connect: one more caller, in $caller
connect() { exec {caller}<>"/dev/tcp/${hub_address%:*}/${hub_address#*:}"; }

crowd() {
    callers=
    for _ in {1..14}; do
        connect
        callers="$callers $caller"
    done
}

leave() { for caller in $callers; do exec {caller}>&-; done; }

# answers KIND PATTERN: what one more caller who wants KIND hears within half a second, in hex, is so
answers() {
    for _ in {1..20}; do
        crowd
        connect
        printf "MLG\x0$1" >&"$caller"
        said=$(timeout 0.5 head -c 6 <&"$caller" | od -An -tx1 | tr -d ' ')
        callers="$callers $caller"
        leave
        # shellcheck disable=SC2254 # it is a pattern
        case $said in $2) return ;; esac
        sleep 0.2 # until the hub has seen them leave
    done
    fail "who wants $1 is told \"$said\", not \"$2\""
}

# --- a night's session is told to come back, in five seconds or more; what is urgent is not ---

answers 1 '0004ff0300*'
[ $((16#${said:8})) -ge 5 ] || fail "it is told to come back in $((16#${said:8})) s"
grep -q 'event=session node=- result=busy' hub.err || fail "the log does not say who was sent away: $(cat hub.err)"
for kind in 2 3; do answers $kind ''; done
for _ in {1..20}; do
    crowd
    m --dir alpha sync >out 2>err
    got=$?
    leave
    [ $got = 0 ] && break
    sleep 0.2
done
is "a person's sync, while the crowd stands" $got 0
expect 0 "" m --dir alpha sync # and everybody, when the crowd has gone

finish
