#!/bin/sh
# test_let_go.sh - `prune` and `hub archive` as people call them: without two backups, nothing goes.
set -u
. "$(dirname "$0")/lib.sh"
scope=martigues/mdfj

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node anne $scope
id=$(m --dir anne add participant family_name=Durand)
sync_node anne
m --dir anne set participant "$id" phone=0601020304
sync_node anne

commits() { cell "$1" 'SELECT count(*) AS n FROM mg_commit WHERE body IS NOT NULL'; }
before_anne=$(commits anne) before_hub=$(commits hub)

m --dir anne prune --json --keep-days 0 >out 2>err || fail "prune: $(cat err)"
is "let go of without a backup" "$(field commits <out)" 0
is "dry_run" "$(field dry_run <out)" false
m --dir anne prune --dry-run >out 2>err || fail "prune --dry-run: $(cat err)"
grep -q "nothing to let go of" out || fail "it does not say why nothing goes: $(cat out)"
m --dir hub hub archive --json --older-than 0 >out 2>err || fail "archive: $(cat err)"
is "archived without a backup" "$(field commits <out)" 0
[ ! -e hub/archive.db ] || fail "an archive of nothing"
is "commits at anne" "$(commits anne)" "$before_anne"
is "commits at the hub" "$(commits hub)" "$before_hub"

expect 1 "this is the hub" m --dir hub prune
expect 1 "hub" m --dir anne hub archive
expect 2 "--keep-days takes a whole number" m --dir anne prune --keep-days soon
expect 2 "not a time" m --dir hub hub archive --older-than soon
expect 2 "at most" m --dir hub hub archive --older-than 99999999d
m --dir anne log verify --json >out 2>err || fail "log verify: $(cat err)"
is "pruned" "$(field pruned <out)" 0
is "archived" "$(field archived <out)" 0

# what a session says of backups costs nothing: still two round trips, and few bytes
m --dir anne sync --json --hub "$hub_address" >out 2>err || fail "sync: $(cat err)"
is "round trips of a session with nothing new" "$(field round_trips <out)" 2
[ "$(field bytes_received <out)" -le 300 ] || fail "$(field bytes_received <out)" bytes in a session with nothing new
same_digest $scope hub anne
stop_hub
finish
