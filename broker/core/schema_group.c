/* schema_group: the records of topics and of groups, which have settings and counts. */
#include "broker/core/schema_record.h"

#include <stddef.h>

static void policy_fields(struct codec *c, struct policy *p)
{
    codec_u32(c, &p->given);
    if (p->given >> POLICY_COUNT)
        c->failed = true;
    for (uint32_t left = p->given & (uint32_t)((1ull << POLICY_COUNT) - 1); left; left &= left - 1)
        codec_i64(c, &p->value[__builtin_ctz(left)]);
}

static void topic_fields(struct codec *c, struct topic_record *r)
{
    codec_u32(c, &r->id);
    codec_u32(c, &r->origin_group);
    codec_bool(c, &r->dropped);
    codec_u64(c, &r->head);
    codec_u64(c, &r->published);
    codec_u64(c, &r->stored);
    codec_u64(c, &r->stored_bytes);
    codec_i64(c, &r->created_ms);
    policy_fields(c, &r->policy);
    codec_text(c, r->name, sizeof r->name);
}

/* Those that stand in the record as they do in the struct: from `published` to `deliveries`. */
#define COUNTS_IN_ORDER 14
_Static_assert(offsetof(struct group_counts, published) == 0 &&
                   offsetof(struct group_counts, moved_away) == 9 * sizeof(uint64_t) &&
                   offsetof(struct group_counts, deliveries) == (COUNTS_IN_ORDER - 1) * sizeof(uint64_t),
               "counts are in the order of docs/storage.md");

/* The same for those from `unattended` to `slo_breaches`. */
#define COUNTS_UNATTENDED 3
_Static_assert(offsetof(struct group_counts, slo_breaches) - offsetof(struct group_counts, unattended) ==
                   (COUNTS_UNATTENDED - 1) * sizeof(uint64_t),
               "as above");

/* A rule has something to do with it, or had. */
static bool has_been_ruled(const struct group_record *r)
{
    bool any = r->ruled_waiting;
    for (unsigned i = 0; i < RULE_ACTIONS; i++)
        any |= r->counts.ruled[i] != 0;
    return any;
}

/* The end of the record: its length says what is there. `ruled_waiting` and `ruled`, and behind them `indexed` and `parked`, are each
 * left out where they say nothing. Those that came later stand behind both, which are there then whatever they say. */
#define RULED_BYTES (8 * (1 + RULE_ACTIONS))
#define ORDER_BYTES (8 * 2)

/* In the byte of `paused`: what other counts there are follows `outcomes`. */
#define GROUP_PAUSED 1u
#define GROUP_COUNTS 2u

/* Counts that came to be when the record was full: how many of them there are, and each with its number here, in order, unless it
 * is 0. Numbers are never used again. */
#define COUNT_DEADLINES 1u /* attempts that ended because a deadline had passed */
#define COUNT_LATE      2u /* dead letters of that reason */
#define COUNT_OUTAGES   3u /* failures that were not charged because the breaker was open */
#define COUNT_RECALLED  4u /* attempts that were recalled */

static bool has_more_counts(const struct group_counts *n)
{
    return (n->attempts[ATTEMPT_DEADLINE_EXCEEDED] | n->dead_lettered[DEAD_DEADLINE_EXCEEDED] |
            n->attempts[ATTEMPT_OUTAGE] | n->attempts[ATTEMPT_RECALLED]) != 0;
}

/* Whether there are others is said beside `paused`, in its byte. */
__attribute__((cold, noinline)) static bool paused_and_more(struct codec *c, struct group_record *r)
{
    unsigned paused = GROUP_COUNTS | (r->paused ? GROUP_PAUSED : 0u);
    codec_choice(c, &paused, 2 * GROUP_COUNTS);
    r->paused = paused & GROUP_PAUSED;
    return paused & GROUP_COUNTS;
}

static inline bool paused_field(struct codec *c, struct group_record *r)
{
    if (c->writing ? has_more_counts(&r->counts) : c->at != c->end && c->at[0] > GROUP_PAUSED)
        return paused_and_more(c, r);
    codec_bool(c, &r->paused);
    return false;
}

__attribute__((cold, noinline)) static void more_counts_fields(struct codec *c, struct group_counts *n)
{
    uint64_t *const all[] = {[COUNT_DEADLINES] = &n->attempts[ATTEMPT_DEADLINE_EXCEEDED],
                             [COUNT_LATE] = &n->dead_lettered[DEAD_DEADLINE_EXCEEDED],
                             [COUNT_OUTAGES] = &n->attempts[ATTEMPT_OUTAGE],
                             [COUNT_RECALLED] = &n->attempts[ATTEMPT_RECALLED]};
    const unsigned most = sizeof all / sizeof *all;
    unsigned count = 0, last = 0;
    for (unsigned i = 1; c->writing && i < most; i++)
        count += *all[i] != 0;
    codec_choice(c, &count, most);
    c->failed |= !count; /* is said by leaving it out */
    for (unsigned i = 0; !c->failed && i < count; i++) {
        unsigned which = last + 1;
        while (c->writing && !*all[which])
            which++;
        codec_choice(c, &which, most);
        if (c->failed || which <= last) {
            c->failed = true;
            return;
        }
        codec_u64(c, all[which]);
        c->failed |= !*all[which];
        last = which;
    }
}

/* Those that stand in the record since its first version. */
#define COUNTED_OUTCOMES (ATTEMPT_TTL_EXPIRED + 1)
#define COUNTED_REASONS  (DEAD_OPERATOR + 1)

/* Numbers that came later: as many as there are up to the last that is not 0. Another one comes behind these, and into has_later(). */
static bool has_later(const struct group_record *r)
{
    return (r->blocking | r->fair.keys) != 0; /* without them the others are 0, too */
}

__attribute__((cold, noinline)) static void later_fields(struct codec *c, struct group_record *r)
{
    uint64_t *const all[] = {&r->blocking,  &r->blocked,   &r->followed, &r->fair.listed,
                             &r->fair.keys, &r->fair.last, &r->fair.run, &r->fair.upto};
    size_t count = sizeof all / sizeof *all, left = (size_t)(c->end - c->at) / sizeof **all;
    while (c->writing && !*all[count - 1])
        count--;
    if (!c->writing && (!left || left > count)) {
        c->failed = true;
        return;
    }
    if (!c->writing)
        count = left;
    for (size_t i = 0; i < count; i++)
        codec_u64(c, all[i]);
    c->failed |= !*all[count - 1]; /* is said by leaving it out */
}

static void group_fields(struct codec *c, struct group_record *r)
{
    struct group_counts *n = &r->counts;
    codec_u32(c, &r->id);
    codec_u32(c, &r->topic);
    codec_u32(c, &r->dlq);
    codec_bool(c, &r->dropped);
    bool more = paused_field(c, r);
    codec_u64(c, &r->start);
    codec_u64(c, &r->next);
    codec_u64(c, &r->floor);
    codec_i64(c, &r->due_mark_ms);
    codec_i64(c, &r->created_ms);
    policy_fields(c, &r->policy);
    codec_u64s(c, (uint64_t *)n, COUNTS_IN_ORDER);
    codec_u64(c, &n->redriven);
    codec_u64s(c, n->attempts, COUNTED_OUTCOMES);
    codec_u64s(c, n->dead_lettered, COUNTED_REASONS);
    codec_text(c, r->name, sizeof r->name);
    r->dead_bytes_old = !c->writing && c->at == c->end;
    if (!r->dead_bytes_old)
        codec_u64(c, &r->dead_bytes);
    if (!c->writing && c->at == c->end) {
        r->causes_known = false;
        r->attended_below = 0;
    } else {
        codec_bool(c, &r->causes_known);
        codec_u64(c, &r->attended_below);
    }
    r->unattended_old = !c->writing && c->at == c->end;
    if (r->unattended_old) {
        n->unattended = n->expired_unattended = n->slo_breaches = 0;
        r->slo_below = 0;
    } else {
        codec_u64s(c, &n->unattended, COUNTS_UNATTENDED);
        codec_u64(c, &r->slo_below);
    }
    if (!c->writing) {
        r->past = 0;
        r->ruled_waiting = r->indexed = r->parked = 0;
        r->blocking = r->blocked = r->followed = 0;
        r->fair = (struct fair_record){0};
        memset(n->outcomes, 0, sizeof n->outcomes);
        memset(n->ruled, 0, sizeof n->ruled);
        n->attempts[ATTEMPT_DEADLINE_EXCEEDED] = n->dead_lettered[DEAD_DEADLINE_EXCEEDED] = 0;
        n->attempts[ATTEMPT_OUTAGE] = n->attempts[ATTEMPT_RECALLED] = 0;
    }
    if (c->writing || c->at < c->end)
        codec_u64(c, &r->past);
    if (c->writing || c->at < c->end)
        codec_u64s(c, n->outcomes + 1, REDRIVE_OUTCOMES - 1);
    if (more)
        more_counts_fields(c, n);
    bool later = c->writing ? has_later(r) : c->end - c->at > RULED_BYTES + ORDER_BYTES;
    if (later || (c->writing ? has_been_ruled(r) : c->end - c->at >= RULED_BYTES)) {
        codec_u64(c, &r->ruled_waiting);
        codec_u64s(c, n->ruled, RULE_ACTIONS);
        c->failed |= !later && !has_been_ruled(r); /* is said by leaving it out */
    }
    if (later || (c->writing ? r->indexed != 0 : c->at < c->end)) {
        codec_u64(c, &r->indexed);
        codec_u64(c, &r->parked);
        c->failed |= !later && !r->indexed; /* as above */
    }
    if (later)
        later_fields(c, r);
}

RECORD(topic, TABLE_TOPIC)
RECORD(group, TABLE_GROUP)
