/* judge: the promises, message by message. Only what must be wrong is a problem: a question without an answer
 * may have had its effect or not.
 *
 * The order of one message's deliveries is (generation, deliveries), which the broker counts: that needs no
 * clock. Time is only used within one writer's events, or where the history has the broker's own times.
 */
#include "proto/words.h"
#include "tests/history/index.h"

/* This delivery can have been charged as a failure. */
static bool is_chargeable(const struct delivered *d)
{
    if (d->acked || d->released)
        return false;
    return d->maybe_charged || d->started;
}

/* Handed out and never received, as far as the deliveries' numbers tell; `before` NULL: the first. */
static uint64_t unseen_before(const struct delivered *d, const struct delivered *before)
{
    bool same = before && before->e->generation == d->e->generation;
    return d->e->deliveries - (same ? before->e->deliveries : 0) - 1;
}

/* Of those, how many a handler was at work on: the consumer had asked for `d` again, and the answer never
 * came. */
static uint64_t unseen_kept(const struct delivered *d, const struct delivered *next)
{
    uint64_t unseen = next->e->generation == d->e->generation ? unseen_before(next, d) : 0;
    return unseen < d->kept ? unseen : d->kept;
}

/* Of the deliveries before that at `count` of the generation, how many may have been charged, and how many
 * were. */
static void charges(const struct index *x, const struct delivered *first, size_t count, uint32_t generation,
                    uint64_t *ret_least, uint64_t *ret_most)
{
    bool spares = count && index_spares(x, first->e->topic, first->e->group);
    *ret_least = *ret_most = 0;
    for (size_t i = 0; i < count; i++) {
        if (first[i].e->generation != generation)
            continue;
        *ret_least += first[i].nacked && !spares;
        *ret_most += is_chargeable(&first[i]) + unseen_kept(&first[i], &first[i + 1]);
        if (x->unmarked_clients && first[i].e->deliveries)
            *ret_most += unseen_before(&first[i], i ? &first[i - 1] : NULL);
    }
}

/* Each against the one before it. */
static void judge_step(struct index *x, const struct delivered *a, const struct delivered *b)
{
    bool same = a->e->generation == b->e->generation;
    if (same && a->e->deliveries == b->e->deliveries)
        index_problem(x, b->e, "one count for two deliveries");
    if (b->e->token <= a->e->token)
        index_problem(x, b->e, "a later delivery has no later token");
    if (same && b->e->attempts < a->e->attempts)
        index_problem(x, b->e, "attempts went down");
    if (b->e->deliveries == 0)
        index_problem(x, b->e, "a delivery that was not counted");
}

/* What comes behind another one of its run may be taken back at any time: whether it was, the model says. */
static bool has_runs(const struct index *x, const struct history_event *delivery)
{
    for (size_t i = 0; i < x->counts[HISTORY_GROUP]; i++) {
        const struct history_event *g = x->sorted[HISTORY_GROUP][i];
        if (g->topic == delivery->topic && g->group == delivery->group)
            return g->ordered && g->runs;
    }
    return false;
}

/* When the later delivery came, nothing but the end of its lease can have ended this one. */
static bool is_kept_until(const struct index *x, const struct delivered *d, const struct history_event *later)
{
    int64_t seen_us = d->e->t_us > later->t_us ? d->e->t_us : later->t_us;
    if (!d->e->sent_us || !(later->sent_us || later->sent_by_us) || d->extended || has_runs(x, later))
        return false;
    return !(d->asked_end && d->asked_end_us <= later->t_us) &&
           !index_lost_between(x, d->e->client, d->e->sent_us, seen_us);
}

/* Each against all later ones. */
static void judge_after(struct index *x, const struct delivered *first, size_t count, size_t at)
{
    const struct delivered *d = &first[at];
    if (d->ends > 1)
        index_problem(x, d->e, "a token had effect twice");
    for (size_t i = at + 1; i < count; i++) {
        const struct history_event *later = first[i].e;
        if (d->acked)
            index_problem(x, later, "delivered after a confirmed ack");
        if (d->rejected && later->generation == d->e->generation && !index_is_dlq(x, later->topic))
            index_problem(x, later, "delivered after a confirmed reject");
        if (d->effective_us > later->t_us)
            index_problem(x, d->e, "a stale token had effect");
        if (!is_kept_until(x, d, later))
            continue;
        int64_t sent_by_us = later->sent_by_us ? later->sent_by_us : later->sent_us;
        if (sent_by_us < d->e->sent_us + d->e->lease_ms * 1000)
            index_problem(x, later, "held by two at once");
        x->verdict->passed += i == at + 1 && later->client != d->e->client;
    }
    x->verdict->late += at + 1 < count && d->refused_us > first[at + 1].e->t_us;
}

static void judge_counts(struct index *x, const struct delivered *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t least, most;
        const struct history_event *e = first[i].e;
        charges(x, first, i, e->generation, &least, &most);
        /* What lies between the last one seen and this one. */
        if (x->unmarked_clients && e->deliveries)
            most += unseen_before(&first[i], i ? &first[i - 1] : NULL);
        if (e->attempts < least)
            index_problem(x, e, "a confirmed nack was not counted");
        if (e->attempts > most)
            index_problem(x, e, "charged without a cause");
        if (e->generation && !index_is_dlq(x, e->topic) &&
            !index_has(x, HISTORY_REDRIVE, e->topic, e->group, 0))
            index_problem(x, e, "redriven by nobody");
    }
}

static void judge_body(struct index *x, const struct history_event *e)
{
    const struct asked *published = index_body(x, e->body);
    bool dlq = index_is_dlq(x, e->topic);
    bool moved =
        published && !dlq && published->ask->topic != e->topic && index_has(x, HISTORY_MOVE, e->topic, 0, 0);
    if (!published || (!dlq && !moved && published->ask->topic != e->topic)) {
        index_problem(x, e, "delivered what nobody published (phantom, or the body changed)");
        return;
    }
    const struct history_event *answer = published->answer;
    if (answer && answer->kind == HISTORY_REFUSED)
        index_problem(x, e, "delivered a message whose publish was refused");
    else if (answer && !dlq && !moved && answer->seq != e->seq)
        index_problem(x, e, "stored at two places, or the body changed");
}

/* Publishes without an answer have no place of their own: all their deliveries must agree on one. */
static void judge_places(struct index *x)
{
    for (size_t i = 1; i < x->publishes_count; i++) {
        const struct asked *a = &x->publishes[i - 1], *b = &x->publishes[i];
        if (x->bodies[i - 1].ask->body == x->bodies[i].ask->body)
            index_problem(x, x->bodies[i].ask, "the rig published a body twice");
        if (a->answer && b->answer && a->answer->kind == HISTORY_PUBLISHED &&
            b->answer->kind == HISTORY_PUBLISHED && a->ask->topic == b->ask->topic &&
            a->answer->seq == b->answer->seq)
            index_problem(x, b->answer, "two messages confirmed at one place");
    }
    for (size_t i = 1; i < x->deliveries_count; i++) {
        const struct history_event *a = x->deliveries[i - 1].e, *b = x->deliveries[i].e;
        if (a->topic == b->topic && a->group == b->group && a->seq == b->seq && a->body != b->body)
            index_problem(x, b, "the body changed between two deliveries");
    }
}

void judge_messages(struct index *x)
{
    judge_places(x);
    for (size_t i = 0, end; i < x->deliveries_count; i = end) {
        const struct delivered *first = &x->deliveries[i];
        size_t count;
        (void)index_deliveries(x, first->e->topic, first->e->group, first->e->seq, &count);
        end = i + count;
        for (size_t k = 0; k < count; k++) {
            judge_body(x, first[k].e);
            judge_after(x, first, count, k);
            if (k)
                judge_step(x, &first[k - 1], &first[k]);
        }
        judge_counts(x, first, count);
        x->verdict->redelivered += count - 1;
    }
}

void history_judge(struct history *h, struct history_verdict *ret)
{
    struct index x;
    *ret = (struct history_verdict){0};
    index_make(&x, h, ret);
    judge_messages(&x);
    judge_order(&x);
    judge_end(&x);
    ret->deliveries = x.deliveries_count;
    ret->dead = x.counts[HISTORY_DEAD];
    ret->lost = x.counts[HISTORY_LOST];
    ret->restarts = x.counts[HISTORY_RESTART];
    for (size_t i = 0; i < x.deliveries_count; i++)
        ret->acked += x.deliveries[i].acked;
    ret->confirmed = x.counts[HISTORY_PUBLISHED];
    index_done(&x);
}
