/* dispatcher_model: random commands, and after each the dispatcher is compared with plain arrays that are
 * searched from one end to the other. Every seed is fixed.
 */
#include "broker/core/dispatcher.h"

#include "proto/errors.h"
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

enum {
    GROUPS = 5,
    SEQS = 120,
    HOLDERS = 8,
    MEMBERS = 24,
    LEASES = GROUPS * SEQS,
    PENDING = 4,
    STEPS = 50000
};

enum where { NOWHERE, READY, SUSPECT, HELD };

struct model_holder {
    struct holder *holder; /* NULL: the slot is free */
    bool marks, held_back;
};

struct model_member {
    struct member *member;
    int holder;
    uint32_t group, messages;
    uint64_t bytes;
};

struct model_lease {
    int member;
    uint64_t seq, token;
    int64_t deadline_ms, leased_ms, started_ms;
    uint64_t turn; /* when the deadline was set */
    enum lane lane;
};

struct model_pending {
    struct assignment a;
    int member; /* -1: it is gone */
};

struct model {
    struct dispatcher *d;
    uint32_t random;
    int64_t now_ms;
    uint64_t turn, token;
    enum where where[GROUPS][SEQS];
    bool paused[GROUPS];
    struct model_holder holders[HOLDERS];
    struct model_member members[MEMBERS];
    struct model_lease leases[LEASES]; /* in order of delivery */
    int lease_count;
    struct model_pending pending[PENDING];
    int pending_count;
    /* What the next calls of `end` must say, in order. */
    struct lease_end expected[LEASES];
    int expected_count, expected_at;
    uint64_t closed;
};

static uint32_t roll(struct model *o, uint32_t sides)
{
    o->random = o->random * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(o->random >> 4) * sides >> 28);
}

static uint64_t size_of(uint32_t group, uint64_t seq)
{
    return seq % 7 == 0 ? 900 : 20 + (seq * 13 + group) % 50;
}

static uint64_t count_where(const struct model *o, uint32_t group, enum where where)
{
    uint64_t count = 0;
    for (int i = 0; i < SEQS; i++)
        count += o->where[group][i] == where;
    return count;
}

static void say_ready(void *context, uint32_t group, struct group_ready *ret)
{
    struct model *o = context;
    ret->normal = count_where(o, group, READY);
    ret->suspects = count_where(o, group, SUSPECT);
    ret->paused = o->paused[group];
}

static void held_by(const struct model *o, int member, uint64_t *ret_count, uint64_t *ret_bytes)
{
    *ret_count = *ret_bytes = 0;
    for (int i = 0; i < o->lease_count; i++) {
        if (o->leases[i].member == member) {
            *ret_count += 1;
            *ret_bytes += size_of(o->members[member].group, o->leases[i].seq);
        }
    }
}

static void lease_forget(struct model *o, int at)
{
    memmove(&o->leases[at], &o->leases[at + 1], sizeof o->leases[0] * (size_t)(o->lease_count - at - 1));
    o->lease_count--;
}

/* What a lease that ends so must be reported as. It is kept; the caller forgets it. */
static void expect_end(struct model *o, const struct model_lease *l, enum attempt_outcome outcome)
{
    o->expected[o->expected_count++] = (struct lease_end){
        .group = o->members[l->member].group,
        .seq = l->seq,
        .token = l->token,
        .outcome = outcome,
        .leased_ms = l->leased_ms,
        .started_ms = l->started_ms,
        .holder = o->holders[o->members[l->member].holder].holder,
    };
}

static void compare_end(void *context, const struct lease_end *end)
{
    struct model *o = context;
    cr_assert_lt(o->expected_at, o->expected_count, "an end too many");
    const struct lease_end *e = &o->expected[o->expected_at++];
    cr_assert_eq(end->group, e->group);
    cr_assert_eq(end->seq, e->seq);
    cr_assert_eq(end->token, e->token);
    cr_assert_eq(end->outcome, e->outcome);
    cr_assert_eq(end->leased_ms, e->leased_ms);
    cr_assert_eq(end->started_ms, e->started_ms);
    cr_assert_eq(end->holder, e->holder);
    o->where[end->group][end->seq] = end->outcome == ATTEMPT_SUSPECTED ? SUSPECT
                                     : end->outcome == ATTEMPT_RELEASED || end->outcome == ATTEMPT_UNSTARTED
                                         ? READY
                                         : NOWHERE;
    dispatcher_wake(o->d, end->group);
}

static void ends_done(struct model *o)
{
    cr_assert_eq(o->expected_at, o->expected_count, "an end is missing");
    o->expected_at = o->expected_count = 0;
}

/* ---- assignment ---- */

static int member_at(const struct model *o, const struct member *m)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (o->members[i].member == m)
            return i;
    }
    cr_assert_fail("an unknown member");
    return -1;
}

static void check_assignment(const struct model *o, const struct assignment *a, int member)
{
    const struct model_member *m = &o->members[member];
    uint64_t count, bytes, reserved = 0;
    held_by(o, member, &count, &bytes);
    cr_assert_eq(a->group, m->group);
    cr_assert_not(o->paused[a->group]);
    cr_assert_not(o->holders[m->holder].held_back);
    cr_assert_geq(a->messages, 1);
    cr_assert_leq(count + a->messages, m->messages);
    cr_assert(count == 0 || bytes < m->bytes);
    cr_assert_eq(a->bytes, m->bytes > bytes ? m->bytes - bytes : 0);
    cr_assert_eq(a->oversize_first, count == 0);
    for (int i = 0; i < o->pending_count; i++) {
        cr_assert_neq(o->pending[i].member, member);
        if (o->pending[i].member < 0)
            continue;
        if (o->pending[i].a.group == a->group && o->pending[i].a.lane == LANE_NORMAL)
            reserved += o->pending[i].a.messages;
        bool same = o->members[o->pending[i].member].holder == m->holder;
        cr_assert_not(same && (a->lane == LANE_SUSPECT || o->pending[i].a.lane == LANE_SUSPECT));
    }
    for (int i = 0; i < o->lease_count; i++) {
        bool same = o->members[o->leases[i].member].holder == m->holder;
        cr_assert_not(same && (a->lane == LANE_SUSPECT || o->leases[i].lane == LANE_SUSPECT));
    }
    if (a->lane == LANE_SUSPECT) {
        cr_assert_eq(a->messages, 1);
        cr_assert_gt(count_where(o, a->group, SUSPECT), 0);
    } else {
        cr_assert_leq(a->messages + reserved, count_where(o, a->group, READY));
    }
}

static bool take(struct model *o)
{
    struct model_pending *p = &o->pending[o->pending_count];
    if (o->pending_count == PENDING || !dispatcher_next(o->d, &p->a))
        return false;
    p->member = member_at(o, p->a.member);
    check_assignment(o, &p->a, p->member);
    o->pending_count++;
    return true;
}

static void hand_out(struct model *o, const struct model_pending *p, uint64_t seq)
{
    bool marks = o->holders[o->members[p->member].holder].marks;
    struct model_lease l = {
        .member = p->member,
        .seq = seq,
        .token = ++o->token,
        .deadline_ms = o->now_ms + 100,
        .leased_ms = 1 + o->now_ms,
        .started_ms = marks ? 0 : 1 + o->now_ms,
        .turn = ++o->turn,
        .lane = p->a.lane,
    };
    int err =
        dispatcher_lease(o->d, &p->a, seq, l.token, size_of(p->a.group, seq), 100, o->now_ms, l.leased_ms);
    cr_assert_eq(err, 0);
    o->leases[o->lease_count++] = l;
    o->where[p->a.group][seq] = HELD;
}

static void apply(struct model *o, const struct model_pending *p)
{
    uint32_t count = 0;
    uint64_t bytes = 0;
    enum where from = p->a.lane == LANE_SUSPECT ? SUSPECT : READY;
    if (p->member < 0) {
        cr_assert_eq(dispatcher_lease(o->d, &p->a, 0, 1, 1, 100, o->now_ms, 1), SHUNT_STALE);
        dispatcher_assigned(o->d, &p->a, 0);
        return;
    }
    for (uint64_t seq = 0; seq < SEQS && count < p->a.messages && !o->paused[p->a.group]; seq++) {
        if (o->where[p->a.group][seq] != from)
            continue;
        if (bytes + size_of(p->a.group, seq) > p->a.bytes && !(count == 0 && p->a.oversize_first))
            break;
        hand_out(o, p, seq);
        bytes += size_of(p->a.group, seq);
        count++;
    }
    dispatcher_assigned(o->d, &p->a, count);
}

static void apply_all(struct model *o)
{
    for (int i = 0; i < o->pending_count; i++) {
        struct model_pending p = o->pending[i];
        o->pending[i].member = -1;
        apply(o, &p);
    }
    o->pending_count = 0;
}

static void run(struct model *o)
{
    apply_all(o);
    for (int turns = 0; take(o); turns++) {
        cr_assert_lt(turns, 10000, "assignments go on for ever");
        apply_all(o);
    }
}

/* ---- coming and going ---- */

static int some_holder(struct model *o)
{
    int at = (int)roll(o, HOLDERS);
    return o->holders[at].holder ? at : -1;
}

static int some_member(struct model *o)
{
    int at = (int)roll(o, MEMBERS);
    return o->members[at].member ? at : -1;
}

static void connect_one(struct model *o)
{
    struct model_holder *h = &o->holders[roll(o, HOLDERS)];
    if (h->holder)
        return;
    *h = (struct model_holder){.marks = roll(o, 4) > 0};
    h->holder = dispatcher_connect(o->d, h->marks);
}

static void subscribe_one(struct model *o)
{
    int holder = some_holder(o);
    struct model_member *m = &o->members[roll(o, MEMBERS)];
    if (holder < 0 || m->member)
        return;
    *m = (struct model_member){
        .holder = holder, .group = roll(o, GROUPS), .messages = roll(o, 10), .bytes = roll(o, 4) * 150};
    m->member = dispatcher_subscribe(o->d, o->holders[holder].holder, m->group, m->messages, m->bytes);
    member_set_owner(m->member, m);
}

static void member_forget(struct model *o, int at)
{
    for (int i = 0; i < o->pending_count; i++) {
        if (o->pending[i].member == at)
            o->pending[i].member = -1;
    }
    o->members[at].member = NULL;
}

/* The holder's (at >= 0) leases, or those of one of its members, end. */
static void expect_ends(struct model *o, int holder, int member, bool clean)
{
    uint64_t started = 0;
    for (int i = 0; i < o->lease_count; i++) {
        const struct model_lease *l = &o->leases[i];
        started += o->members[l->member].holder == holder && l->started_ms;
    }
    for (int i = 0; i < o->lease_count;) {
        const struct model_lease *l = &o->leases[i];
        if (o->members[l->member].holder != holder || (member >= 0 && l->member != member)) {
            i++;
            continue;
        }
        enum attempt_outcome lost = started > 1 ? ATTEMPT_SUSPECTED : ATTEMPT_DISCONNECTED;
        expect_end(o, l, clean ? ATTEMPT_RELEASED : l->started_ms ? lost : ATTEMPT_UNSTARTED);
        lease_forget(o, i);
    }
}

static void disconnect_one(struct model *o)
{
    int at = some_holder(o);
    bool clean = roll(o, 2);
    if (at < 0)
        return;
    expect_ends(o, at, -1, clean);
    dispatcher_disconnect(o->d, o->holders[at].holder, clean, compare_end, o);
    ends_done(o);
    for (int i = 0; i < MEMBERS; i++) {
        if (o->members[i].member && o->members[i].holder == at)
            member_forget(o, i);
    }
    o->holders[at].holder = NULL;
}

static void unsubscribe_one(struct model *o)
{
    int at = some_member(o);
    if (at < 0)
        return;
    expect_ends(o, o->members[at].holder, at, true);
    dispatcher_unsubscribe(o->d, o->members[at].member, compare_end, o);
    ends_done(o);
    member_forget(o, at);
}

static void note_closed(void *context, struct member *m)
{
    struct model *o = context;
    cr_assert_eq(member_owner(m), &o->members[member_at(o, m)]);
    member_forget(o, member_at(o, m));
    o->closed++;
}

static void group_gone(struct model *o)
{
    uint32_t group = roll(o, GROUPS);
    uint64_t members = dispatcher_members(o->d, group);
    for (int i = o->lease_count - 1; i >= 0; i--) {
        if (o->members[o->leases[i].member].group == group)
            lease_forget(o, i);
    }
    o->closed = 0;
    dispatcher_group_gone(o->d, group, note_closed, o);
    cr_assert_eq(o->closed, members);
    for (int i = 0; i < SEQS; i++)
        o->where[group][i] = NOWHERE;
}

/* ---- leases ---- */

static void claim(struct model *o, int at)
{
    struct model_lease l = o->leases[at];
    struct model_member *m = &o->members[l.member];
    struct lease_times times;
    cr_assert_eq(dispatcher_claim(o->d, m->member, l.seq, l.token + 1, &times), SHUNT_STALE);
    cr_assert_eq(dispatcher_claim(o->d, m->member, l.seq, l.token, &times), 0);
    cr_assert_eq(times.leased_ms, l.leased_ms);
    cr_assert_eq(times.started_ms, l.started_ms);
    lease_forget(o, at);
    o->where[m->group][l.seq] = NOWHERE;
}

static void touch_lease(struct model *o, uint32_t how)
{
    if (o->lease_count == 0)
        return;
    int at = (int)roll(o, (uint32_t)o->lease_count);
    struct model_lease *l = &o->leases[at];
    struct member *m = o->members[l->member].member;
    uint32_t group = o->members[l->member].group;
    if (how == 0) {
        l->started_ms = l->started_ms ? l->started_ms : 1 + o->now_ms;
        l->deadline_ms = o->now_ms + 100;
        l->turn = ++o->turn;
        cr_assert_eq(dispatcher_started(o->d, m, l->seq, l->token, o->now_ms, 1 + o->now_ms), 0);
    } else if (how == 1) {
        l->deadline_ms = o->now_ms + roll(o, 300);
        l->turn = ++o->turn;
        cr_assert_eq(dispatcher_extend(o->d, m, l->seq, l->token, l->deadline_ms), 0);
    } else if (how == 2) {
        o->where[group][l->seq] = NOWHERE;
        dispatcher_revoke(o->d, group, l->seq);
        lease_forget(o, at);
    } else {
        claim(o, at);
    }
}

static int first_due(const struct model *o)
{
    int first = -1;
    for (int i = 0; i < o->lease_count; i++) {
        const struct model_lease *l = &o->leases[i], *best = first < 0 ? NULL : &o->leases[first];
        if (!best || l->deadline_ms < best->deadline_ms ||
            (l->deadline_ms == best->deadline_ms && l->turn < best->turn))
            first = i;
    }
    return first;
}

static void expire(struct model *o)
{
    size_t max = roll(o, 6), due = 0;
    o->now_ms += roll(o, 40);
    for (int at; due < max && (at = first_due(o)) >= 0 && o->leases[at].deadline_ms <= o->now_ms; due++) {
        expect_end(o, &o->leases[at], o->leases[at].started_ms ? ATTEMPT_LEASE_EXPIRED : ATTEMPT_UNSTARTED);
        lease_forget(o, at);
    }
    cr_assert_eq(dispatcher_expire(o->d, o->now_ms, max, compare_end, o), due);
    ends_done(o);
}

static void publish(struct model *o)
{
    uint32_t group = roll(o, GROUPS), left = roll(o, 20);
    enum where to = roll(o, 8) == 0 ? SUSPECT : READY;
    for (int i = 0; i < SEQS && left; i++) {
        if (o->where[group][i] == NOWHERE) {
            o->where[group][i] = to;
            left--;
        }
    }
    dispatcher_wake(o->d, group);
}

static void set_credit(struct model *o)
{
    int at = some_member(o);
    if (at < 0)
        return;
    o->members[at].messages = roll(o, 10);
    o->members[at].bytes = roll(o, 4) * 150;
    dispatcher_credit(o->d, o->members[at].member, o->members[at].messages, o->members[at].bytes);
}

static void set_hold(struct model *o, bool held_back)
{
    int at = some_holder(o);
    if (at < 0)
        return;
    o->holders[at].held_back = held_back;
    dispatcher_hold(o->d, o->holders[at].holder, held_back);
}

static void set_paused(struct model *o, uint32_t group, bool paused)
{
    o->paused[group] = paused;
    dispatcher_wake(o->d, group);
}

/* Once everybody takes and answers, all that is ready anywhere must go to whoever can take it: nothing is
 * forgotten. */
static void settle(struct model *o)
{
    for (int i = 0; i < HOLDERS; i++) {
        if (o->holders[i].holder) {
            o->holders[i].held_back = false;
            dispatcher_hold(o->d, o->holders[i].holder, false);
        }
    }
    for (uint32_t g = 0; g < GROUPS; g++)
        set_paused(o, g, false);
    for (run(o); o->lease_count; run(o))
        claim(o, (int)roll(o, (uint32_t)o->lease_count));
    for (int i = 0; i < MEMBERS; i++) {
        const struct model_member *m = &o->members[i];
        if (!m->member || m->messages == 0)
            continue;
        cr_assert_eq(count_where(o, m->group, READY), 0, "messages of group %u were forgotten", m->group);
        cr_assert_eq(count_where(o, m->group, SUSPECT), 0, "suspects of group %u were forgotten", m->group);
    }
}

static void step(struct model *o)
{
    uint32_t what = roll(o, 1000);
    if (what < 80)
        publish(o);
    else if (what < 250)
        take(o);
    else if (what < 330)
        apply_all(o);
    else if (what < 450)
        run(o);
    else if (what < 760)
        touch_lease(o, roll(o, 12));
    else if (what < 810)
        expire(o);
    else if (what < 840)
        connect_one(o);
    else if (what < 900)
        subscribe_one(o);
    else if (what < 910)
        unsubscribe_one(o);
    else if (what < 925)
        disconnect_one(o);
    else if (what < 927)
        group_gone(o);
    else if (what < 955)
        set_credit(o);
    else if (what < 985)
        set_hold(o, roll(o, 3) == 0);
    else if (what < 997)
        set_paused(o, roll(o, GROUPS), roll(o, 3) == 0);
    else
        settle(o);
}

static void compare(const struct model *o)
{
    int first = first_due(o);
    cr_assert_eq(dispatcher_leases(o->d), o->lease_count);
    cr_assert_eq(dispatcher_deadline(o->d), first < 0 ? INT64_MAX : o->leases[first].deadline_ms);
    for (uint32_t g = 0; g < GROUPS; g++) {
        uint64_t members = 0;
        for (int i = 0; i < MEMBERS; i++)
            members += o->members[i].member && o->members[i].group == g;
        cr_assert_eq(dispatcher_members(o->d, g), members);
    }
    dispatcher_check_slow(o->d);
}

ParameterizedTestParameters(dispatcher_model, agrees_with_plain_arrays_over_random_steps)
{
    static uint32_t seeds[] = {1, 2, 3, 2026};
    return cr_make_param_array(uint32_t, seeds, sizeof seeds / sizeof seeds[0]);
}

ParameterizedTest(uint32_t *seed, dispatcher_model, agrees_with_plain_arrays_over_random_steps)
{
    struct model *o = calloc(1, sizeof *o);
    o->random = *seed;
    o->d = dispatcher_new(say_ready, o);
    for (int i = 0; i < STEPS; i++) {
        step(o);
        compare(o);
    }
    cr_assert_gt(o->token, STEPS / 10, "too little happened");
    apply_all(o);
    dispatcher_free(o->d);
    free(o);
}
