/* view_error: see view_error.h. */
#include "broker/core/view_error.h"

#include "base/check.h"
#include "proto/units.h"
#include <string.h>

static void add_bytes(struct view_error *e, const void *bytes, size_t size)
{
    check(size <= sizeof e->text - e->size);
    memcpy(e->text + e->size, bytes, size);
    e->size += size;
}

static void add(struct view_error *e, const char *words)
{
    add_bytes(e, words, strlen(words));
}

static void add_duration(struct view_error *e, int64_t ms)
{
    char text[32];
    add(e, units_format_duration(text, ms < 0 ? 0 : ms));
}

/* `worker-7 on host-a` */
static void add_holder(struct view_error *e, const struct history_record *h)
{
    if (h->client.size)
        add_bytes(e, h->client.data, h->client.size);
    else
        add(e, "a consumer without a name");
    if (h->host.size) {
        add(e, " on ");
        add_bytes(e, h->host.data, h->host.size);
    }
}

static void add_time_held(struct view_error *e, const struct history_record *h)
{
    add_duration(e, h->ended_ms - h->leased_ms);
    add(e, " after the hand-out");
}

static void compose(struct view_error *e, const struct history_record *h, int64_t ttl_ms)
{
    switch (h->outcome) {
    case ATTEMPT_LEASE_EXPIRED:
        add(e, "the lease ran out at ");
        add_holder(e, h);
        add(e, ", ");
        add_time_held(e, h);
        break;
    case ATTEMPT_DISCONNECTED:
    case ATTEMPT_SUSPECTED:
        add(e, "the connection to ");
        add_holder(e, h);
        add(e, " was lost ");
        add_time_held(e, h);
        add(e, h->outcome == ATTEMPT_SUSPECTED ? ", while it ran this message and others"
                                               : ", while it ran this message");
        break;
    case ATTEMPT_TTL_EXPIRED:
        add(e, "the time to live of ");
        add_duration(e, ttl_ms);
        add(e, " ran out while the message waited for a consumer");
        break;
    case ATTEMPT_DEADLINE_EXCEEDED:
        if (h->leased_ms) {
            add(e, "its deadline left no time for it at ");
            add_holder(e, h);
            add(e, ", ");
            add_time_held(e, h);
        } else {
            add(e, "its deadline passed while the message waited for a consumer");
        }
        break;
    case ATTEMPT_NACKED:
    case ATTEMPT_REJECTED:
        add_holder(e, h);
        add(e, " gave no reason");
        break;
    case ATTEMPT_RELEASED:
    case ATTEMPT_RECALLED:
    case ATTEMPT_UNSTARTED:
    case ATTEMPT_BROKER_RESTART:
    case ATTEMPT_OUTAGE: /* it says what it was */
    case ATTEMPT_OUTCOMES:
        break;
    }
}

void view_error_of(const struct history_record *h, int64_t ttl_ms, struct view_error *ret)
{
    static const char *const outcomes[ATTEMPT_OUTCOMES] = ATTEMPT_OUTCOME_NAMES;
    ret->type = h->error_type;
    ret->message = h->error_message;
    ret->size = 0;
    if (!ret->type.size && !ret->message.size) {
        compose(ret, h, ttl_ms);
        ret->message = (struct slice){ret->text, ret->size};
    }
    if (!ret->type.size && ret->message.size)
        ret->type = slice_of(outcomes[h->outcome]);
}

void view_error_of_reason(enum dead_reason reason, struct view_error *ret)
{
    static const char *const reasons[DEAD_REASONS] = DEAD_REASON_NAMES;
    ret->type = slice_of(reasons[reason]);
    ret->message = (struct slice){0};
    if (reason == DEAD_CORRUPT) {
        ret->message =
            slice_of("what is stored of it does not match its checksum: the disk or the file was damaged");
    }
}
