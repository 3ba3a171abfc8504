/* prompt: a destructive command says how much it will touch, and asks. */
#ifndef SHUNT_CLI_PROMPT_H
#define SHUNT_CLI_PROMPT_H

struct call;

/* The option -y of a destructive command. */
#define PROMPT_OPTION                                                                                        \
    {                                                                                                        \
        "yes", 'y', NULL, OPTION_FLAG, WORDS_NONE, 0, 0, "do not ask"                                        \
    }

/* Say what will happen and ask. EXIT_OK: go on (yes, or -y). EXIT_FAILED: the answer was no. EXIT_USAGE:
 * there is no terminal to ask on, and no -y. */
int prompt_confirm(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
