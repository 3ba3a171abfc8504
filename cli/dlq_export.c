/* dlq_export: a file is written beside its place, synced and renamed, so that a purge after it is safe. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/magic.h"
#include "cli/call.h"
#include "cli/dead.h"
#include "cli/dlq.h"
#include "cli/json.h"
#include "client/shunt.h"

#define EXPORTING_MAGIC 0xa4757a39u
struct exporting {
    uint32_t magic;
    struct call *call;
    struct json json;
    uint64_t count;
};

static int export_row(void *context, const struct shunt_value *row)
{
    struct exporting *e = magic_of(context, exporting, EXPORTING_MAGIC);
    struct shunt_error err = {0};
    struct shunt_value *dead = NULL;
    int code = shunt_dlq_show(e->call->shunt, call_word(e->call, 0), call_group(e->call),
                              record_text(row, "id"), e->call->timeout_ms, &dead, &err);
    if (code == SHUNT_NOT_FOUND)
        return EXIT_OK; /* redriven or purged since it was listed */
    if (code)
        return call_failed(e->call, &err);
    dead_json(&e->json, dead);
    json_end(&e->json);
    shunt_value_free(dead);
    e->count++;
    return ferror(e->json.out) ? EXIT_FAILED : EXIT_OK;
}

static int export_all(struct exporting *e, FILE *out)
{
    json_init(&e->json, out, false);
    return dlq_walk(e->call, 0, UINT64_MAX, export_row, e, NULL, NULL);
}

/* A pipe or a device is written to as it is: a file in its place is not what anybody asked for. */
static int export_special(struct exporting *e, const char *path)
{
    FILE *out = fopen(path, "we");
    int code = out ? export_all(e, out) : EXIT_FAILED;
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

static int export_file(struct exporting *e, const char *path)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.part", path) < 0)
        return EXIT_FAILED;
    FILE *out = fopen(beside, "we");
    int code = out ? export_all(e, out) : EXIT_FAILED;
    bool written = out && fflush(out) == 0 && !ferror(out) && fsync(fileno(out)) == 0;
    if (out && fclose(out))
        written = false;
    if (!written || (code == EXIT_OK && (rename(beside, path) || !sync_directory(path)))) {
        call_complain("%s: %s", written ? path : beside, strerror(errno));
        code = EXIT_FAILED;
    }
    if (code && out)
        (void)unlink(beside); /* half of an export is of no use */
    free(beside);
    return code;
}

int dlq_run_export(struct call *call)
{
    struct exporting e = {.magic = EXPORTING_MAGIC, .call = call};
    const char *path = options_text(&call->options, "to", NULL);
    int code = call_connect(call);
    if (code)
        return code;
    struct stat info;
    bool special = path && stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    code = !path || strcmp(path, "-") == 0 ? export_all(&e, stdout)
           : special                       ? export_special(&e, path)
                                           : export_file(&e, path);
    if (code == EXIT_OK) {
        call_note(call, "exported %" PRIu64 " %s", e.count,
                  call_plural(e.count, "dead letter", "dead letters"));
    }
    return code;
}
