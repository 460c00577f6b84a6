#!/bin/sh
#
# test_layering.sh - the layers hold: who includes what, and what the conversation can touch.
#
# A boundary kept only by convention erodes. Two things are checked, from the sources and from what
# the linker sees:
#
#   1. A folder includes its own headers and, of the folders below it, only the front door
#      (core/core.h, proto/proto.h, sync/sync.h, daemon/daemon.h). <uv.h> stays in daemon/ and cli/.
#   2. Every symbol that libmaillage_sync.a leaves undefined is a function of the layers below or is
#      on the short list of pure functions here. The list says what is allowed and not what is
#      forbidden, because nobody can name every clock, socket, file and source of chance of a libc.
#
# It takes MAILLAGE_BUILD_DIR from ctest; without it only the includes are checked.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C

failures=0
fail() {
    echo "layering: $*" >&2
    failures=$((failures + 1))
}

# includes FOLDER: lines `file:line:"core/core.h"` or `file:line:<uv.h>`
includes() {
    find "$1" -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} + |
        sed -E 's/^([^:]*:[0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]*[">]).*/\1:\2/'
}

# forbid MESSAGE: each include that comes in is a failure
forbid() {
    while IFS= read -r line; do
        [ -n "$line" ] && fail "$line: $1"
    done <<EOF
$(cat)
EOF
}

# folder NAME 'FRONT DOORS': quoted includes are NAME's own or one of these headers
folder() {
    own=$1 doors=$2
    [ -d "$own" ] || return 0
    pattern="\"$own/[^\"]*\""
    for door in $doors; do pattern="$pattern|\"$door\""; done
    forbid "$own/ may include its own headers (written from the root) and: ${doors:-nothing else}" <<EOF
$(includes "$own" | grep -E ':"' | grep -vE ":($pattern)\$")
EOF
}

# outside 'FOLDERS' 'HEADERS' REASON: none of these folders includes any of these system headers
outside() {
    for own in $1; do
        [ -d "$own" ] || continue
        forbid "$3" <<EOF
$(includes "$own" | grep -E ":<($2)>\$")
EOF
    done
}

folder core ''
folder proto 'core/core.h'
folder sync 'core/core.h proto/proto.h'
folder daemon 'core/core.h proto/proto.h sync/sync.h'
folder cli 'core/core.h proto/proto.h sync/sync.h daemon/daemon.h'
outside 'core proto sync' 'uv\.h|uv/.*|jansson\.h' 'only daemon/ and cli/ touch the world'
outside 'proto sync' 'sqlite3\.h|yaml\.h' 'the database and YAML are private to core/'
outside 'proto sync' 'zstd.*' 'compression is private to core/'
outside 'sync' 'msgpack.*' 'the bytes are private to proto/'

# What a function of bytes and time may ask of the C library, of libsodium (what draws no random
# number) and of the compiler.
pure='mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|explicit_bzero|malloc|calloc|realloc|reallocarray|free|abort'
pure="$pure|str(len|nlen|cmp|ncmp|casecmp|ncasecmp|chr|rchr|chrnul|str|spn|cspn|pbrk|cpy|ncpy|cat|ncat|dup|ndup|toul|toull|tol|toll|sep|tok_r)|stpcpy|stpncpy"
pure="$pure|v?snprintf|qsort|bsearch|abs|labs|llabs|div|ldiv|is(alnum|alpha|digit|xdigit|space|print|upper|lower)|tolower|toupper"
pure="$pure|__isoc99_sscanf|__ctype_b_loc|__ctype_tolower_loc|__ctype_toupper_loc"
pure="$pure|__(mem|str|stp|vs|s)[a-z]*_chk|__assert_fail|__stack_chk_fail|__errno_location|_GLOBAL_OFFSET_TABLE_"
pure="$pure|__asan_.*|__ubsan_.*|__tsan_.*|__sanitizer_.*|__sancov_.*|__gcov_.*|__llvm_.*|_(start|stop)___sancov.*|__(start|stop)___sancov.*"
pure="$pure|crypto_[a-z0-9_]*|sodium_(memzero|memcmp|is_zero|compare|increment|bin2hex|hex2bin|bin2base64|base642bin)"
random='crypto_[a-z0-9_]*(_keypair|_keygen|_seal|_random|pwhash_[a-z0-9]*_?str)|crypto_core_[a-z0-9]*_(scalar_)?random'

# symbols FLAG ARCHIVE...: names that these archives define (--defined-only) or ask for (-u)
symbols() { nm "$@" 2>/dev/null | awk 'NF >= 2 && $0 !~ /:$/ { print $NF }' | sort -u; }

check_symbols() {
    build=$1
    if [ ! -e "$build/libmaillage_sync.a" ]; then
        fail "no $build/libmaillage_sync.a: build first"
        return
    fi
    tmp=$(mktemp -d) || exit 1
    for layer in core proto sync; do
        [ ! -e "$build/libmaillage_$layer.a" ] || symbols -g --defined-only "$build/libmaillage_$layer.a"
    done | sort -u >"$tmp/ours"
    symbols -u "$build/libmaillage_sync.a" >"$tmp/asked"
    [ -s "$tmp/asked" ] || fail "nm shows nothing in $build/libmaillage_sync.a: the check would be empty"
    comm -23 "$tmp/asked" "$tmp/ours" >"$tmp/foreign"
    {
        grep -vxE "$pure" "$tmp/foreign"
        grep -xE "$random" "$tmp/foreign"
    } | while IFS= read -r symbol; do
        users=$(nm -A -u "$build/libmaillage_sync.a" | awk -v s="$symbol" '$NF == s { split($1, a, ":"); print a[2] }')
        echo "sync/ uses $symbol (in $(echo "$users" | tr '\n' ' ')): sync/ has no clock, chance, file, socket or thread; take it as an argument, or ask for it as an effect"
    done >"$tmp/report"
    while IFS= read -r line; do fail "$line"; done <"$tmp/report"
    rm -rf "$tmp"
}

if [ -n "${MAILLAGE_BUILD_DIR:-}" ] && [ -n "$(find sync -name '*.c' 2>/dev/null)" ]; then
    check_symbols "$MAILLAGE_BUILD_DIR"
fi

[ "$failures" -eq 0 ] || echo "layering: $failures breach(es)" >&2
[ "$failures" -eq 0 ]
