/* judge_end: what must be true at the end: nothing confirmed is lost, who died had a cause, and the counts
 * say what was seen. */
#include "base/search.h"
#include "proto/words.h"
#include "tests/history/index.h"

static int by_place(const void *element, const void *key)
{
    const struct history_event *e = *(const struct history_event *const *)element, *k = key;
    if (e->topic != k->topic)
        return e->topic < k->topic ? -1 : 1;
    if (e->group != k->group)
        return e->group < k->group ? -1 : 1;
    return (e->seq > k->seq) - (e->seq < k->seq);
}

static const struct history_event *find_dead(const struct index *x, uint32_t topic, uint32_t group,
                                             uint64_t seq)
{
    const struct history_event *const *all = x->sorted[HISTORY_DEAD],
                                      key = {.topic = topic, .group = group, .seq = seq};
    size_t count = x->counts[HISTORY_DEAD], at = search_first(all, count, sizeof(void *), &key, by_place);
    return at < count && by_place(&all[at], &key) == 0 ? all[at] : NULL;
}

/* A delivery to this group that says where a publish without an answer was stored. */
static uint64_t seq_of(const struct index *x, const struct asked *a)
{
    if (a->answer)
        return a->answer->kind == HISTORY_PUBLISHED ? a->answer->seq : 0;
    for (size_t i = 0; i < x->deliveries_count; i++) {
        if (x->deliveries[i].e->body == a->ask->body && x->deliveries[i].e->topic == a->ask->topic)
            return x->deliveries[i].e->seq;
    }
    return 0;
}

/* ---- lost ---- */

/* Some event explains that the message may be gone from the group without an ack. */
static bool may_be_gone(const struct index *x, const struct history_event *group, const struct asked *a,
                        uint64_t seq)
{
    return a->ask->ttl || index_has(x, HISTORY_REMOVE, group->topic, group->group, 0) ||
           index_has(x, HISTORY_SETTLE, group->topic, group->group, seq);
}

static void judge_message_end(struct index *x, const struct history_event *group, const struct asked *a,
                              uint64_t seq)
{
    size_t count;
    const struct delivered *d = index_deliveries(x, group->topic, group->group, seq, &count);
    const struct history_event *dead = find_dead(x, group->topic, group->group, seq);
    bool acked = false, maybe = false, rejected = false;
    for (size_t i = 0; i < count; i++) {
        acked |= d[i].acked;
        maybe |= d[i].maybe_acked;
        rejected = d[i].rejected;
    }
    if (acked && dead)
        index_problem(x, dead, "acked and dead");
    if (acked || maybe || dead || may_be_gone(x, group, a, seq))
        return;
    struct history_event at = *group;
    at.seq = seq;
    index_problem(x, &at, rejected ? "a rejected message is neither dead nor redriven" : "lost");
}

static void judge_lost(struct index *x)
{
    for (size_t g = 0; g < x->counts[HISTORY_GROUP]; g++) {
        const struct history_event *group = x->sorted[HISTORY_GROUP][g];
        for (size_t i = 0; i < x->publishes_count; i++) {
            const struct asked *a = &x->publishes[i];
            uint64_t seq = a->ask->topic == group->topic && a->ask > group ? seq_of(x, a) : 0;
            if (seq)
                judge_message_end(x, group, a, seq);
        }
    }
}

/* ---- dead ---- */

static bool may_have_been_charged(const struct index *x, const struct delivered *d)
{
    (void)x;
    return !d->acked && !d->released && (d->maybe_charged || d->started);
}

static void judge_dead(struct index *x, const struct history_event *e)
{
    size_t count;
    const struct delivered *d = index_deliveries(x, e->topic, e->group, e->seq, &count);
    uint64_t least = 0, most = 0, seen = 0, rejects = 0, kept = 0;
    uint32_t deliveries = 0;
    bool spares = index_spares(x, e->topic, e->group);
    for (size_t i = 0; i < count; i++) {
        if (d[i].e->generation > e->generation)
            index_problem(x, e, "a dead letter's generation went down");
        if (d[i].e->generation != e->generation)
            continue;
        seen++;
        least += (d[i].nacked && !spares) || d[i].rejected;
        most += may_have_been_charged(x, &d[i]);
        kept += d[i].kept;
        rejects += d[i].maybe_rejected;
        deliveries = d[i].e->deliveries > deliveries ? d[i].e->deliveries : deliveries;
    }
    uint64_t unseen = e->deliveries - (e->deliveries < seen ? e->deliveries : seen);
    most += x->unmarked_clients || unseen < kept ? unseen : kept;
    if (e->deliveries < deliveries || e->attempts < least)
        index_problem(x, e, "a dead letter's counts went down");
    if (e->attempts > most)
        index_problem(x, e, "dead without a cause: charged more often than it failed");
    const struct asked *a = index_at(x, e->topic, e->seq);
    const struct asked *by_body = e->body ? index_body(x, e->body) : a;
    a = a ? a : by_body;
    if (e->body && (!by_body || by_body != (a ? index_body(x, a->ask->body) : NULL)))
        index_problem(x, e, "a dead letter's body changed");
    bool caused = true;
    if (e->reason == DEAD_REJECTED)
        caused = rejects > 0;
    else if (e->reason == DEAD_MAX_ATTEMPTS)
        caused = e->attempts > 0;
    else if (e->reason == DEAD_TTL_EXPIRED || e->reason == DEAD_DEADLINE_EXCEEDED)
        caused = !a || a->ask->ttl;
    else if (e->reason == DEAD_CORRUPT)
        caused = index_has(x, HISTORY_DAMAGE, e->topic, 0, e->seq);
    if (!caused)
        index_problem(x, e, "dead without a cause");
}

static void judge_limit(struct index *x, const struct history_event *e)
{
    for (size_t i = 0; i < x->counts[HISTORY_GROUP]; i++) {
        const struct history_event *group = x->sorted[HISTORY_GROUP][i];
        if (group->topic == e->topic && group->group == e->group && e->reason == DEAD_MAX_ATTEMPTS &&
            e->attempts < group->max_attempts)
            index_problem(x, e, "dead before its last attempt");
    }
}

/* ---- counts ---- */

struct expected {
    uint64_t confirmed, unknown, acked, maybe_acked, dead, generations;
    bool loose; /* something took messages away that the history does not follow one by one */
};

static const struct history_event *find_group(const struct index *x, const struct history_event *counts)
{
    for (size_t i = 0; i < x->counts[HISTORY_GROUP]; i++) {
        const struct history_event *group = x->sorted[HISTORY_GROUP][i];
        if (group->topic == counts->topic && group->group == counts->group)
            return group;
    }
    return NULL;
}

static void expect_deliveries(const struct index *x, const struct history_event *group, struct expected *ret)
{
    char name[300];
    (void)snprintf(name, sizeof name, "dlq:%s:%s", history_name_of(x->h, group->topic),
                   history_name_of(x->h, group->group));
    uint32_t dlq = history_find_name(x->h, name);
    for (size_t i = 0; i < x->deliveries_count; i++) {
        const struct delivered *d = &x->deliveries[i];
        bool own = d->e->topic == group->topic && d->e->group == group->group;
        if (own || d->e->topic == dlq) { /* acking a dead letter acks the message */
            ret->acked += d->acked;
            ret->maybe_acked += d->maybe_acked;
        }
        if (!own)
            continue;
        bool last = i + 1 == x->deliveries_count || d[1].e->topic != d->e->topic ||
                    d[1].e->group != d->e->group || d[1].e->seq != d->e->seq;
        if (last && !find_dead(x, d->e->topic, d->e->group, d->e->seq))
            ret->generations += d->e->generation;
    }
}

static struct expected expect(const struct index *x, const struct history_event *group)
{
    struct expected n = {.loose = index_has(x, HISTORY_REMOVE, group->topic, group->group, 0) ||
                                  index_has(x, HISTORY_SETTLE, group->topic, group->group, 0) ||
                                  index_has(x, HISTORY_MOVE, group->topic, 0, 0)};
    for (size_t i = 0; i < x->publishes_count; i++) {
        const struct asked *a = &x->publishes[i];
        if (a->ask->topic != group->topic)
            continue;
        n.loose |= a->ask->ttl || a->ask < group;
        n.confirmed += a->answer && a->answer->kind == HISTORY_PUBLISHED;
        n.unknown += !a->answer;
    }
    expect_deliveries(x, group, &n);
    for (size_t i = 0; i < x->counts[HISTORY_DEAD]; i++) {
        const struct history_event *e = x->sorted[HISTORY_DEAD][i];
        if (e->topic == group->topic && e->group == group->group) {
            n.dead++;
            n.generations += e->generation;
        }
    }
    return n;
}

static void judge_group(struct index *x, const struct history_event *e)
{
    const uint64_t *n = e->counts;
    const struct history_event *group = find_group(x, e);
    uint64_t sum = n[COUNT_READY] + n[COUNT_IN_FLIGHT] + n[COUNT_DELAYED] + n[COUNT_DEAD] + n[COUNT_ACKED] +
                   n[COUNT_EXPIRED] + n[COUNT_DISCARDED] + n[COUNT_PURGED] + n[COUNT_MOVED];
    if (n[COUNT_PUBLISHED] != sum)
        index_problem(x, e, "published is not the sum of the states");
    if (n[COUNT_READY] + n[COUNT_IN_FLIGHT] + n[COUNT_DELAYED])
        index_problem(x, e, "not drained");
    if (!group)
        return;
    struct expected want = expect(x, group);
    if (n[COUNT_ACKED] < want.acked || n[COUNT_ACKED] > want.acked + want.maybe_acked)
        index_problem(x, e, "the count of acks is not that of the acks");
    if (n[COUNT_DEAD] != want.dead)
        index_problem(x, e, "the count of dead letters is not that of the dead letters");
    if (want.loose)
        return;
    if (n[COUNT_PUBLISHED] < want.confirmed || n[COUNT_PUBLISHED] > want.confirmed + want.unknown)
        index_problem(x, e, "published is not what was confirmed");
    if (n[COUNT_REDRIVEN] != want.generations)
        index_problem(x, e, "redrive does not conserve");
}

void judge_end(struct index *x)
{
    struct history_event whole = {0};
    if (x->counts[HISTORY_END] != 1) {
        index_problem(x, &whole, "the rig did not say that it came to an end");
        return;
    }
    if (x->sorted[HISTORY_END][0]->result != HISTORY_OK)
        index_problem(x, x->sorted[HISTORY_END][0], "the drain did not finish");
    for (size_t i = 0; i < x->counts[HISTORY_DEAD]; i++) {
        judge_dead(x, x->sorted[HISTORY_DEAD][i]);
        judge_limit(x, x->sorted[HISTORY_DEAD][i]);
    }
    judge_lost(x);
    for (size_t i = 0; i < x->counts[HISTORY_COUNTS]; i++)
        judge_group(x, x->sorted[HISTORY_COUNTS][i]);
}
