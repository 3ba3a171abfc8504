/* secret_file: a password or a token that lies in a file. */
#ifndef SHUNT_CLIENT_DRIVING_SECRET_FILE_H
#define SHUNT_CLIENT_DRIVING_SECRET_FILE_H

#include "client/shunt.h"

/* Read the first line of `path`, without its end, into `to` (`bytes`, with the terminator). The file must be closed to others: a group may
 * read it if root owns it.
 * fails: BAD_ARGUMENT (open to others, empty, longer, a NUL in it), IO, with a sentence that names the file and quotes nothing of it. */
int secret_file_read(const char *path, char *to, size_t bytes, struct shunt_error *err);

#endif
