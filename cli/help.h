/* help: what --help prints, from the tables that parse the command line. */
#ifndef SHUNT_CLI_HELP_H
#define SHUNT_CLI_HELP_H

#include <stdio.h>

struct command;
struct command_set;

void help_all(FILE *out);
void help_set(const struct command_set *set, FILE *out);
void help_command(const struct command *command, FILE *out);

#endif
