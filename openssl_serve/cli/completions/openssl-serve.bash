# Completion of openssl-serve for bash. The program itself says what can follow: the first line
# that it prints is what else may (files, dirs or nothing), the others are words.

_openssl_serve() {
    local line kind=
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $kind ]]; then
            kind=$line
        else
            # A wildcard host must not become the names of files, unless a quote has begun.
            [[ ${COMP_WORDS[COMP_CWORD]} == [\"\']* ]] || printf -v line %q "$line"
            COMPREPLY+=("$line")
        fi
    done < <(
        _OPENSSL_SERVE_COMPLETE=bash COMP_WORDBREAKS=$COMP_WORDBREAKS \
            "${1/#\~/$HOME}" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null
    )
    # bash 3.2, as on macOS, has no compopt: it offers files where there is nothing else.
    case $kind in
        dirs) compopt +o default -o plusdirs 2>/dev/null ;;
        files) ;;
        *) compopt +o default 2>/dev/null ;;
    esac
}

complete -o default -F _openssl_serve openssl-serve
