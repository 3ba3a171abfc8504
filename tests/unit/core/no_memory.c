/* no_memory: the allocations of what is linked with --wrap, one of which fails. */
#include "tests/unit/core/faults.h"

#include <stdlib.h>

/* The linker gives these names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static uint64_t calls;
static uint64_t fail_at;

void no_memory_arm(uint64_t n)
{
    calls = 0;
    fail_at = n;
}

uint64_t no_memory_calls(void)
{
    return calls;
}

static bool due(void)
{
    return ++calls == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return due() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return due() ? NULL : __real_realloc(old, size);
}
