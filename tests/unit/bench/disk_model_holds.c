/* disk_model_holds: each way to flush a file takes a place in the model's queue, with the bytes that it has.
 *
 *   disk_model_holds LIBRARY    run the work below under the library and look at what the model counted; then
 *                               the controls, in which the same look must find something wrong
 *   disk_model_holds DIR FLUSHERS    the work itself, in DIR, as the program above starts it
 *
 * There is no bound from above on any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/disk_model.h"

#define FLUSH_NS    (2 * NS_PER_MS)
#define BYTES_PER_S 1000000u
#define FLUSHERS    2
#define TURNS       5 /* flushes of each of them */

/* What the work below asks for, flush by flush. */
static const uint64_t flushes[] = {4200, 0, 700, 100, 30, 600, 50, 4096, 0, 30};
#define OF_ONE (sizeof flushes / sizeof *flushes)

static const char filler[8192];

/* ---- the work ---- */

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "disk_model_holds: %s: %s\n", what, strerror(errno));
    exit(2);
}

#define DO(call, result) must((call) == (result), #call)

static int open_at(const char *dir, const char *name, int flags)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
    must(fd >= 0, path);
    return fd;
}

/* Nothing of this is a flush of a file in the directory. */
static void no_flush(int a)
{
    int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    DO(pipe(ends), 0);
    DO(write(ends[1], filler, 100), 100);
    DO(write(null, filler, 100), 100);
    DO(fsync(-1), -1);
    DO(fdatasync(ends[0]), -1);
    DO(write(-1, filler, 100), -1);
    DO(sync_file_range(a, 0, 0, SYNC_FILE_RANGE_WRITE), 0);
}

static void each_way(const char *dir)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)filler, 300}, {(void *)(uintptr_t)filler, 400}};
    struct iovec part = {(void *)(uintptr_t)filler, 500};
    int a = open_at(dir, "a", 0), b = open_at(dir, "b", O_DSYNC), c = open_at(dir, "c", O_SYNC);
    DO(write(a, filler, 1000), 1000);
    DO(pwrite(a, filler, 2000, 8192), 2000);
    DO(writev(a, parts, 2), 700);
    DO(pwritev(a, &part, 1, 0), 500);
    no_flush(a);
    DO(fdatasync(a), 0); /* 4200 */
    DO(fsync(a), 0);     /* 0 */
    DO(write(b, filler, 700), 700);
    DO(pwrite(b, filler, 100, 0), 100);
    part.iov_len = 30;
    DO(writev(c, &part, 1), 30);
    part.iov_len = 600;
    DO(pwritev2(a, &part, 1, 0, RWF_DSYNC), 600);
    DO(write(a, filler, 50), 50);
    DO(sync_file_range(a, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER), 0); /* 50 */
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, a, 0);
    must(map != MAP_FAILED, "mmap");
    DO(msync(map, 4096, MS_ASYNC), 0);
    DO(msync(map, 4096, MS_SYNC), 0); /* 4096 */
    DO(fsync(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)), 0);
    DO(write(a, filler, 20), 20);
    DO(write(open_at(dir, "d", 0), filler, 10), 10);
    DO(syncfs(a), 0); /* 30 */
}

static void side_by_side(const char *dir, unsigned flushers)
{
    for (unsigned i = 0; i < flushers; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "side-%u", i);
        pid_t pid = fork();
        must(pid >= 0, "fork");
        if (pid > 0)
            continue;
        int fd = open_at(dir, name, 0);
        for (int k = 0; k < TURNS; k++)
            DO(fdatasync(fd), 0);
        exit(0);
    }
    for (int status = 0; flushers > 0; flushers--)
        must(wait(&status) > 0 && status == 0, "a flusher beside others");
}

/* ---- the look ---- */

static struct disk_model *memory(uint64_t device, uint64_t flush_ns, char *ret_place, size_t bytes)
{
    int fd = memfd_create("disk_model_holds", 0);
    DO(ftruncate(fd, sizeof(struct disk_model)), 0);
    struct disk_model *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(m != MAP_FAILED, "mmap");
    m->is = (struct disk_parameters){DISK_MODEL_MAGIC, device, flush_ns, BYTES_PER_S};
    (void)snprintf(ret_place, bytes, "/proc/%d/fd/%d", (int)getpid(), fd);
    return m;
}

/* One run of the work. Returns how long it took. */
static uint64_t run(const char *library, const char *dir, const char *place)
{
    char flushers[16];
    int status = 0;
    (void)snprintf(flushers, sizeof flushers, "%d", FLUSHERS);
    uint64_t begin_ns = clock_ns();
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        if (library)
            must(setenv("LD_PRELOAD", library, 1) == 0, "setenv");
        must(setenv(DISK_MODEL_VARIABLE, place, 1) == 0, "setenv");
        (void)execl("/proc/self/exe", "disk_model_holds", dir, flushers, (char *)NULL);
        must(false, "execl");
    }
    must(waitpid(pid, &status, 0) == pid && status == 0, "the work");
    return clock_ns() - begin_ns;
}

/* How many of the model's promises are broken; says each with `loud`. */
static int broken(const struct disk_model *m, uint64_t took_ns, bool loud)
{
    uint64_t bytes = 0, unflushed = 0, count = OF_ONE + FLUSHERS * TURNS;
    for (size_t i = 0; i < OF_ONE; i++)
        bytes += flushes[i];
    for (size_t i = 0; i < DISK_MODEL_FILES; i++)
        unflushed += m->files[i].unflushed_bytes;
    uint64_t busy_ns = count * FLUSH_NS + bytes * (NS_PER_S / BYTES_PER_S);
    const struct {
        const char *what;
        uint64_t is, wanted;
        bool at_least;
    } rows[] = {{"flushes", m->flushes, count, false},
                {"bytes flushed", m->flushed_bytes, bytes, false},
                {"bytes written", m->written_bytes, bytes, false},
                {"bytes not flushed", unflushed, 0, false},
                {"ns that the disk was busy", m->busy_ns, busy_ns, false},
                {"ns that the work took, one flush at a time", took_ns, busy_ns, true}};
    int found = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].at_least ? rows[i].is >= rows[i].wanted : rows[i].is == rows[i].wanted)
            continue;
        found++;
        if (loud) {
            printf("%s: %llu, wanted %s%llu\n", rows[i].what, (unsigned long long)rows[i].is,
                   rows[i].at_least ? "at least " : "", (unsigned long long)rows[i].wanted);
        }
    }
    return found;
}

static void clear(const char *dir)
{
    static const char *const names[] = {"a", "b", "c", "d", "side-0", "side-1"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
}

/* With the library, or without it, or on a disk that is quicker than said: what is broken. */
static int look(const char *library, const char *dir, uint64_t flush_ns, bool loud)
{
    char place[64];
    struct stat st;
    DO(stat(dir, &st), 0);
    struct disk_model *m = memory(st.st_dev, flush_ns, place, sizeof place);
    uint64_t took_ns = run(library, dir, place);
    int found = broken(m, took_ns, loud);
    if (loud) {
        printf("%llu flushes of %llu bytes; their callers went on %.1f us late on average\n",
               (unsigned long long)m->flushes, (unsigned long long)m->flushed_bytes,
               m->flushes ? (double)m->late_ns / 1e3 / (double)m->flushes : 0);
    }
    clear(dir);
    DO(munmap(m, sizeof *m), 0);
    return found;
}

int main(int argc, char **argv)
{
    char dir[] = "disk_model_holds-XXXXXX"; /* where the tests run */
    if (argc == 3) {
        each_way(argv[1]);
        side_by_side(argv[1], (unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    must(argc == 2 && mkdtemp(dir), "mkdtemp");
    bool ok = look(argv[1], dir, FLUSH_NS, true) == 0;
    int without = look(NULL, dir, FLUSH_NS, false), quicker = look(argv[1], dir, FLUSH_NS / 2, false);
    printf("controls: %d broken without the library, %d on a quicker disk\n", without, quicker);
    (void)rmdir(dir);
    return ok && without > 0 && quicker > 0 ? 0 : 1;
}
