/* no_memory: an LD_PRELOAD library in which the NO_MEMORY_AT-th allocation fails, or, with NO_MEMORY_LASTING,
 * that and all after it. At its end a process that was not refused anything writes to NO_MEMORY_COUNT how
 * many it made; one that was, leaves the file empty there.
 * With NO_MEMORY_LEAST only those of so many bytes count. NO_MEMORY_CRASH plants a lie: a program that does
 * not look at what it was given. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static atomic_ulong made;
static unsigned long fail_at; /* 0: never */
static unsigned long least;   /* smaller ones are not counted */
static bool lasting;
static atomic_bool refused;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("NO_MEMORY_AT"), *size = getenv("NO_MEMORY_LEAST");
    least = size ? strtoul(size, NULL, 10) : 0;
    lasting = getenv("NO_MEMORY_LASTING") != NULL;
    atomic_store(&made, 0);
    fail_at = at ? strtoul(at, NULL, 10) : 0;
}

static void touch(const char *text, int length)
{
    const char *path = getenv("NO_MEMORY_COUNT");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    (void)!write(fd, text, (size_t)length); /* who reads it sees that it is short */
    (void)close(fd);
}

__attribute__((destructor)) static void end(void)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%lu", atomic_load(&made));
    if (!atomic_load(&refused))
        touch(text, length);
}

static bool refuses(size_t size)
{
    if (size < least)
        return false;
    unsigned long number = atomic_fetch_add(&made, 1) + 1;
    if (!fail_at || (lasting ? number < fail_at : number != fail_at))
        return false;
    if (!atomic_exchange(&refused, true))
        touch("", 0);
    if (getenv("NO_MEMORY_CRASH"))
        (void)raise(SIGSEGV);
    errno = ENOMEM;
    return true;
}

EXPORTED void *malloc(size_t size)
{
    return refuses(size) ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return refuses(count * size) ? NULL : __libc_calloc(count, size);
}

EXPORTED void *realloc(void *old, size_t size)
{
    return refuses(size) ? NULL : __libc_realloc(old, size);
}
