# lib.sh - what the end-to-end stories share: a scratch directory, a hub, nodes, and words for
# what must be so. Sourced; needs $MAILLAGE_BIN; listens on 127.0.0.1 and ends only what it started.
bin=${MAILLAGE_BIN:?the directory of maillage and maillaged}
work=$(mktemp -d "${TMPDIR:-/tmp}/maillage-e2e-XXXXXX") || exit 1
cd "$work" || exit 1
export LC_ALL=C.UTF-8
unset MAILLAGE_DIR JOURNAL_STREAM 2>/dev/null
started= # pids to end, whatever happens
failures=0

clean_up() {
    for pid in $started; do kill -9 "$pid" 2>/dev/null; done
    cd / && rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}

m() { "$bin/maillage" --quiet "$@"; }

# expect STATUS WORDS COMMAND...: runs it; its exit status must be STATUS, its stderr hold WORDS
expect() {
    want=$1 words=$2
    shift 2
    "$@" >out 2>err
    got=$?
    [ "$got" = "$want" ] || fail "exit $got, not $want: $* ($(cat err))"
    case $(cat err) in *"$words"*) ;; *) fail "\"$words\" is not said by: $* ($(cat err))" ;; esac
}

# wait_for FILE WORDS PID: until FILE has a line that starts so, or the process ends
wait_for() {
    tries=0
    while ! grep -q "^$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt 200 ] || ! kill -0 "$3" 2>/dev/null; then
            fail "no line \"$2\" in $1: $(cat "$1")"
            return 1
        fi
        sleep 0.05
    done
}

# start_hub DIR [LISTEN]: sets hub_pid and hub_address
start_hub() {
    rm -f "$1.err" # what the last one said is not what this one says
    "$bin/maillaged" --dir "$1" --listen "${2:-127.0.0.1:0}" 2>"$1.err" &
    hub_pid=$!
    started="$started $hub_pid"
    wait_for "$1.err" "listening on " $hub_pid
    hub_address=$(sed -n 's/^listening on //p' "$1.err")
}

# end_process PID SIGNAL: sets ended to its exit status
end_process() {
    kill "-$2" "$1" 2>/dev/null # it may have ended by itself
    wait "$1" 2>/dev/null
    ended=$?
}

stop_hub() { end_process "$hub_pid" TERM; }

# start_relay OPTION...: sets relay_pid and relay_address
start_relay() {
    rm -f relay.err
    "$bin/maillage" relay --to "$hub_address" "$@" 2>relay.err &
    relay_pid=$!
    started="$started $relay_pid"
    wait_for relay.err "relay listening on " $relay_pid
    relay_address=$(sed -n 's/^relay listening on //p' relay.err)
}

# join NODE SCOPE: enrols ./NODE
join_node() {
    m --dir "$1" join "$(m --dir hub hub invite --name "$1" --scope "$2" --hub "$hub_address")" >/dev/null 2>&1 ||
        fail "$1 cannot join"
}

sync_node() {
    m --dir "$1" sync --hub "$hub_address" >"$1.out" 2>"$1.err" || fail "$1 does not sync: exit $? $(cat "$1.err")"
}

# field NAME < JSON: a number, text or truth value of an object
field() { sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" | head -n 1; }

# cell NODE SQL: the first value of the first row, as JSON prints it
cell() { m --dir "$1" sql --json "$2" | sed -n 's/^.*: *"\{0,1\}\([^",}]*\)"\{0,1\}.*$/\1/p' | head -n 1; }

# is WHAT GOT WANTED
is() { [ "$2" = "$3" ] || fail "$1 is \"$2\", not \"$3\""; }

# same_digest SCOPE NODE...: all show one digest for it
same_digest() {
    scope=$1
    shift
    first=
    for node in "$@"; do
        digest=$(m --dir "$node" digest | sed -n "s|^$scope ||p")
        [ -n "$first" ] || first=$digest
        [ "$digest" = "$first" ] || fail "$scope: $node shows $digest, not $first"
    done
}

verified() {
    for node in "$@"; do m --dir "$node" log verify >/dev/null 2>verify.err || fail "$node: $(cat verify.err)"; done
}

finish() {
    [ "$failures" = 0 ] || { echo "$failures failure(s)" >&2; exit 1; }
    exit 0
}
