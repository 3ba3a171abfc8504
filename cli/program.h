/* program: finds the file that a command's name stands for. */
#ifndef SHUNT_CLI_PROGRAM_H
#define SHUNT_CLI_PROGRAM_H

/* Find the program as a shell would: 0 and its path, which the caller frees; ENOENT, EACCES or ENOMEM. */
int program_find(const char *name, char **ret_path);

#endif
