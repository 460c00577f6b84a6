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

# start_hub DIR [LISTEN]: sets hub_pid and hub_address
start_hub() {
    rm -f "$1.err" # what the last one said is not what this one says
    "$bin/maillaged" --dir "$1" --listen "${2:-127.0.0.1:0}" 2>"$1.err" &
    hub_pid=$!
    started="$started $hub_pid"
    tries=0
    until hub_address=$(sed -n "s/^listening on //p" "$1.err" 2>/dev/null) && [ -n "$hub_address" ]; do
        tries=$((tries + 1))
        [ $tries -gt 200 ] && { fail "the hub does not start: $(cat "$1.err")"; return 1; }
        sleep 0.05
    done
}

stop_hub() {
    kill "$hub_pid"
    wait "$hub_pid" 2>/dev/null
}

# join NODE SCOPE: enrols ./NODE
join_node() {
    m --dir "$1" join "$(m --dir hub hub invite --name "$1" --scope "$2" --hub "$hub_address")" >/dev/null 2>&1 ||
        fail "$1 cannot join"
}

sync_node() {
    m --dir "$1" sync --hub "$hub_address" >"$1.out" 2>"$1.err" || fail "$1 does not sync: exit $? $(cat "$1.err")"
}

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
