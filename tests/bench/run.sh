#!/bin/sh
# run.sh - every benchmark on this machine, one after the other, and at the end the lines that have a figure to reach.
#
#   run.sh BUILD [PARTICIPANTS [ROUNDS]]      10000, 5; as `make bench` calls it
#
# What stands beside what: one machine, one run, in turn; the programs themselves check journal, synchronous and temporary files of
# every SQLite contestant and end when they are not as the header says.
set -u
build=${1:?the build directory}
participants=${2:-10000}
rounds=${3:-5}
here=$(cd "$(dirname "$0")" && pwd)
MAILLAGE_BIN=$(cd "$build/bin" && pwd)
export MAILLAGE_BIN
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# run PROGRAM ARGUMENTS...
run() {
    echo "--- $(basename "$1") $(shift; echo "$@")"
    "$@" >"$work/said" 2>"$work/err" || { failed=$((failed + 1)); cat "$work/err"; }
    cat "$work/said"
    grep -E '^[A-Z][0-9]* ' "$work/said" >>"$work/$table"
}

{
    echo "machine      $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(awk '/MemTotal/ { printf "%d GiB", $2 / 1048576 }' /proc/meminfo), $(uname -sr)"
    echo "commit       $(git -C "$here" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
    echo "built with   $(cc --version | head -n 1), release"
    echo "SQLite       WAL, temporary files in memory, the store's cipher; plain: the same store without capture"
    echo "synchronous  FULL for every SQLite contestant; NORMAL where the second table says so"
    echo "checked      every signature and hash, every bound; every round of every contestant"
    echo "workload     $participants participants, a note and six steps each: $((participants * 53)) cells"
} >"$work/header"
cat "$work/header"

b=$build/tests/bench
table=first
run "$b/bench_writes" "$participants" "$rounds" full
run "$b/bench_merge" "$participants" "$rounds"
run "$b/bench_wire" "$participants"
run "$b/bench_snapshot" "$participants"
run "$b/bench_link"
mkdir "$work/wake"
MAILLAGE_BUILD_DIR=$work/wake run "$build/tests/e2e/test_wake" 500 200
table=second
run "$b/bench_writes" "$participants" "$rounds" normal
table=others
run "$b/bench_session" "$participants"
run "$b/bench_peers"
run "$b/bench_prune"
run "$b/bench_rules"

echo
echo "=== $(date -u +%Y-%m-%d)"
cat "$work/header"
echo
cat "$work/first"
echo
echo "synchronous=NORMAL"
cat "$work/second"
echo
echo "SQLite's session extension (tracks changes, merges nothing) and engines from npm: above"
[ "$failed" = 0 ] || echo "$failed failed"
exit "$failed"
