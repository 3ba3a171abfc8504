# fish completion for shuntd. Its options are those that `shuntd --help` lists.
complete -c shuntd -f
shuntd --help 2>/dev/null | string match -rg '^  --([a-z-]+) (\S*) +(.*)' | while read -L option; read -L argument; read -L note
    switch $argument
        case FILE
            complete -c shuntd -l $option -d $note -r -F
        case DIR
            complete -c shuntd -l $option -d $note -x -a '(__fish_complete_directories)'
        case '*:*'
            complete -c shuntd -l $option -d $note -x
        case '*'
            complete -c shuntd -l $option -d $note
    end
end
