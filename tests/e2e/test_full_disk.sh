#!/bin/sh
# test_full_disk.sh - the disk is full: at a node that writes, at a node that pulls, at the hub.
#
# Each says so with a sentence and status 7 (a node whose hub cannot store: 4), changes nothing, and goes
# on when there is room again.
# The small disk is a tmpfs in a mount namespace of its own, which goes when the test does. Where
# neither root nor user namespaces may mount, a limit on the size of files stands in for it.
set -u
if [ -z "${MAILLAGE_SMALL_DISK:-}" ]; then
    here=$(mktemp -d "${TMPDIR:-/tmp}/maillage-disk-XXXXXX") || exit 1
    # shellcheck disable=SC2016 # $1 is for the inner shell
    unshare -rm sh -c 'mount -t tmpfs -o size=1m none "$1"' sh "$here" 2>/dev/null && kind=tmpfs || kind=limit
    rmdir "$here"
    export MAILLAGE_SMALL_DISK=$kind
    [ $kind = limit ] || exec unshare -rm "$0"
fi
. "$(dirname "$0")/lib.sh"
scope=martigues/mdfj

# A disk of 6 MB: fill DIR leaves no room on it, empty gives it back.
mkdir disk
if [ "$MAILLAGE_SMALL_DISK" = tmpfs ]; then
    mount -t tmpfs -o size=6m none disk || fail "mount"
    trap 'for pid in $started; do kill -9 "$pid" 2>/dev/null; done; umount -l disk; clean_up' EXIT
    fill() { dd if=/dev/zero of=disk/ballast bs=4k >dd.out 2>&1; }
    empty() { rm disk/ballast; }
    full="the disk is full"
else
    # in units of 512 bytes: the files that are there may not grow
    fill() { trap '' XFSZ; ulimit -S -f 64; }
    empty() { ulimit -S -f unlimited; }
    full="disk"
fi

# people DIR COUNT
people() {
    echo "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
          INSERT INTO participant(id, antenna, family_name, given_name) SELECT randomblob(16), '$scope', 'P', hex(randomblob(40)) FROM n;" |
        "$bin/maillage" --dir "$1" sql --write -
}
count() { cell "$1" 'SELECT count(*) AS n FROM participant'; }

# --- a node that writes, and one that pulls ---
m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node disk/anne $scope
join_node bastien $scope
expect 0 "" people disk/anne 10
sync_node disk/anne
sync_node bastien
fill
expect 7 "$full" people disk/anne 2000
expect 7 "$full" people disk/anne 2000 # and again: the first left nothing behind
if [ "$MAILLAGE_SMALL_DISK" = tmpfs ]; then
    m --dir disk/anne doctor >doctor.out 2>&1
    grep -q '^disk *problem .* MB free' doctor.out || fail "the doctor does not see it: $(cat doctor.out)"
fi
empty
is "nothing was changed:" "$(count disk/anne)" 10
expect 0 "" people bastien 2000
sync_node bastien
fill
expect 7 "$full" m --dir disk/anne sync --hub "$hub_address"
empty
expect 0 "" people disk/anne 5
sync_node disk/anne
sync_node bastien
for node in hub disk/anne bastien; do is "$node" "$(count $node)" 2015; done
same_digest $scope hub disk/anne bastien
verified disk/anne
stop_hub

# --- the hub ---
if [ "$MAILLAGE_SMALL_DISK" = tmpfs ]; then
    rm -rf disk/anne
    m --dir disk/hub hub init --name petite >/dev/null
    start_hub disk/hub
    m --dir chloe join "$(m --dir disk/hub hub invite --name chloe --scope $scope --hub "$hub_address")" >/dev/null 2>&1 || fail "chloe cannot join"
    expect 0 "" people chloe 2000
    fill
    expect 4 "the hub cannot store" m --dir chloe sync --hub "$hub_address"
    kill -0 "$hub_pid" || fail "the hub did not survive: $(cat disk/hub.err)"
    empty
    expect 0 "" m --dir chloe sync --hub "$hub_address"
    is "the hub" "$(count disk/hub)" 2000
    same_digest $scope disk/hub chloe
    verified disk/hub chloe
    stop_hub
    is "the hub's end" $ended 0
fi
finish
