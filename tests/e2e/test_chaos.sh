#!/bin/sh
# test_chaos.sh - real programs, killed and cut off at random for two hundred sessions.
#
# A hub and four nodes, three antennas. Each turn somebody writes, somebody calls the hub over a line that is good, slow, cut,
# or damages what passes; meanwhile the hub, the caller or a writer may be killed. What a program said it had saved is
# noted. In the end, with good lines: everybody agrees, every saved value is in the hub's trail, nothing else is, no number
# was given twice, and one more session moves nothing.
#
# MAILLAGE_CHAOS: so many sessions (200). MAILLAGE_CHAOS_SEED: the dice (1); when who is killed is decided by the clock too.
set -u
. "$(dirname "$0")/lib.sh"
sessions=${MAILLAGE_CHAOS:-200}
seed=${MAILLAGE_CHAOS_SEED:-1}

# dice N: sets die to 0 ... N-1
dice() {
    seed=$(((seed * 1103515245 + 12345) & 2147483647))
    die=$((seed / 256 % $1))
}

pick_node() {
    dice 4
    case $die in 0) node=anne ;; 1) node=bastien ;; 2) node=chloe ;; *) node=dora ;; esac
}

# run COMMAND...: in the background; sets runs to its process
run() {
    "$bin/maillage" --quiet --dir "$node" "$@" >run.out 2>run.err &
    runs=$!
    started="$started $runs"
}

# die_or_end: after a moment RUNS is killed, or not; sets ended
die_or_end() {
    dice 3
    if [ "$die" = 0 ]; then
        dice 12
        sleep "0.0$(printf %02d $((die * 8)))"
        kill -9 "$runs" 2>/dev/null
    fi
    wait "$runs" 2>/dev/null
    ended=$?
}

# Every value is a word of its own, so that the trail can be searched for it.
write_something() {
    turn=$((turn + 1))
    word=w${turn}w
    echo "$word" >>tried
    dice 3
    rows=$(wc -l <"$node.ids")
    if [ "$die" = 0 ] || [ "$rows" = 0 ]; then
        run add participant "family_name=$word"
        die_or_end
        [ "$ended" = 0 ] && cat run.out >>"$node.ids"
    else
        dice "$rows"
        run set participant "$(sed -n "$((die + 1))p" "$node.ids")" "family_name=$word"
        die_or_end
    fi
    case $ended in 0) echo "$word" >>promised ;; 137) killed=$((killed + 1)) ;; *) fail "$node cannot write: $ended $(cat run.err)" ;; esac
}

# A line to the hub: sets way to where to call.
bad_line() {
    dice 8
    relay_pid= damages=no
    way=$hub_address
    case $die in
    0) dice 6000; start_relay --seed "$turn" --cut-up $((die + 200)) ;;
    1) dice 6000; start_relay --seed "$turn" --cut-down $((die + 200)) ;;
    2) damages=yes; start_relay --seed "$turn" --corrupt 300 ;;
    3) start_relay --seed "$turn" --delay 15 ;;
    4) start_relay --seed "$turn" --rate 600 ;;
    *) return ;;
    esac
    way=$relay_address
}

call_the_hub() {
    bad_line
    run sync --hub "$way"
    caller=$runs
    dice 5
    if [ "$die" = 0 ]; then # the hub dies
        dice 15
        sleep "0.0$(printf %02d $((die * 6)))"
        end_process "$hub_pid" KILL
        hub_deaths=$((hub_deaths + 1))
        wait "$caller"
        ended=$?
        start_hub hub
    else
        die_or_end
    fi
    [ -z "$relay_pid" ] || end_process_quietly "$relay_pid"
    case $ended in
    0) whole=$((whole + 1)) ;;
    4) cut=$((cut + 1)) ;;
    137) killed=$((killed + 1)) ;;
    5) [ $damages = yes ] || fail "session $session of $node: $(cat run.err)" ;; # a handshake that was damaged looks like another hub's
    *) fail "session $session of $node: exit $ended: $(cat run.err)" ;;
    esac
}

end_process_quietly() {
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node anne martigues/mdfj
join_node bastien martigues/mdfj
join_node chloe martigues/msp-port-de-bouc
join_node dora martigues/mjs-saint-mitre
for node in anne bastien chloe dora; do sync_node $node; : >$node.ids; done
: >tried >promised
turn=0 session=0 whole=0 cut=0 killed=0 hub_deaths=0

while [ $session -lt "$sessions" ]; do
    session=$((session + 1))
    pick_node
    write_something
    # The two of one antenna write in the same dossiers, when the other has heard of them.
    [ $((session % 20)) = 0 ] && cat anne.ids bastien.ids | sort -u >both && sync_node anne && sync_node bastien && sync_node anne &&
        cp both anne.ids && cp both bastien.ids
    pick_node
    call_the_hub
done

# --- the lines are good again ---
for round in 1 2; do for node in anne bastien chloe dora; do sync_node $node; done; done
for node in anne bastien chloe dora; do
    m --dir $node sync --hub "$hub_address" --json >last.json 2>&1 || fail "$node: the last session: $(cat last.json)"
    is "what $node pushes once all agree" "$(field pushed <last.json)" 0
    is "what $node pulls once all agree" "$(field pulled <last.json)" 0
done
verified hub anne bastien chloe dora
same_digest martigues/mdfj hub anne bastien
same_digest martigues/msp-port-de-bouc hub chloe
same_digest martigues/mjs-saint-mitre hub dora
same_digest martigues hub anne bastien chloe dora
m --dir hub log --json | grep -o 'w[0-9]*w' | sort -u >trail
sort -u promised >wanted
sort -u tried >known
is "saved values that the hub's trail lacks" "$(comm -23 wanted trail | tr '\n' ' ')" ""
is "values that nobody wrote" "$(comm -13 known trail | tr '\n' ' ')" ""
is "numbers given twice" "$(cell hub 'SELECT count(*) - count(DISTINCT n) AS n FROM mg_commit WHERE n IS NOT NULL')" 0
for node in hub anne bastien chloe dora; do is "the database of $node" "$(cell $node 'PRAGMA integrity_check')" ok; done
[ $((cut + killed)) -ge $((sessions / 8)) ] || fail "only $cut sessions were cut and $killed programs killed: the story is too tame"
[ $hub_deaths -ge $((sessions / 20)) ] || fail "the hub died only $hub_deaths times"
echo "$sessions sessions: $whole whole, $cut cut; $killed programs and $hub_deaths hubs killed; $(wc -l <wanted) values saved"
stop_hub
finish
