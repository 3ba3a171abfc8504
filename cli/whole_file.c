/* whole_file: see whole_file.h. */
#include "cli/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/call.h"

/* A file in the place of a pipe or a device is not what anybody asked for. */
static int write_special(const char *path, whole_file_fill *fill, void *context)
{
    FILE *out = fopen(path, "we");
    int code = out ? fill(context, out) : EXIT_FAILED;
    bool written = out && fflush(out) == 0 && !ferror(out);
    if (out && fclose(out))
        written = false;
    if (!written) {
        call_complain("%s: %s", path, strerror(errno));
        code = EXIT_FAILED;
    }
    return code;
}

/* The rename is as good as undone by a power loss until the directory is on disk. */
static bool sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return synced;
}

static int write_file(const char *path, whole_file_fill *fill, void *context)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.part", path) < 0)
        return EXIT_FAILED;
    FILE *out = fopen(beside, "we");
    int code = out ? fill(context, out) : EXIT_FAILED;
    bool written = out && fflush(out) == 0 && !ferror(out) && fsync(fileno(out)) == 0;
    if (out && fclose(out))
        written = false;
    if (!written || (code == EXIT_OK && (rename(beside, path) || !sync_directory(path)))) {
        call_complain("%s: %s", written ? path : beside, strerror(errno));
        code = EXIT_FAILED;
    }
    if (code && out)
        (void)unlink(beside); /* half of it is of no use */
    free(beside);
    return code;
}

int whole_file_write(const char *path, whole_file_fill *fill, void *context)
{
    struct stat info;
    if (!path || strcmp(path, "-") == 0)
        return fill(context, stdout);
    bool special = stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    return special ? write_special(path, fill, context) : write_file(path, fill, context);
}
