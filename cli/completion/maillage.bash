# Completion of maillage for bash.
#
# Nothing is listed here twice: verbs, options, tables and columns are asked from maillage itself,
# which answers without opening a node.

# The verb on the line so far: its words on one line, or what there is of it.
_maillage_verb() {
    local i word words=
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --dir) ((i++)) ;;
        -*) ;;
        *)
            words=${words:+$words }$word
            if maillage help --names 2>/dev/null | grep -qxF -- "$words"; then break; fi
            [[ $words == *' '* ]] && break
            ;;
        esac
    done
    printf '%s\n' "$words"
    return 0
}

# How many arguments of the verb stand before the one that is being typed, and the first of them.
_maillage_arguments() {
    local verb=$1 i count=0 skip
    local -a verb_words
    read -r -a verb_words <<<"$verb"
    skip=${#verb_words[@]}
    first_argument=
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --dir) ((i++)) ;;
        -*) ;;
        *)
            if ((skip > 0)); then
                ((skip--))
            else
                ((count++ == 0)) && first_argument=${COMP_WORDS[i]}
            fi
            ;;
        esac
    done
    argument_count=$count
}

_maillage() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verb first_argument argument_count
    local -a offers=()
    COMPREPLY=()

    if [[ $previous == --dir ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
    fi
    verb=$(_maillage_verb)
    if [[ $current == -* ]]; then
        # shellcheck disable=SC2086 # a verb is one or two words
        mapfile -t offers < <(maillage help --options $verb 2>/dev/null ||
            printf '%s\n' --dir --json --quiet --help --version)
    elif [[ -z $verb ]]; then
        mapfile -t offers < <(maillage help --names 2>/dev/null | cut -d' ' -f1 | uniq)
    else
        _maillage_arguments "$verb"
        case $verb:$argument_count in
        add:0 | set:0 | remove:0 | show:0 | list:0 | log:0 | resolve:0 | schema:0)
            mapfile -t offers < <(maillage schema --names 2>/dev/null)
            [[ $verb == log ]] && offers+=(verify)
            ;;
        add:* | list:* | set:[2-9]*)
            mapfile -t offers < <(maillage schema "$first_argument" --names 2>/dev/null | sed 's/$/=/')
            compopt -o nospace
            ;;
        resolve:2) mapfile -t offers < <(maillage schema "$first_argument" --names 2>/dev/null) ;;
        help:0) mapfile -t offers < <(maillage help --names 2>/dev/null | cut -d' ' -f1 | uniq) ;;
        help:1)
            mapfile -t offers < <(maillage help --names 2>/dev/null | sed -n "s/^$first_argument //p")
            ;;
        *:0) # the second word of a verb such as "hub init"
            mapfile -t offers < <(maillage help --names 2>/dev/null | sed -n "s/^$verb //p")
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "${offers[*]}" -- "$current")
}

complete -F _maillage maillage
