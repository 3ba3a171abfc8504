/* floor_disk: the least a durable append costs. */
#include "bench/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/link.h"

#define CALM_BYTES  4096
#define CALM_S      0.1
#define CALM_NS_MAX (30 * NS_PER_S)

bool floor_disk(const char *dir, uint32_t bytes, double seconds, struct histogram *ret, char *why)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%.400s/shunt-floor-XXXXXX", dir);
    int fd = mkostemp(path, O_CLOEXEC);
    uint8_t *record = calloc(1, bytes);
    bool ok = fd >= 0 && record;
    uint64_t end_ns = clock_ns() + (uint64_t)(seconds * (double)NS_PER_S);
    for (uint64_t begin_ns = clock_ns(); ok && begin_ns < end_ns; begin_ns = clock_ns()) {
        ok = write(fd, record, bytes) == (ssize_t)bytes && fdatasync(fd) == 0;
        histogram_record(ret, clock_ns() - begin_ns);
    }
    if (!ok)
        (void)snprintf(why, WHY_BYTES, "append to %.100s: %s", path, strerror(errno));
    free(record);
    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(path);
    }
    return ok;
}

double floor_disk_calm(const char *dir, double us)
{
    static struct histogram h; /* large; only the main thread asks */
    char why[WHY_BYTES];
    uint64_t give_up_ns = clock_ns() + CALM_NS_MAX;
    for (;;) {
        memset(&h, 0, sizeof h);
        if (!floor_disk(dir, CALM_BYTES, CALM_S, &h, why))
            return 0;
        double now_us = (double)histogram_quantile(&h, 0.5) / 1e3;
        if (us <= 0 || now_us <= us || clock_ns() > give_up_ns)
            return now_us;
    }
}
