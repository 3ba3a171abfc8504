/* completion: small scripts that teach a shell to complete the tool's command lines. They know nothing themselves: they ask
 * `shunt completion words`. */
#include <stdio.h>

#include "cli/call.h"
#include "cli/command.h"

static const char bash_script[] =
    "# bash completion for shunt. `shunt completion words` knows the words.\n"
    "_shunt()\n"
    "{\n"
    "    local program=${1/#\\~/$HOME} line=${COMP_LINE:0:COMP_POINT} words=() last=0 word rest i\n"
    "    COMPREPLY=()\n"
    "    # Readline splits at = and : too: what no blank separates becomes one word again. The last one ends "
    "at the cursor.\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        rest=${line#\"${line%%[![:space:]]*}\"}\n"
    "        word=${COMP_WORDS[i]}\n"
    "        ((i < COMP_CWORD)) || word=$rest\n"
    "        if ((i > 0)) && [[ $rest == \"$line\" ]]; then\n"
    "            words[last]+=$word\n"
    "        else\n"
    "            last=${#words[@]}\n"
    "            words[last]=$word\n"
    "        fi\n"
    "        line=${rest#\"$word\"}\n"
    "    done\n"
    "    words=(\"${words[@]//[\\\"\\'\\\\]/}\")\n"
    "    local typed=${words[last]} tail found=() shape=\n"
    "    tail=$typed\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] && tail=${tail##*=}\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && tail=${tail##*:}\n"
    "    while IFS=$'\\t' read -r word _; do\n"
    "        case $word in\n"
    "            :files) shape=filenames; mapfile -t found < <(compgen -f -- \"$tail\") ;;\n"
    "            :directories) shape=filenames; mapfile -t found < <(compgen -d -- \"$tail\") ;;\n"
    "            :command) shape=filenames; mapfile -t found < <(compgen -c -- \"$tail\") ;;\n"
    "            *) found+=(\"${word#\"${typed%\"$tail\"}\"}\") ;;\n"
    "        esac\n"
    "    done < <(\"$program\" completion words -- \"${words[@]:1}\" 2>/dev/null)\n"
    "    [[ $shape ]] && compopt -o \"$shape\" 2>/dev/null\n"
    "    COMPREPLY=(\"${found[@]}\")\n"
    "}\n"
    "complete -F _shunt shunt\n";

static const char zsh_script[] =
    "#compdef shunt\n"
    "# zsh completion for shunt. `shunt completion words` knows the words.\n"
    "_shunt() {\n"
    "    local word note kind\n"
    "    local -a found shown\n"
    "    while IFS=$'\\t' read -r word note; do\n"
    "        case $word in\n"
    "            (:*) kind=$word ;;\n"
    "            (*) found+=(\"$word\") shown+=(\"$word${note:+  -- $note}\") ;;\n"
    "        esac\n"
    "    done < <(${~${(Q)words[1]}} completion words -- \"${(@Q)words[2,CURRENT-1]}\" \"${(Q)PREFIX}\" "
    "2>/dev/null)\n"
    "    (( $#found )) && compadd -l -d shown -a found\n"
    "    [[ -z $kind || $PREFIX != --*=* ]] || compset -P '*='\n"
    "    case $kind in\n"
    "        (:files) _files ;;\n"
    "        (:directories) _files -/ ;;\n"
    "        (:command) _command_names -e ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] == _shunt ]]; then\n"
    "    _shunt \"$@\"\n"
    "else\n"
    "    compdef _shunt shunt\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion for shunt. `shunt completion words` knows the words.\n"
    "function __shunt_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l program $words[1]\n"
    "    set -e words[1]\n"
    "    set -l typed (commandline -ct)\n"
    "    set -l fixed (string match -r -- '^--[^=]*=' \"$typed\")\n"
    "    test -n \"$fixed\"; or set fixed ''\n"
    "    set -l tail (string replace -- \"$fixed\" '' \"$typed\")\n"
    "    for line in ($program completion words -- $words \"$typed\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case ':files'\n"
    "                printf '%s\\n' $fixed(__fish_complete_path \"$tail\")\n"
    "            case ':directories'\n"
    "                printf '%s\\n' $fixed(__fish_complete_directories \"$tail\")\n"
    "            case ':command'\n"
    "                complete -C \"$typed\"\n"
    "            case '*'\n"
    "                printf '%s\\n' $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c shunt -f -a '(__shunt_complete)'\n";

static int run_bash(struct call *call)
{
    (void)call;
    fputs(bash_script, stdout);
    return EXIT_OK;
}

static int run_zsh(struct call *call)
{
    (void)call;
    fputs(zsh_script, stdout);
    return EXIT_OK;
}

static int run_fish(struct call *call)
{
    (void)call;
    fputs(fish_script, stdout);
    return EXIT_OK;
}

#define SHELL(name_, run_, examples_)                                                                        \
    {                                                                                                        \
        .noun = "completion", .verb = name_, .usage = "",                                                    \
        .text = "print a script that makes " name_ " complete this tool's command lines",                    \
        .about = "Packages and `meson install` put it where " name_                                          \
                 " looks. Topics, groups, causes, dead letters, jobs and rules are\n"                        \
                 "asked of the broker that the command line or SHUNT_URL names; without an answer within\n"  \
                 "300ms none are offered.",                                                                  \
        .examples = examples_, .run = run_                                                                   \
    }

static const struct command commands[] = {
    SHELL("bash", run_bash, "  source <(shunt completion bash)\n"),
    SHELL("zsh", run_zsh, "  source <(shunt completion zsh)\n"),
    SHELL("fish", run_fish, "  shunt completion fish | source\n"),
};

const struct command_set completion_set = {"completion", "complete command lines in bash, zsh and fish",
                                           commands, sizeof commands / sizeof *commands};
