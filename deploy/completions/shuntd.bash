# bash completion for shuntd. Its options are those that `shuntd --help` lists.
_shuntd()
{
    local program=${1/#\~/$HOME} typed=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} option argument _
    COMPREPLY=()
    # Readline splits at = too.
    if [[ $typed == = ]]; then
        typed=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    while read -r option argument _; do
        [[ $option == --* ]] || continue
        if [[ $option == "$before" && $argument == FILE ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$typed")
        elif [[ $option == "$before" && $argument == DIR ]]; then
            mapfile -t COMPREPLY < <(compgen -d -- "$typed")
        elif [[ $option == "$before" && $argument == *:* ]]; then
            COMPREPLY=()
        else
            [[ $option == "$typed"* ]] && COMPREPLY+=("$option")
            continue
        fi
        compopt -o filenames 2>/dev/null
        return
    done < <("$program" --help 2>/dev/null)
}
complete -F _shuntd shuntd
