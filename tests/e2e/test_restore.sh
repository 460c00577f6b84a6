#!/bin/sh
# test_restore.sh - copies of directories: a node restored, a node cloned, a hub restored.
#
# People copy directories. Whatever they do with the copies, nothing that was written may be
# lost or overwritten, and the hub may not give a number twice.
set -u
. "$(dirname "$0")/lib.sh"

m --dir hub hub init --name metropole >/dev/null
start_hub hub
join_node mdfj martigues/mdfj
alice=$(m --dir mdfj add participant family_name=Durand given_name=Alice commune=13056)
sync_node mdfj

# --- a node restored from an old copy, which then goes on writing ---
cp -a mdfj old
m --dir mdfj set participant "$alice" phone=0601010101
m --dir mdfj set participant "$alice" family_name=Dupont
bob=$(m --dir mdfj add participant family_name=Bernard)
sync_node mdfj
rm -rf mdfj && mv old mdfj
m --dir mdfj set participant "$alice" family_name=Duval
sync_node mdfj
sync_node mdfj
is "what the lost past wrote" "$(cell mdfj "SELECT phone FROM participant WHERE given_name = 'Alice'")" 0601010101
is "the dossier of the lost past" "$(cell mdfj "SELECT count(*) AS n FROM participant WHERE family_name = 'Bernard'")" 1
case $(m --dir hub conflicts --json) in
*Dupont*Duval* | *Duval*Dupont*) ;;
*) fail "both names are not kept: $(m --dir hub conflicts --json)" ;;
esac
same_digest martigues/mdfj hub mdfj
is "waiting" "$(m --dir mdfj status --json | field waiting)" 0

# --- a restored node that writes nothing gets its past back as well ---
cp -a mdfj old
m --dir mdfj set participant "$bob" phone=0602020202
sync_node mdfj
rm -rf mdfj && mv old mdfj
sync_node mdfj
is "the phone" "$(cell mdfj "SELECT phone FROM participant WHERE family_name = 'Bernard'")" 0602020202
same_digest martigues/mdfj hub mdfj

# --- two nodes run from one copied directory ---
m --dir mdfj set participant "$bob" email=avant@exemple.fr # not sent yet: both copies have it
cp -a mdfj twin
m --dir mdfj set participant "$bob" address='1 rue A'
m --dir twin set participant "$bob" pole_emploi_id=7654321Z
m --dir twin add participant family_name=Jumeau >/dev/null
sync_node mdfj
sync_node twin
sync_node mdfj
sync_node twin
for node in hub mdfj twin; do
    is "$node: address" "$(cell $node "SELECT address FROM participant WHERE family_name = 'Bernard'")" '1 rue A'
    is "$node: id" "$(cell $node "SELECT pole_emploi_id FROM participant WHERE family_name = 'Bernard'")" 7654321Z
    is "$node: email" "$(cell $node "SELECT email FROM participant WHERE family_name = 'Bernard'")" avant@exemple.fr
    is "$node: the twin's dossier" "$(cell $node "SELECT count(*) AS n FROM participant WHERE family_name = 'Jumeau'")" 1
done
same_digest martigues/mdfj hub mdfj twin
verified hub mdfj twin

# --- the hub restored from an old copy ---
join_node msp martigues/msp-port-de-bouc
sync_node mdfj
stop_hub
cp -a hub hub.old
start_hub hub
m --dir mdfj set participant "$alice" phone=0603030303
claire=$(m --dir msp add participant family_name=Petit given_name=Claire)
shop=$(m --dir msp add employer name=Atelier siret=12345678901234)
# the hub writes too, in one antenna's dossier, in the other's, and for all
m --dir hub add participant --scope martigues/msp-port-de-bouc family_name=Perdu >/dev/null
m --dir hub set participant "$alice" email=du.hub@exemple.fr
m --dir hub add adviser code=aae-1 name=Adviser antenna=martigues/mdfj >/dev/null
sync_node mdfj
sync_node msp
sync_node mdfj
# mdfj writes on top of what it has seen; that must still be known after the hub forgot it
m --dir mdfj set employer "$shop" sector=bois
m --dir hub sql --json 'SELECT n FROM mg_commit WHERE n IS NOT NULL' | grep -o '[0-9]*' | sort >numbers.before
stop_hub
rm -rf hub && mv hub.old hub
m --dir hub sql --json 'SELECT n FROM mg_commit WHERE n IS NOT NULL' | grep -o '[0-9]*' | sort >numbers.kept
start_hub hub
is "the hub has forgotten" "$(cell hub "SELECT count(*) AS n FROM participant WHERE family_name = 'Petit'")" 0
# mdfj holds a row of msp's that the hub has not been given back yet: it says that they differ
m --dir mdfj sync --hub "$hub_address" 2>mdfj.err
is "the first session with the restored hub ends with" $? 6
sync_node msp
sync_node mdfj
sync_node twin
sync_node msp
for node in hub msp; do
    is "$node: Claire" "$(cell $node "SELECT given_name FROM participant WHERE family_name = 'Petit'")" Claire
done
is "hub: its own dossier came back" "$(cell hub "SELECT count(*) AS n FROM participant WHERE family_name = 'Perdu'")" 1
is "hub: its own edit came back" "$(cell hub "SELECT email FROM participant WHERE given_name = 'Alice'")" du.hub@exemple.fr
is "hub: its own adviser came back" "$(cell hub "SELECT name FROM adviser")" Adviser
for node in hub mdfj msp twin; do is "$node: sector" "$(cell $node "SELECT sector FROM employer")" bois; done
is "hub: phone" "$(cell hub "SELECT phone FROM participant WHERE given_name = 'Alice'")" 0603030303
is "no conflict was invented for the sector" "$(m --dir hub sql --json "SELECT count(*) AS n FROM mg_sibling WHERE cell = 2" | grep -c '"n": *0')" 1
same_digest martigues/mdfj hub mdfj twin
same_digest martigues/msp-port-de-bouc hub msp
same_digest martigues hub mdfj msp twin
same_digest / hub mdfj msp twin
verified hub mdfj msp twin
m --dir hub sql --json 'SELECT n FROM mg_commit WHERE n IS NOT NULL' | grep -o '[0-9]*' | sort >numbers.after
comm -13 numbers.kept numbers.after >numbers.new
again=$(comm -12 numbers.before numbers.new | wc -l)
is "numbers given twice" "$again" 0
[ -s numbers.new ] || fail "the restored hub has numbered nothing"
stop_hub
finish
