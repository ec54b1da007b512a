# Completion of openssl-serve for fish. The program itself says what can follow: the first line
# that it prints is what else may (files, dirs or nothing), the others are words with their help.

function __openssl_serve_complete
    set -l words (commandline -opc)
    # An open quote cannot be unescaped.
    set -l typed (commandline -ct)
    set -l token (string unescape -- $typed; or string replace -r -- '^["\']' '' $typed)
    set -l program (string replace -r '^~' $HOME $words[1])
    set -l lines (_OPENSSL_SERVE_COMPLETE=fish $program $words[2..-1] "$token" 2>/dev/null)
    set -l kind $lines[1]
    set -e lines[1]
    printf '%s\n' $lines
    # After --option= the path begins.
    set -l option (string match -r -- '^-[^=]*=' $token)
    set -l path (string replace -- "$option" '' $token)
    if test "$kind" = dirs
        printf '%s\n' "$option"(__fish_complete_directories $path)
    else if test "$kind" = files -a (count $lines) -eq 0
        printf '%s\n' "$option"(__fish_complete_path $path)
    end
end

complete -c openssl-serve -f -a '(__openssl_serve_complete)'
