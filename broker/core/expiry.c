/* expiry: leases whose time has passed.
 *
 * An answer that reached the server before the lease ended is in time, however long it lay in a queue or in a
 * socket that was not read. So a lease that fell due is set aside first, and ended only when all that its
 * connection had sent by then has been handled: the dispatcher names the connection (dispatcher_ask()), and
 * who knows the socket says when that is so (dispatcher_caught_up()). That is the end of a queue, so it is
 * bounded by what may lie there; but a client that makes its own queue stand still (it reads nothing) cannot
 * keep its leases for longer than LEASE_OVERDUE_MS_MAX.
 */
#include "base/check.h"
#include "broker/core/dispatcher_state.h"
#include "proto/limits.h"

bool dispatcher_is_settled(const struct dispatcher *d)
{
    return d->leases.unsettled.first == LEASE_NONE;
}

void dispatcher_settle(struct dispatcher *d, int64_t passed_ms)
{
    check(passed_ms >= 0);
    lease_table_settle(&d->leases, passed_ms);
}

/* Leases of it are over, and all that came in time was handled. */
static bool is_judged(const struct dispatcher *d, const struct holder *h)
{
    uint32_t first = h->overdue.first;
    return first != LEASE_NONE && lease_at(&d->leases, first)->deadline_ms <= h->caught_up_ms;
}

/* Put it where its overdue leases say: asked about, or ended. */
static void place(struct dispatcher *d, struct holder *h)
{
    ring_remove(&h->asking);
    if (h->overdue.first != LEASE_NONE)
        ring_append(is_judged(d, h) ? &d->to_end : &d->to_ask, &h->asking);
}

struct holder *dispatcher_ask(struct dispatcher *d, int64_t mono_ms)
{
    while (!ring_empty(&d->to_ask)) {
        struct holder *h = ring_of(d->to_ask.next, struct holder, asking);
        ring_remove(&h->asking);
        if (h->overdue.first == LEASE_NONE) /* answered meanwhile */
            continue;
        h->asked_ms = mono_ms;
        ring_append(&d->asked, &h->asking);
        return h;
    }
    return NULL;
}

void dispatcher_caught_up(struct dispatcher *d, struct holder *h, int64_t mono_ms)
{
    if (mono_ms > h->caught_up_ms || h->caught_up_ms == INT64_MAX)
        h->caught_up_ms = mono_ms;
    place(d, h);
}

/* Without marks: the lease that ran out may be that of the delivery which came into the consumer's hands with
 * its last answer. It lasts as long as a lease from then. */
static bool lasts_longer(struct dispatcher *d, uint32_t id, int64_t mono_ms)
{
    const struct lease *l = lease_at(&d->leases, id);
    const struct member *m = l->member;
    if (m->holder->marks || m->leases.first != id || m->answered_mono_ms < 0 ||
        m->answered_mono_ms + l->lease_ms <= mono_ms)
        return false;
    lease_table_set_deadline(&d->leases, id, m->answered_mono_ms + l->lease_ms, true, &m->holder->overdue);
    return true;
}

/* Whether a handler can have been at work on it. */
static bool was_started(const struct dispatcher *d, uint32_t id)
{
    const struct lease *l = lease_at(&d->leases, id);
    const struct member *m = l->member;
    if (m->holder->marks)
        return l->started_ms != 0;
    return m->leases.first == id && !m->holder->charged && l->deadline_ms > m->holder->charged_ms;
}

static void run_out(struct dispatcher *d, uint32_t id, dispatcher_end_fn *end, void *context)
{
    struct holder *h = lease_at(&d->leases, id)->member->holder;
    bool started = was_started(d, id);
    struct lease l;
    holder_fall_silent(d, h);
    h->charged |= started;
    if (started && h->caught_up_ms != INT64_MAX)
        h->charged_ms = h->caught_up_ms;
    lease_close(d, id, &l);
    struct lease_end e = {
        .group = l.group,
        .seq = l.seq,
        .token = l.token,
        .outcome = started ? ATTEMPT_LEASE_EXPIRED : ATTEMPT_UNSTARTED,
        .leased_ms = l.leased_ms,
        .started_ms = started ? l.started_ms : 0,
        .silent = h->heard_mono_ms < l.deadline_ms,
        .holder = h,
    };
    end(context, &e);
}

/* Those of the holder that are overdue and may be ended; returns how many were. It is silent while they are
 * judged, in however many steps, so that one of them is charged at most; but if something came from it since,
 * it has been heard. */
static size_t end_overdue(struct dispatcher *d, struct holder *h, int64_t mono_ms, size_t max,
                          dispatcher_end_fn *end, void *context)
{
    size_t count = 0;
    bool heard = false;
    uint32_t id;
    while (count < max && is_judged(d, h)) {
        id = h->overdue.first;
        if (lasts_longer(d, id, mono_ms))
            continue;
        heard = lease_at(&d->leases, id)->deadline_ms <= h->heard_mono_ms;
        run_out(d, id, end, context);
        count++;
    }
    place(d, h);
    if (heard && !is_judged(d, h))
        dispatcher_heard(d, h, h->heard_mono_ms);
    return count;
}

/* The first of the heap, which has passed. True if it was ended. */
static bool fall_due(struct dispatcher *d, uint32_t id, dispatcher_end_fn *end, void *context)
{
    struct holder *h = lease_at(&d->leases, id)->member->holder;
    if (h->overdue.first == LEASE_NONE && lease_at(&d->leases, id)->deadline_ms <= h->caught_up_ms) {
        run_out(d, id, end, context);
        return true;
    }
    lease_table_put_overdue(&d->leases, id, &h->overdue);
    if (!ring_linked(&h->asking))
        place(d, h);
    return false;
}

size_t dispatcher_expire(struct dispatcher *d, int64_t mono_ms, size_t max, dispatcher_end_fn *end,
                         void *context)
{
    size_t count = 0, moved = 0;
    uint32_t id;
    int64_t deadline;
    while (!ring_empty(&d->asked)) {
        struct holder *h = ring_of(d->asked.next, struct holder, asking);
        if (h->asked_ms > mono_ms - LEASE_OVERDUE_MS_MAX)
            break;
        dispatcher_caught_up(d, h, h->asked_ms);
    }
    while (count < max && !ring_empty(&d->to_end)) {
        struct holder *h = ring_of(d->to_end.next, struct holder, asking);
        count += end_overdue(d, h, mono_ms, max - count, end, context);
    }
    while (count < max && moved < max && deadline_heap_first(&d->leases.deadlines, &id, &deadline) &&
           deadline <= mono_ms) {
        if (lasts_longer(d, id, mono_ms))
            continue;
        count += fall_due(d, id, end, context);
        moved++;
    }
    return count;
}

int64_t dispatcher_deadline(const struct dispatcher *d)
{
    uint32_t id;
    int64_t deadline;
    if (!ring_empty(&d->to_end) || !ring_empty(&d->to_ask))
        return 0;
    if (!deadline_heap_first(&d->leases.deadlines, &id, &deadline))
        deadline = INT64_MAX;
    if (ring_empty(&d->asked))
        return deadline;
    int64_t over_ms = ring_of(d->asked.next, struct holder, asking)->asked_ms + LEASE_OVERDUE_MS_MAX;
    return over_ms < deadline ? over_ms : deadline;
}
