/* wall_clock: preloaded into a server, makes the machine's clock jump, and the machine sleep. The shared file
 * named by WALL_CLOCK_FILE has two int64_t, changed at any time: by how many seconds CLOCK_REALTIME is off,
 * and how many the machine has slept, which are on CLOCK_REALTIME and CLOCK_BOOTTIME; the monotonic clock is
 * left alone. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

static const volatile int64_t *seconds; /* off, asleep */
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("WALL_CLOCK_FILE");
    *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd); /* only read from */
    if (map != MAP_FAILED)
        seconds = map;
}

API int clock_gettime(clockid_t id, struct timespec *ret)
{
    if (!real_clock_gettime)
        *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real_clock_gettime(id, ret);
    if (status != 0 || !seconds)
        return status;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        ret->tv_sec += seconds[0] + seconds[1];
    if (id == CLOCK_BOOTTIME)
        ret->tv_sec += seconds[1];
    return status;
}

API time_t time(time_t *ret)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

API int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now = {0};
    (void)zone; /* obsolete */
    int status = clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return status;
}
