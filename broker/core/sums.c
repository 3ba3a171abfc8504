/* sums: what STATS shows over all groups. They are kept, and only the groups that have changed since somebody
 * asked are looked at again: a request of a few bytes must not walk over all topics. */
#include "broker/core/breaker.h"
#include "broker/core/state.h"
#include "broker/core/view.h"

void sums_stale(struct ledger *l, struct group *g)
{
    if (g->stale)
        return;
    g->stale = true;
    g->stale_next = l->stale_groups;
    l->stale_groups = g;
}

uint64_t group_conservation_error(const struct group_counts *n)
{
    uint64_t sum = n->ready + n->in_flight + n->delayed + n->dead + n->acked + n->expired + n->discarded +
                   n->purged + n->moved_away;
    return sum > n->published ? sum - n->published : n->published - sum;
}

/* What a group adds. DLQs' own groups count only in the error. */
static struct sums part_of(const struct group *g)
{
    const struct group_counts *n = &g->r.counts;
    if (g->r.dropped)
        return (struct sums){0};
    if (g->origin)
        return (struct sums){.conservation_error = group_conservation_error(n)};
    return (struct sums){.groups = 1,
                         .conservation_error = group_conservation_error(n),
                         .published = n->published,
                         .ready = n->ready,
                         .in_flight = n->in_flight,
                         .delayed = n->delayed,
                         .dead = n->dead,
                         .unattended = n->unattended,
                         .acked = n->acked,
                         .deliveries = n->deliveries,
                         .breakers_open = g->breaker && g->breaker->r.state != BREAKER_CLOSED};
}

/* Unsigned: what is taken away and added again wraps back. */
static void replace(struct sums *sum, const struct sums *before, const struct sums *after)
{
    sum->groups += after->groups - before->groups;
    sum->conservation_error += after->conservation_error - before->conservation_error;
    sum->published += after->published - before->published;
    sum->ready += after->ready - before->ready;
    sum->in_flight += after->in_flight - before->in_flight;
    sum->delayed += after->delayed - before->delayed;
    sum->dead += after->dead - before->dead;
    sum->unattended += after->unattended - before->unattended;
    sum->acked += after->acked - before->acked;
    sum->deliveries += after->deliveries - before->deliveries;
    sum->breakers_open += after->breakers_open - before->breakers_open;
}

const struct sums *view_sums(struct ledger *l)
{
    for (; l->stale_groups; l->stale_groups = l->stale_groups->stale_next) {
        struct group *g = l->stale_groups;
        struct sums part = part_of(g);
        replace(&l->sums, &g->summed, &part);
        g->summed = part;
        g->stale = false;
        l->rows++;
    }
    return &l->sums;
}

void view_sums_seen(const struct view *v, struct seen_sums *ret)
{
    const struct sums nothing = {0};
    *ret = (struct seen_sums){0};
    for (size_t i = 0; i < v->ledger->topics_count; i++) {
        const struct topic *t = v->ledger->topics[i];
        struct slice name = slice_of(t->r.name);
        ledger_looked(v->ledger, 0);
        if (t->r.dropped || t->r.origin_group)
            continue;
        bool seen = view_sees(v, name, false), dead = view_sees(v, name, true);
        ret->topics += seen;
        for (size_t j = 0; (seen || dead) && j < t->groups_count; j++) {
            struct sums all = part_of(t->groups[j]);
            struct sums part = seen ? all : nothing;
            part.dead = dead ? all.dead : 0;
            part.unattended = dead ? all.unattended : 0;
            part.conservation_error = 0;
            replace(&ret->sums, &nothing, &part);
            ret->causes += dead ? t->groups[j]->causes_count : 0;
        }
    }
}

void sums_forget(struct ledger *l, struct group *g)
{
    static const struct sums nothing;
    struct group **at = &l->stale_groups;
    while (g->stale && *at != g)
        at = &(*at)->stale_next;
    if (g->stale)
        *at = g->stale_next;
    replace(&l->sums, &g->summed, &nothing);
}
