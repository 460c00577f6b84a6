#!/bin/sh
# test_systemd.sh - the unit files as `make install` puts them: systemd reads them without a word, and
# calls their hardening OK.
#
# Only systemd's own tools can say that, so where they are not installed nothing is said.
set -u
. "$(dirname "$0")/lib.sh"
for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed (Debian: apt-get install systemd)"; exit 0; }
done

cmake --install "${MAILLAGE_BUILD_DIR:?}" --prefix "$work/usr" >install.out 2>&1 || fail "install: $(cat install.out)"
units=$work/usr/lib/systemd/system
grep -q "^ExecStart=$work/usr/bin/maillaged " "$units/maillaged-hub.service" || fail "the unit does not name the installed program"
[ -x usr/bin/maillaged ] || fail "the program is not installed"
cp "$units/maillaged-node@.service" "$units/maillaged-node@daemon.service" # somebody who exists

for unit in maillaged-hub.service maillaged-node@daemon.service maillage-backup.service maillage-backup.timer; do
    systemd-analyze verify --man=no "$units/$unit" >verify.out 2>&1 || fail "$unit: $(cat verify.out)"
    [ ! -s verify.out ] || fail "$unit: $(cat verify.out)"
done
for unit in maillaged-hub.service maillaged-node@daemon.service maillage-backup.service; do
    # in tenths of 10, the worst; OK is up to 4.0
    systemd-analyze security --offline=true --threshold=15 --no-pager "$units/$unit" >security.out 2>&1 ||
        fail "$unit: $(tail -n 1 security.out)"
done

# Both tables are read and give the directories to whom the units expect.
mkdir -p root/etc
if [ "$(id -u)" = 0 ]; then
    systemd-sysusers --root="$work/root" "$work/usr/lib/sysusers.d/maillage.conf" >tables.out 2>&1 || fail "sysusers: $(cat tables.out)"
    grep -q '^maillage:.*:/var/lib/maillage:' root/etc/passwd || fail "there is no user maillage: $(cat root/etc/passwd)"
    uid=$(sed -n 's/^maillage:[^:]*:\([0-9]*\):.*/\1/p' root/etc/passwd)
    systemd-tmpfiles --create --root="$work/root" "$work/usr/lib/tmpfiles.d/maillage.conf" >tables.out 2>&1 || fail "tmpfiles: $(cat tables.out)"
    is "the hub's directory" "$(stat -c '%a %u' root/var/lib/maillage/hub)" "700 $uid"
    is "the backups' directory" "$(stat -c '%a %u' root/var/backups/maillage)" "700 $uid"
fi
finish
