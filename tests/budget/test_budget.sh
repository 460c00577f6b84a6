#!/bin/bash
# test_budget.sh - no small fixed piece of work may take a tenth more instructions than budgets.txt says.
#
# Callgrind counts instructions, which a busy machine does not change; time is never judged. They do change with the compiler, its
# flags and the machine's instruction set, so it counts in the release build alone, and where valgrind is not, says so.
# MAILLAGE_BUDGETS=keep writes what it counts to budgets.txt.
set -u

here=$(cd "$(dirname "$0")" && pwd)
cases=${MAILLAGE_BUILD_DIR:?}/tests/budget/cases
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit 0
fi
if ! grep -qs '^MAILLAGE_BUILD:STRING=release$' "$MAILLAGE_BUILD_DIR/CMakeCache.txt"; then
    echo "skipped: this is not the release build"
    exit 0
fi
# A cipher without its instructions would be another one.
if ! grep -qsw aes /proc/cpuinfo || ! grep -qsw avx2 /proc/cpuinfo; then
    echo "skipped: this machine has not the instructions (AES, AVX2) of the one that the budgets are from"
    exit 0
fi

status=0
while read -r name budget; do
    case $name in '#'* | '') echo "$name${budget:+ $budget}" >>"$out/kept"; continue ;; esac
    TMPDIR=$out valgrind --tool=callgrind --toggle-collect=measured --callgrind-out-file="$out/$name.out" "$cases" "$name" >"$out/said" 2>&1 ||
        { cat "$out/said"; exit 1; }
    count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/said")
    [ "${count:-0}" -gt 0 ] || { echo "$name: nothing was counted"; cat "$out/said"; exit 1; }
    echo "$name $count" >>"$out/kept"
    awk -v name="$name" -v count="$count" -v budget="$budget" 'BEGIN { printf "%-10s %12d instructions, %+.1f %% of the budget\n", name, count, (count - budget) * 100 / budget }'
    if [ $((count * 10)) -gt $((budget * 11)) ]; then
        echo "  a tenth more than $budget: find out why, or keep the new figure with MAILLAGE_BUDGETS=keep and say what it buys"
        status=1
    fi
done <"$here/budgets.txt"
if [ "${MAILLAGE_BUDGETS:-}" = keep ]; then
    cp "$out/kept" "$here/budgets.txt"
    exit 0
fi
exit $status
