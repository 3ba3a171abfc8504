/* whole_file: a file that is there whole or not at all. */
#ifndef SHUNT_CLI_WHOLE_FILE_H
#define SHUNT_CLI_WHOLE_FILE_H

#include <stdio.h>

/* Writes the content; returns an exit code. Errors of the stream are the stream's. */
typedef int whole_file_fill(void *context, FILE *out);

/* Fill `path` (NULL or "-": standard output): beside its place, synced and renamed, so that after EXIT_OK it is whole and on
 * disk, and after anything else as it was. A pipe or a device is written to as it is. Returns what `fill` says, or
 * EXIT_FAILED after saying why. */
int whole_file_write(const char *path, whole_file_fill *fill, void *context);

#endif
