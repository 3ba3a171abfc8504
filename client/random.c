/* random: the system's generator for seeds, splitmix64 (Steele, Lea, Flood 2014) for the rest. */
#include "client/random.h"
#include <errno.h>
#include <sys/random.h>

bool random_bytes(void *to, size_t size)
{
    uint8_t *at = to;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
