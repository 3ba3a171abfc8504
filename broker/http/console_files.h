/* console_files: the built files of the console, which console/embed.py made part of the program. */
#ifndef SHUNT_HTTP_CONSOLE_FILES_H
#define SHUNT_HTTP_CONSOLE_FILES_H

#include "base/slice.h"

struct console_file {
    const char *name;
    const char *type;
    const char *tag; /* of what is in it */
    struct slice plain;
    struct slice packed; /* the same, compressed with gzip */
};

extern const struct console_file console_files[]; /* in the order of their names */
extern const unsigned console_files_count;

#endif
