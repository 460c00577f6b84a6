#!/bin/sh
# test_bundle.sh - a permanence that never sees a network, and a key that a person carries.
#
# Three months of weeks: a bundle to the hub, its answer back, with all that happens to keys: lost, brought twice, brought
# late, cut short, damaged, of somebody else, on the wrong machine; the hub with its maillaged and without; a session in
# between; a node and a hub that were restored. Needs $MAILLAGE_BIN; listens on 127.0.0.1.
set -u
. "$(dirname "$0")/lib.sh"

m --dir hub hub init --name metropole >/dev/null 2>&1
start_hub hub
join_node mjs martigues/mjs-saint-mitre
join_node msp martigues/msp-port-de-bouc
person() { m --dir "$1" add participant family_name="$2" || fail "add $2 at $1"; }
people() { cell "$1" "SELECT count(*) AS n FROM participant"; }
waiting() { m --dir "$1" status --json | field waiting; }
out_of() { # NODE FILE
    expect 0 "" m --dir "$1" bundle out --to "$2" --json
}
takes() { # DIR FILE [OPTION...]: the words are in err
    expect 0 "" "$bin/maillage" --dir "$@"
}

# --- words ---

expect 2 "needs the option --to" m --dir mjs bundle out
expect 1 "this is the hub" m --dir hub bundle out --to key
expect 1 "cannot be read" m --dir hub bundle in nothing
expect 1 "is no file" m --dir hub bundle in .
echo "a letter" >letter
expect 3 "no bundle of maillage" m --dir hub bundle in letter
expect 1 "is no bundle: name another file" m --dir mjs bundle out --to letter
is "the letter" "$(cat letter)" "a letter"

# --- a week: there and back, while maillaged runs on the hub ---

id=$(person mjs Durand)
out_of mjs key
is "commits in the bundle" "$(field pushed <out)" 1
is "the bundle's number" "$(field number <out)" 1
grep -q Durand key && fail "a bundle shows what is in it"
takes hub bundle in key
grep -q "bundle 1 of mjs: 1 new commit taken" err || fail "what was taken is not said: $(cat err)"
is "people at the hub" "$(people hub)" 1
is "what waits before the answer" "$(waiting mjs)" 1
takes mjs bundle in key.answer
grep -q "synchronised with metropole" err || fail "not synchronised: $(cat err)"
is "what waits after the answer" "$(waiting mjs)" 0
expect 0 "" m --dir mjs status
grep -q synchronised out || fail "status does not say synchronised: $(cat out)"
same_digest martigues/mjs-saint-mitre hub mjs

# --- the wrong machine, the wrong way round ---

expect 3 "bundle for the hub that this node wrote" m --dir mjs bundle in key
expect 3 "an answer, for an antenna" m --dir hub bundle in key.answer
expect 3 "for another node" m --dir msp bundle in key.answer
m --dir other hub init --name autre >/dev/null 2>&1
expect 3 "sealed for another hub" m --dir other bundle in key
expect 2 "the answer would take the place of the bundle" m --dir hub bundle in key --answer key

# --- brought twice; an answer twice ---

cp key key1
takes hub bundle in key
grep -q "this very bundle was taken in at" err || fail "a repeated bundle is not told: $(cat err)"
takes mjs bundle in key.answer
grep -q "was taken in at .* already" err || fail "a repeated answer is not told: $(cat err)"

# --- lost, and late ---

person mjs Blanc >/dev/null
out_of mjs lost
person mjs Noir >/dev/null
out_of mjs key
takes hub bundle in key
grep -q "bundle 2 of mjs never came; nothing is missing" err || fail "a lost bundle is not told: $(cat err)"
is "people at the hub after a lost bundle" "$(people hub)" 3
takes hub bundle in lost
grep -q "older than bundle 3" err || fail "a late bundle is not told: $(cat err)"
takes mjs bundle in key.answer
takes mjs bundle in lost.answer
grep -q "the answer to bundle 3, which is newer" err || fail "a late answer is not told: $(cat err)"
is "what waits" "$(waiting mjs)" 0

# --- cut short and damaged: told, and nothing half-done ---

person mjs Gris >/dev/null
out_of mjs key
size=$(stat -c %s key)
for cut in 0 3 20 60 $((size / 2)) $((size - 1)); do
    head -c $cut key >short
    "$bin/maillage" --dir hub bundle in short >out 2>err && fail "a bundle cut at $cut was taken"
    grep -q "copy it again\|no bundle" err || fail "a bundle cut at $cut: $(cat err)"
    [ -e short.answer ] && fail "an answer to a bundle cut at $cut"
done
(cat key; printf x) >long
expect 3 "copy it again" m --dir hub bundle in long
cp key bad
printf '\377' | dd of=bad bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
expect 3 "copy it again" m --dir hub bundle in bad
takes hub bundle in key
takes mjs bundle in key.answer
same_digest martigues/mjs-saint-mitre hub mjs

# --- a session in between, in both orders ---

person mjs Vert >/dev/null
out_of mjs key
sync_node mjs
person mjs Rose >/dev/null
takes hub bundle in key
grep -q "0 new commits taken" err || fail "what a session had brought is new: $(cat err)"
takes mjs bundle in key.answer
is "what waits after an answer that knows less" "$(waiting mjs)" 1
sync_node mjs
same_digest martigues/mjs-saint-mitre hub mjs

# --- three months, without maillaged on the hub, news for the antenna too ---

stop_hub
week=1
while [ $week -le 12 ]; do
    person mjs "Semaine $week" >/dev/null
    m --dir mjs set participant "$id" phone="06$week" >/dev/null || fail "set in week $week"
    m --dir hub add employer plie=martigues name="Entreprise $week" >/dev/null || fail "the hub in week $week"
    out_of mjs key
    if [ $((week % 4)) != 0 ]; then # every fourth key is lost on its way
        takes hub bundle in key
        [ $((week % 5)) = 0 ] || takes mjs bundle in key.answer # and some answers
    fi
    week=$((week + 1))
done
out_of mjs key
takes hub bundle in key
takes mjs bundle in key.answer
is "people at the hub after three months" "$(people hub)" "$(people mjs)"
is "news at the antenna" "$(cell mjs "SELECT count(*) AS n FROM employer")" 12
is "what waits after three months" "$(waiting mjs)" 0
same_digest martigues/mjs-saint-mitre hub mjs

# --- a directory restored on the antenna, and one on the hub ---

cp -a mjs mjs.old
cp -a hub hub.old
person mjs Perdu >/dev/null
out_of mjs key
takes hub bundle in key
rm -rf mjs && mv mjs.old mjs
"$bin/maillage" --dir mjs bundle in key.answer >out 2>err
grep -q "does not remember" err || fail "a restored antenna takes an answer that it did not ask for: $(cat err)"
person mjs Nouveau >/dev/null
trips=0
while [ $trips -lt 4 ]; do
    trips=$((trips + 1))
    out_of mjs key
    takes hub bundle in key
    takes mjs bundle in key.answer
    [ "$(waiting mjs)" = 0 ] && [ "$(people hub)" = "$(people mjs)" ] && break
done
is "people after the antenna was restored" "$(people mjs)" "$(people hub)"
is "the lost one came back" "$(cell mjs "SELECT count(*) AS n FROM participant WHERE family_name = 'Perdu'")" 1
rm -rf hub && mv hub.old hub
trips=0
while [ $trips -lt 4 ]; do
    trips=$((trips + 1))
    out_of mjs key
    takes hub bundle in key
    takes mjs bundle in key.answer
    [ "$(waiting mjs)" = 0 ] && [ "$(people hub)" = "$(people mjs)" ] && break
done
is "people after the hub was restored" "$(people hub)" "$(people mjs)"
same_digest martigues/mjs-saint-mitre hub mjs

# --- an antenna that was revoked, and the reports ---

expect 0 "" m --dir hub runs mjs --json
grep -q '"trigger":"bundle"' out || fail "the hub has no report of a bundle: $(cat out)"
m --dir hub hub revoke mjs >/dev/null 2>&1
person mjs Trop >/dev/null
out_of mjs key
expect 5 "revoked" m --dir hub bundle in key

# --- a full key ---

mkdir usb
if mount -t tmpfs -o size=64k tmpfs usb 2>/dev/null; then
    i=0
    while [ $i -lt 200 ]; do i=$((i + 1)); echo "INSERT INTO participant(antenna, family_name, address) VALUES ('martigues/msp-port-de-bouc', 'P$i', hex(randomblob(400)));"; done >many.sql
    m --dir msp sql --write - <many.sql >/dev/null || fail "many rows"
    expect 7 "no room is left" m --dir msp bundle out --to usb/key
    is "files on the full key" "$(ls usb | wc -l)" 0
    umount usb
fi
verified hub mjs msp
finish
