#!/bin/bash
# test_sameness.sh - both packs say the same of 20,000 dossiers, however and wherever they are judged.
#
# This build, one without optimisation, one by clang (each with its own SQLite), and this one under a French and a Turkish
# locale (commas in numbers; an I without a dot) and other time zones: one digest. What is missing on a machine
# (clang, the sources of locales) is left out with a sentence.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
build=${MAILLAGE_BUILD_DIR:?}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
packs=("$root/core/plie/pays-d-aix-2018-2022.yaml" "$root/core/plie/martigues-2020.yaml")
count=20000
failed=0

digest() { "$@" "$count" "${packs[@]}" 2>"$work/said"; }

want=$(digest "$build/tests/same/verdict_digest") || { cat "$work/said" >&2; exit 1; }
[ ${#want} -eq 32 ] || { echo "no digest: $want" >&2; exit 1; }
echo "this build: $want"

same() { # NAME COMMAND...
	local name=$1 got
	shift
	got=$(digest "$@")
	if [ "$got" = "$want" ]; then
		echo "$name: the same ($(cat "$work/said"))"
	else
		echo "$name: $got, not $want: $(cat "$work/said")" >&2
		failed=1
	fi
}

# Locales, made here so that no machine has to have them.
if [ -e /usr/share/i18n/locales/tr_TR ] && command -v localedef >/dev/null; then
	for locale in fr_FR tr_TR; do
		localedef -i "$locale" -f UTF-8 "$work/$locale.UTF-8" 2>/dev/null
		same "$locale" env LOCPATH="$work" LC_ALL="$locale.UTF-8" TZ=Asia/Tokyo "$build/tests/same/verdict_digest"
		grep -q "$locale" "$work/said" || { echo "the locale $locale was not in effect" >&2; failed=1; }
	done
else
	echo "left out: locales (apt-get install locales has their sources)"
fi
same "far west" env TZ=Pacific/Honolulu LC_ALL=C "$build/tests/same/verdict_digest"

# Another compiler, another optimisation.
other() { # NAME CMAKE-ARGUMENT...
	local name=$1
	shift
	if ! { cmake -S "$root" -B "$work/$name" -G Ninja "$@" && cmake --build "$work/$name" --target same_verdict_digest; } \
		>"$work/log" 2>&1; then
		tail -n 20 "$work/log" >&2
		failed=1
		return
	fi
	same "$name" "$work/$name/tests/same/verdict_digest"
}
other unoptimised -DMAILLAGE_BUILD=plain
if command -v clang >/dev/null; then
	other clang -DMAILLAGE_BUILD=release -DCMAKE_C_COMPILER=clang
else
	echo "left out: clang is not installed (.ci/deps --dev)"
fi
exit $failed
