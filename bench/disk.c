/* disk: the model's memory has no name: it is a descriptor of this program, which its children reach through
 * /proc, and it ends with it. */
#include "bench/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/disk_model.h"
#include "bench/link.h"

#define TMPFS      0x01021994 /* as statfs() names it */
#define ROOM_LEAST (1ull << 30)
#define LIBRARY    "shunt-disk-model.so"
#define PATH_BYTES 4096
#define FLUSH_NS   (150 * NS_PER_US)
#define RATE       500000000ull

struct unit {
    const char *name;
    double factor;
};

static struct disk_model *model; /* NULL: the disk is real */
static char name[64] = "real";
static char warning[512];

/* ---- the text ---- */

/* A number and one of the units, which ends the text or is followed by a comma. NULL: it is not that. */
static const char *read_quantity(const char *text, const struct unit *units, uint64_t *to)
{
    char *end;
    double value = strtod(text, &end);
    size_t size = strcspn(end, ",");
    for (; end != text && units->name; units++) {
        double whole = value * units->factor;
        if (strlen(units->name) == size && strncmp(end, units->name, size) == 0 && whole >= 0 &&
            whole < 1e15) {
            *to = (uint64_t)whole;
            return end + size;
        }
    }
    return NULL;
}

/* After `model`. */
static bool read_parameters(const char *text, struct disk_parameters *m)
{
    static const struct unit times[] = {{"us", 1e3}, {"ms", 1e6}, {"ns", 1}, {NULL, 0}};
    static const struct unit rates[] = {{"MB/s", 1e6}, {"GB/s", 1e9}, {"kB/s", 1e3}, {NULL, 0}};
    m->flush_ns = FLUSH_NS;
    m->bytes_per_s = RATE;
    if (*text == 0)
        return true;
    if (*text++ != ':')
        return false;
    text = read_quantity(text, times, &m->flush_ns);
    if (text && *text == ',')
        text = read_quantity(text + 1, rates, &m->bytes_per_s);
    return text && *text == 0 && m->bytes_per_s > 0;
}

static void describe(const struct disk_parameters *m, const char *data)
{
    (void)snprintf(name, sizeof name, "model:%gus,%gMB/s", (double)m->flush_ns / 1e3,
                   (double)m->bytes_per_s / 1e6);
    (void)snprintf(
        warning, sizeof warning,
        "These are figures of a model of a disk, not of a disk: a flush takes %g µs and its bytes at "
        "%g MB/s,\none flush at a time; the files lie in memory, in %.200s.",
        (double)m->flush_ns / 1e3, (double)m->bytes_per_s / 1e6, data);
}

/* ---- the place ---- */

static bool is_in_memory(const char *path)
{
    struct statfs fs;
    return path && access(path, W_OK | X_OK) == 0 && statfs(path, &fs) == 0 && fs.f_type == TMPFS &&
           (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= ROOM_LEAST;
}

static bool find_memory(const char **data, char *why)
{
    const char *const places[] = {"/dev/shm", getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    for (size_t i = 0; !*data && i < sizeof places / sizeof *places; i++) {
        if (is_in_memory(places[i]))
            *data = places[i];
    }
    if (*data && is_in_memory(*data))
        return true;
    (void)snprintf(
        why, WHY_BYTES,
        "--disk model needs a tmpfs with a GiB free, and %.100s is none: mount one (mount -t tmpfs "
        "none DIR) and name it with --data",
        *data ? *data : "/dev/shm, $XDG_RUNTIME_DIR, $TMPDIR or /tmp");
    return false;
}

/* The library, where it was built or installed. */
static bool find_library(char *to, char *why)
{
    static const char *const places[] = {"", "../", "../lib/shunt-bench/"};
    char self[PATH_BYTES / 2];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = 0;
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        slash[1] = 0;
        (void)snprintf(to, PATH_BYTES, "%s%s%s", self, places[i], LIBRARY);
        if (access(to, R_OK) == 0)
            return true;
    }
    (void)snprintf(why, WHY_BYTES, "--disk model needs %s next to this program or in ../lib/shunt-bench",
                   LIBRARY);
    return false;
}

/* ---- two lives ---- */

static bool own_place(int fd, char *to, size_t bytes)
{
    return snprintf(to, bytes, "/proc/%d/fd/%d", (int)getpid(), fd) < (int)bytes;
}

/* Make the shared memory; -1: errno says why not. The descriptor outlives execution. */
static int make_memory(const struct disk_parameters *parameters)
{
    int fd = memfd_create("shunt-disk-model", 0);
    if (fd >= 0 && ftruncate(fd, sizeof *model) == 0 &&
        pwrite(fd, parameters, sizeof *parameters, 0) == (ssize_t)sizeof *parameters)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static bool begin_again(const struct disk_parameters *parameters, char **argv, char *why)
{
    char library[PATH_BYTES], preload[2 * PATH_BYTES], place[64];
    const char *others = getenv("LD_PRELOAD");
    if (!find_library(library, why))
        return false;
    (void)snprintf(preload, sizeof preload, "%s%s%.4000s", library, others ? ":" : "", others ? others : "");
    int fd = make_memory(parameters);
    if (fd >= 0 && own_place(fd, place, sizeof place) && setenv("LD_PRELOAD", preload, 1) == 0 &&
        setenv(DISK_MODEL_VARIABLE, place, 1) == 0)
        (void)execv("/proc/self/exe", argv);
    (void)snprintf(why, WHY_BYTES, "--disk model: cannot begin again with it: %s", strerror(errno));
    return false;
}

/* The memory that this process made before it executed itself again; NULL: this is its first life. */
static struct disk_model *inherited(void)
{
    const char *place = getenv(DISK_MODEL_VARIABLE);
    char own[64];
    int pid = 0, fd = -1;
    if (!place || sscanf(place, "/proc/%d/fd/%d", &pid, &fd) != 2 || !own_place(fd, own, sizeof own) ||
        strcmp(own, place) != 0)
        return NULL;
    void *map = mmap(NULL, sizeof *model, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* children reach it by its path */
    return map == MAP_FAILED || ((struct disk_model *)map)->is.magic != DISK_MODEL_MAGIC ? NULL : map;
}

bool disk_begin(const char *text, const char **data, char **argv, char *why)
{
    struct stat st;
    struct disk_parameters parameters = {.magic = DISK_MODEL_MAGIC};
    if (!text || strcmp(text, "real") == 0) {
        const char *temporary = getenv("TMPDIR");
        *data = *data ? *data : temporary ? temporary : "/tmp";
        return true;
    }
    if (strncmp(text, "model", 5) != 0 || !read_parameters(text + 5, &parameters)) {
        (void)snprintf(why, WHY_BYTES,
                       "--disk: `%.60s` is neither real nor model[:FLUSH][,RATE], as in "
                       "model:150us,500MB/s",
                       text);
        return false;
    }
    if (!find_memory(data, why))
        return false;
    model = inherited();
    if (model) {
        describe(&model->is, *data);
        return true;
    }
    parameters.device = stat(*data, &st) == 0 ? st.st_dev : 0;
    return begin_again(&parameters, argv, why);
}

/* ---- while it runs ---- */

const char *disk_name(void)
{
    return name;
}

const char *disk_warning(void)
{
    return model ? warning : NULL;
}

struct disk_usage disk_read(void)
{
    if (!model)
        return (struct disk_usage){0};
    return (struct disk_usage){.known = true,
                               .written_bytes = model->written_bytes,
                               .flushes = model->flushes,
                               .flushed_bytes = model->flushed_bytes,
                               .busy_ns = model->busy_ns,
                               .late_ns = model->late_ns};
}

void disk_forget(void)
{
    if (model)
        memset(model->files, 0, sizeof model->files);
}
