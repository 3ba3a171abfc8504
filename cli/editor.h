/* editor: the user's own editor, on a file that holds what is to be changed. */
#ifndef SHUNT_CLI_EDITOR_H
#define SHUNT_CLI_EDITOR_H

#include <stddef.h>

#define EDITOR_PATH_BYTES 512

/* What is edited: the file that has it, for the caller to forget. */
struct editor {
    char path[EDITOR_PATH_BYTES];
    char *bytes; /* what the user made of it */
    size_t count;
};

/* Write `bytes` to a file that only its user can read, in $TMPDIR or /tmp, and run $VISUAL, else $EDITOR, else `vi`, on it until
 * it ends. `suffix`: of the file's name, by which editors know what it is. A newline that an editor has put behind a last line
 * that had none is taken away again. Returns an exit code, after saying why it is not EXIT_OK. */
int editor_run(struct editor *e, const char *bytes, size_t count, const char *suffix);
/* Take the file away. */
void editor_forget(struct editor *e);
/* Leave the file there, for the user to go on from. */
void editor_keep(struct editor *e);

#endif
