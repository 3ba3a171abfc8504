/* complete: what the last word of an unfinished command line can become, as `shunt completion words` prints it. Commands and
 * options come from the tables that --help is printed from. */
#ifndef SHUNT_CLI_COMPLETE_H
#define SHUNT_CLI_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"

struct command;
struct command_set;

/* An unfinished command line, as far as it was understood. */
struct complete {
    const struct command_set *set;  /* NULL: the word to complete is the noun, or before it */
    const struct command *command;  /* NULL: the word to complete is the verb, or before it */
    bool lost;                      /* a noun or verb is none: nothing is known of what follows */
    bool help;                      /* `shunt help …`: nouns and verbs follow, no more */
    struct options rows;            /* what is accepted here */
    const struct option_row *taker; /* whose value the last word is; NULL: nobody's */
    char **words;                   /* the command's words before the last one */
    size_t words_count;
    bool dashes;       /* `--` came before */
    size_t rest_count; /* words between it and the last one */
    const char *url;   /* NULL: not said */
    const char *group; /* NULL: not said */
    char *last;        /* the word to complete */
    size_t fixed;      /* so many of its bytes stand before what is completed: `--group=` */
    bool named;        /* it is `--option=…` */
};

/* Print the candidates for argv[argc - 1]; argv[0] is no word of the line. */
void complete_print(int argc, char **argv);

#endif
