/* program: see program.h. */
#include "cli/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_program(const char *path)
{
    struct stat info;
    if (stat(path, &info))
        return errno;
    if (!S_ISREG(info.st_mode) || access(path, X_OK))
        return EACCES;
    return 0;
}

int program_find(const char *name, char **ret_path)
{
    int result = ENOENT;
    if (strchr(name, '/')) {
        result = check_program(name);
        if (result == 0 && !(*ret_path = strdup(name)))
            result = ENOMEM;
        return result;
    }
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/local/bin:/usr/bin:/bin"; *name; at++) {
        size_t len = strcspn(at, ":");
        char *candidate = NULL;
        if (asprintf(&candidate, "%.*s/%s", len ? (int)len : 1, len ? at : ".", name) < 0)
            return ENOMEM;
        int error = check_program(candidate);
        if (error == 0) {
            *ret_path = candidate;
            return 0;
        }
        free(candidate);
        result = error == EACCES ? EACCES : result;
        at += len;
        if (!*at)
            break;
    }
    return result;
}
