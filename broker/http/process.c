/* process: see process.h. The names follow Prometheus' own client libraries, so that existing dashboards fit.
 */
#include "broker/http/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STAT_BYTES_MAX 4096

/* Read a small file of /proc whole; false if that fails. */
static bool read_small(const char *path, char text[STAT_BYTES_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t size = 0;
    ssize_t n;
    while ((n = read(fd, text + size, STAT_BYTES_MAX - 1 - size)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0)
            size += (size_t)n;
    }
    (void)close(fd); /* nothing was written */
    text[size] = '\0';
    return n == 0 && size > 0;
}

/* Seconds since 1970 at which the machine booted, or negative. */
static double boot_time_seconds(void)
{
    char text[STAT_BYTES_MAX];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* The line stands behind one line for each processor, so the file is read in pieces with a little
     * overlap. */
    static const char key[] = "\nbtime ";
    double found = -1;
    size_t kept = 0;
    ssize_t n;
    while (found < 0 && (n = read(fd, text + kept, sizeof text - 1 - kept)) > 0) {
        size_t size = kept + (size_t)n;
        text[size] = '\0';
        const char *at = strstr(text, key);
        if (at && strchr(at + 1, '\n'))
            found = (double)strtoull(at + sizeof key - 1, NULL, 10);
        kept = size < 64 ? size : 64;
        memmove(text, text + size - kept, kept);
    }
    (void)close(fd); /* nothing was written */
    return found;
}

/* Fields of /proc/self/stat, numbered as in proc(5); the second, a name, may hold anything but ends at the
 * last ')'. */
static void read_stat(struct process_stats *ret)
{
    enum { STATE = 3, UTIME = 14, STIME = 15, THREADS = 20, START = 22, VSIZE = 23, RSS = 24, FIELDS };
    char text[STAT_BYTES_MAX];
    if (!read_small("/proc/self/stat", text))
        return;
    char *at = strrchr(text, ')');
    if (!at)
        return;
    double field[FIELDS] = {0};
    char *save = NULL;
    int number = STATE;
    for (char *word = strtok_r(at + 1, " ", &save); word && number < FIELDS;
         word = strtok_r(NULL, " ", &save))
        field[number++] = (double)strtoull(word, NULL, 10);
    if (number < FIELDS)
        return;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    double boot = boot_time_seconds();
    ret->cpu_seconds = (field[UTIME] + field[STIME]) / ticks;
    ret->start_time_seconds = boot < 0 ? -1 : boot + field[START] / ticks;
    ret->threads = field[THREADS];
    ret->virtual_bytes = field[VSIZE];
    ret->resident_bytes = field[RSS] * (double)sysconf(_SC_PAGESIZE);
}

static double count_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return -1;
    double count = -1; /* the directory's own */
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    (void)closedir(dir); /* nothing was written */
    return count;
}

void process_read(struct process_stats *ret)
{
    *ret = (struct process_stats){-1, -1, -1, -1, -1, -1, -1};
    read_stat(ret);
    ret->open_fds = count_open_fds();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        ret->max_fds = (double)limit.rlim_cur;
}
