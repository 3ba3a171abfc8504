/* sampler: /proc/PID/stat, status and io, for a process and its children. */
#include "bench/sampler.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool read_cpu(pid_t pid, struct usage *u)
{
    char path[64], line[1024];
    unsigned long user = 0, sys = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    char *got = fgets(line, sizeof line, f);
    (void)fclose(f);
    /* The name, in brackets, may hold anything; the fields after it are numbers but for the first. */
    const char *after = got ? strrchr(line, ')') : NULL;
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        return false;
    u->cpu_us += (user + sys) * 1000000ull / (unsigned long)sysconf(_SC_CLK_TCK);
    return true;
}

/* The number after `key` in a file of lines `key: number`, in its own unit. */
static uint64_t read_key(pid_t pid, const char *file, const char *key)
{
    char path[64], line[256];
    unsigned long long value = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), ": %llu", &value) == 1)
            break;
    }
    (void)fclose(f);
    return value;
}

static void add(pid_t pid, struct usage *u)
{
    char path[64];
    int child = 0;
    u->known = read_cpu(pid, u) || u->known;
    u->anon_bytes += read_key(pid, "status", "RssAnon") * 1024;
    u->file_bytes += read_key(pid, "status", "RssFile") * 1024;
    u->write_bytes += read_key(pid, "io", "write_bytes");
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%d", &child) == 1)
        add(child, u);
    if (f)
        (void)fclose(f);
}

struct usage sampler_read(pid_t pid)
{
    struct usage u = {0};
    if (pid > 0)
        add(pid, &u);
    return u;
}
