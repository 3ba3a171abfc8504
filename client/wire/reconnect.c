/* reconnect: waits between attempts to connect. */
#include "client/wire/reconnect.h"

void reconnect_init(struct reconnect *r, size_t hosts, int64_t min_ms, int64_t max_ms)
{
    *r = (struct reconnect){.backoff = {.min_ms = min_ms, .max_ms = max_ms}, .hosts = hosts};
}

void reconnect_choose(struct reconnect *r, struct random *random)
{
    if (r->hosts > 1)
        r->host = random_next(random) % r->hosts;
}

void reconnect_succeeded(struct reconnect *r, int64_t now_us)
{
    r->since_us = now_us;
    r->tried = 0;
}

int64_t reconnect_failed(struct reconnect *r, struct random *random, int64_t retry_after_ms, int64_t now_us)
{
    struct backoff soon = {.min_ms = r->backoff.min_ms, .max_ms = r->backoff.min_ms};
    bool lasted = r->since_us != 0 && now_us - r->since_us >= r->backoff.max_ms * 1000;
    if (lasted) /* a broker that greets and breaks, again and again, is not asked soon each time */
        backoff_reset(&r->backoff);
    r->since_us = 0;
    bool all_tried = ++r->tried % r->hosts == 0;
    r->host = (r->host + 1) % r->hosts;
    int64_t wait_us = backoff_next_us(all_tried ? &r->backoff : &soon, random);
    if (r->hosts > 1 || retry_after_ms == 0) /* another host has asked for nothing */
        return wait_us;
    int64_t asked_ms = retry_after_ms < r->backoff.max_ms ? retry_after_ms : r->backoff.max_ms;
    int64_t spread_us = backoff_spread_us(asked_ms, random);
    return asked_ms * 1000 + (wait_us > spread_us ? wait_us : spread_us);
}
