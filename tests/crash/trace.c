/* trace: see trace.h. */
#include "tests/crash/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool add(struct trace *t, const struct trace_entry *e)
{
    if ((t->count & (t->count - 1)) == 0) {
        size_t capacity = t->count ? t->count * 2 : 1;
        struct trace_entry *entries = realloc(t->entries, capacity * sizeof *entries);
        if (!entries)
            return false;
        t->entries = entries;
    }
    t->entries[t->count++] = *e;
    return true;
}

static bool parse(struct trace *t)
{
    const uint8_t *at = t->map, *end = at + t->map_bytes;
    while ((size_t)(end - at) >= sizeof(struct record)) {
        struct trace_entry e;
        __builtin_memcpy(&e.r, at, sizeof e.r);
        at += sizeof e.r;
        if ((size_t)(end - at) < e.r.text_bytes + e.r.data_bytes)
            break;
        if (e.r.kind < RECORD_LIFE || e.r.kind > RECORD_SYNC_LOST)
            return false;
        e.text = (const char *)at;
        e.data = at + e.r.text_bytes;
        at = e.data + e.r.data_bytes;
        if (!add(t, &e))
            return false;
    }
    return t->count > 0;
}

bool trace_load(struct trace *t, const char *path)
{
    *t = (struct trace){0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        t->map_bytes = (size_t)st.st_size;
        t->map = mmap(NULL, t->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    (void)close(fd); /* the map stays */
    return t->map && t->map != MAP_FAILED && parse(t);
}

void trace_done(struct trace *t)
{
    if (t->map && t->map != MAP_FAILED)
        (void)munmap(t->map, t->map_bytes);
    free(t->entries);
    *t = (struct trace){0};
}

uint64_t trace_random(uint64_t seed, uint64_t number)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + number + 0x632be59bd9b4e019u;
    for (int i = 0; i < 2; i++) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
    }
    return x;
}
