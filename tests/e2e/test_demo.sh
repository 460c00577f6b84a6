#!/bin/sh
# test_demo.sh - the demonstrations hold what they promise: two nights of eight antennas, and the published results of
# the protocol 2013-2017 from dossiers entered in five basins, and a week whose nights nobody attends.
# Needs $MAILLAGE_BIN, the directory of the programs.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

# play NAME LEAST-CHECKS ARGUMENTS...
play() {
    name=$1 least=$2
    shift 2
    m --json demo "$@" >"$name" 2>err || fail "demo $*: $(tail -n 1 err)"
    python3 - "$name" "$least" <<'END' || fail "demo $*: not all its checks hold"
import json, sys
d = json.load(open(sys.argv[1]))
bad = [c["check"] for c in d["checks"] if not c["holds"]]
print(sys.argv[1], len(d["checks"]), "checks", d["seconds"], "s", *bad)
sys.exit(bool(bad) or d["failed"] != 0 or len(d["checks"]) < int(sys.argv[2]))
END
}

play bilan 18 --bilan
play whole 30
play small 20 --small
play week 20 --week --small

[ "$failures" = 0 ] || { echo "$failures failed" >&2; exit 1; }
