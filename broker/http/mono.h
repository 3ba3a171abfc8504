/* mono: the monotonic clock in milliseconds, for the threads of HTTP. */
#ifndef SHUNT_HTTP_MONO_H
#define SHUNT_HTTP_MONO_H

#include <stdint.h>
#include <time.h>

static inline int64_t mono_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
