/* directory: mkdtemp, and a walk that removes from the leaves up. */
#include "bench/directory.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/link.h"

bool directory_make(const char *parent, char *to, char *why)
{
    (void)snprintf(to, DIRECTORY_BYTES, "%.200s/shunt-bench-XXXXXX", parent);
    if (mkdtemp(to))
        return true;
    (void)snprintf(why, WHY_BYTES, "cannot make a directory in %.100s: %s", parent, strerror(errno));
    to[0] = 0;
    return false;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    (void)remove(path);
    return 0;
}

void directory_remove(const char *path)
{
    if (path[0])
        (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
