/* work_identity: whom a failure is told of: the command that `work` runs, not the tool that runs it. */
#ifndef SHUNT_CLI_WORK_IDENTITY_H
#define SHUNT_CLI_WORK_IDENTITY_H

#include <stddef.h>

#define IDENTITY_BYTES 129 /* the protocol's 128 and an end */
/* So much of a file is read for its build id; its size counts too. */
#define IDENTITY_FILE_BYTES (16u * 1024 * 1024)

struct work_identity {
    char client[IDENTITY_BYTES]; /* name of the command's file and our pid, `resize.py-4711` */
    char build[IDENTITY_BYTES];  /* 16 hex digits that change with the file's content; empty if it cannot be
                                    read */
};

/* The command's file is the program at `path`; for interpreters and the like (`python3 resize.py`, `env A=b
 * ./resize`) the first of `arguments` (which begin with the program's name and end with NULL) that is a file.
 */
void work_identity_of(struct work_identity *to, const char *path, char *const *arguments);

#endif
