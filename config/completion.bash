# bash completion for @NAME@

_@NAME@_complete() {
    local typed=${COMP_LINE:0:COMP_POINT} line answer files= current=
    local -a words
    # Not COMP_WORDS, which bash also splits at `:` and `=`.
    read -ra words <<<"$typed"
    case $typed in
        *[[:space:]]) words+=('') ;;
    esac
    current=${words[${#words[@]} - 1]}
    answer=$("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null) || return
    # bash replaces only what follows the last of these.
    local kept=${current%"${current##*[:=]}"}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) files=-f ;;
            :dirs) files=-d ;;
            :*) ;;
            *)
                line=${line%%$'\t'*}
                COMPREPLY+=("${line#"$kept"}")
                ;;
        esac
    done <<<"$answer"
    if [ -n "$files" ]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done < <(compgen "$files" -- "${current##*=}")
    fi
}

complete -F _@NAME@_complete @NAME@
