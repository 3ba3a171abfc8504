/* directory: temporary directories for what is measured. */
#ifndef SHUNT_BENCH_DIRECTORY_H
#define SHUNT_BENCH_DIRECTORY_H

#include <stdbool.h>

#define DIRECTORY_BYTES 256

/* Make one in `parent`; `to` (DIRECTORY_BYTES) gets its path, or is empty after a failure. */
bool directory_make(const char *parent, char *to, char *why);
/* Remove it and all in it. Takes an empty path. What cannot be removed stays. */
void directory_remove(const char *path);

#endif
