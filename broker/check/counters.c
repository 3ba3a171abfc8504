/* counters: what topics and groups say of themselves, against what was counted. */
#include "broker/check/checker.h"

#include <inttypes.h>

static void compare(struct checker *c, const char *of, const char *what, uint64_t says, uint64_t counted)
{
    if (says != counted)
        problem(c, PROBLEM_COUNTER, "%s: %s is %" PRIu64 ", counted %" PRIu64, of, what, says, counted);
}

static void check_conservation(struct checker *c, const char *of, const struct group_counts *n)
{
    uint64_t became = n->ready + n->in_flight + n->delayed + n->dead + n->acked + n->expired + n->discarded +
                      n->purged + n->moved_away;
    if (n->published != became) {
        problem(c, PROBLEM_CONSERVATION,
                "%s: %" PRIu64 " messages were published, and %" PRIu64 " became something", of, n->published,
                became);
    }
}

static void check_group_causes(struct checker *c, const struct checked_group *g)
{
    for (size_t i = 0; i < g->cause_count; i++) {
        const struct checked_cause *cause = &g->causes[i];
        struct name name = group_name(g);
        char of[sizeof name.text + 32];
        (void)snprintf(of, sizeof of, "%s: cause %016" PRIx64, name.text, cause->fingerprint);
        if (cause->readable)
            compare(c, of, "dead", cause->dead, cause->counted);
        if (cause->readable && !g->unattended_old && cause->dead == cause->counted)
            compare(c, of, "unattended", cause->unattended, cause->unattended_counted);
        if (!cause->has_example)
            problem(c, PROBLEM_MISSING, "%s: its example", of);
    }
}

/* One that cannot be read may be muted. */
static bool all_causes_readable(const struct checked_group *g)
{
    bool all = true;
    for (size_t i = 0; i < g->cause_count; i++)
        all &= g->causes[i].readable;
    return all;
}

static void check_group(struct checker *c, const struct checked_group *g)
{
    const struct group_counts *n = &g->r.counts;
    const struct tally *y = &g->tally;
    struct name name = group_name(g);
    compare(c, name.text, "delayed", n->delayed, y->delayed);
    compare(c, name.text, "dead", n->dead, y->dead);
    compare(c, name.text, "suspects", n->suspects, y->suspects);
    compare(c, name.text, "indexed", g->r.indexed, y->indexed);
    compare(c, name.text, "parked", g->r.parked, y->parked);
    compare(c, name.text, "listed", g->r.fair.listed, y->listed);
    compare(c, name.text, "blocking", g->r.blocking, y->blocking);
    compare(c, name.text, "blocked", g->r.blocked, y->blocked);
    compare(c, name.text, "blocking, by key", g->r.blocking, y->blocked_by);
    compare(c, name.text, "tracked", n->tracked, y->tracked);
    compare(c, name.text, "expiries", n->expiries, y->expiries);
    compare(c, name.text, "past", g->r.past, y->past);
    if (n->dead == y->letters)
        compare(c, name.text, "ruled_waiting", g->r.ruled_waiting, y->ruled);
    if (n->dead == y->letters && !g->r.dead_bytes_old)
        compare(c, name.text, "dead_bytes", g->r.dead_bytes, y->dead_bytes);
    if (n->dead == y->letters && !g->r.unattended_old && !g->unattended_old && all_causes_readable(g))
        compare(c, name.text, "unattended", n->unattended, y->unattended);
    check_conservation(c, name.text, n);
    check_group_causes(c, g);
    if (g->blind || g->r.next < g->r.floor)
        return;
    /* What is in flight for the first time has no row of its own: it is what the bits leave open below
     * `next`. */
    uint64_t flights = g->r.next - g->r.floor - y->set_bits;
    if (flights > y->flights) {
        problem(c, PROBLEM_MISSING, "%s: %" PRIu64 " messages that are in flight are not stored", name.text,
                flights - y->flights);
    }
    compare(c, name.text, "ready", n->ready, y->fresh + y->ready);
    compare(c, name.text, "in_flight", n->in_flight, flights + y->held);
}

static void check_topic(struct checker *c, const struct checked_topic *t)
{
    compare(c, t->r.name, "stored", t->r.stored, t->rows);
    compare(c, t->r.name, "stored_bytes", t->r.stored_bytes, t->bytes);
}

void check_counters(struct checker *c)
{
    for (size_t i = 0; i < c->topic_count; i++) {
        const struct checked_topic *t = &c->topics[i];
        /* A DLQ's letters are cleared away without counting. */
        if (t->readable && !(t->r.dropped && t->r.origin_group))
            check_topic(c, t);
    }
    for (size_t i = 0; i < c->group_count; i++) {
        if (group_judged(&c->groups[i]))
            check_group(c, &c->groups[i]);
    }
}
