#!/bin/sh
# test_second.sh - another implementation, which was written from PROTOCOL.md alone, joins a real hub: what it signs is taken, what it
# pulls verifies, and its own digests are those that the hub signs, also with concurrent edits and deletions.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../e2e/lib.sh"
python=
for one in python3 /usr/bin/python3; do
    "$one" -c 'import dissononce, msgpack, nacl, zstandard' 2>/dev/null && python=$one && break
done
if [ -z "$python" ]; then
    echo "skipped: python3-dissononce, python3-msgpack, python3-nacl and python3-zstandard are not all here"
    exit 0
fi
export PYTHONDONTWRITEBYTECODE=1
scope=martigues/mdfj
second() { "$python" "$here/client.py" second.json "$@"; }
# synced WHAT PUSHED PULLED: the session's figures, and digests that agree
synced() { is "$1" "$(second sync 2>&1)" "pushed $2 pulled $3 digests 2 agree"; }

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node anne $scope
sync_node anne
anne_row=$(m --dir anne add participant family_name=Roux commune=13056)
m --dir anne add participant family_name=Parti >gone
sync_node anne
m --dir hub schema --json >schema.json

is "what the hub grants" "$(second join "$(m --dir hub hub invite --name second --scope $scope --hub "$hub_address")" schema.json)" "second $scope"
second sync >out 2>&1 || fail "the first session: $(cat out)"
grep -q 'digests 2 agree' out || fail "the first session: $(cat out)"
synced "a session with nothing new" 0 0
is "a value of the real node" "$(second show "$anne_row" family_name)" Roux

# It writes; the real node reads, and the other way round.
row=$(second add $scope Blanc)
synced "a session with one commit" 1 0
sync_node anne
is "its row at the real node" "$(m --dir anne show participant "$row" --json | field family_name)" Blanc
m --dir anne set participant "$row" phone=0442000001
m --dir anne remove participant "$(cat gone)"
sync_node anne
synced "an edit and a deletion of the real node" 0 2
is "the edit" "$(second show "$row" phone)" 0442000001

# Both write the same cell, and neither has seen the other.
second set "$row" family_name Blanche
m --dir anne set participant "$row" family_name=Blanco
sync_node anne
synced "a concurrent edit" 1 1
sync_node anne
is "the values of both" "$(second show "$row" family_name | tr ' ' '\n' | sort | tr '\n' ' ')" "Blanche Blanco "
is "what is shown" "$(second show "$row" family_name | cut -d' ' -f1)" "$(m --dir anne show participant "$row" --json | field family_name)"
m --dir anne conflicts >conflicts
grep -q family_name conflicts || fail "no conflict at the real node: $(cat conflicts)"
m --dir anne resolve participant "$row" family_name --value Blanc-Roux >/dev/null 2>err || fail "resolve: $(cat err)"
sync_node anne
synced "what settles it" 0 1
is "the settled value" "$(second show "$row" family_name)" Blanc-Roux

# The hub takes nothing that is not signed as the text says.
cp second.json good.json
second set "$row" phone 0442000002
second sync --forge signature >out 2>err && fail "a wrong signature is taken: $(cat out)"
grep -q 'error 9:' err || fail "a wrong signature: $(cat err)"
second sync --forge hash >out 2>err && fail "a commit with another salt than was signed is taken: $(cat out)"
grep -q 'error 9:' err || fail "another salt: $(cat err)"
synced "the same commit as it is" 1 0
verified hub anne
stop_hub
finish
