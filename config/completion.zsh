#compdef @NAME@
# zsh completion for @NAME@

_@NAME@() {
    local answer line directive=
    local -a values
    answer=$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null) || return
    for line in "${(@f)answer}"; do
        case $line in
            :*) directive=${line#:} ;;
            *$'\t'*) values+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
            ?*) values+=("${line//:/\\:}") ;;
        esac
    done
    (( $#values )) && _describe -t values '@NAME@' values
    case $directive in
        files) _files ;;
        dirs) _files -/ ;;
    esac
}

if [ "${funcstack[1]}" = _@NAME@ ]; then
    _@NAME@ "$@"
else
    compdef _@NAME@ @NAME@
fi
