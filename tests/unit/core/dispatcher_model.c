/* dispatcher_model: the ledger's side, and the judgement of assignments and ends. */
#include "tests/unit/core/dispatcher_model.h"

#include "proto/errors.h"
#include <criterion/criterion.h>
#include <string.h>

uint32_t model_roll(struct model *o, uint32_t sides)
{
    o->random = o->random * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(o->random >> 4) * sides >> 28);
}

static uint64_t size_of(uint32_t group, uint64_t seq)
{
    return seq % 7 == 0 ? 900 : 20 + (seq * 13 + group) % 50;
}

uint64_t model_count(const struct model *o, uint32_t group, enum where where)
{
    uint64_t count = 0;
    for (int i = 0; i < SEQS; i++)
        count += o->where[group][i] == where;
    return count;
}

void model_ready(void *context, uint32_t group, struct group_ready *ret)
{
    struct model *o = context;
    ret->lane[LANE_NORMAL] = model_count(o, group, READY);
    ret->lane[LANE_SUSPECT] = model_count(o, group, SUSPECT);
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

void model_forget(struct model *o, int at)
{
    if (model_is_oldest(o, at))
        o->members[o->leases[at].member].answered_ms = -1;
    memmove(&o->leases[at], &o->leases[at + 1], sizeof o->leases[0] * (size_t)(o->lease_count - at - 1));
    o->lease_count--;
}

bool model_is_oldest(const struct model *o, int at)
{
    for (int i = 0; i < at; i++) {
        if (o->leases[i].member == o->leases[at].member)
            return false;
    }
    return true;
}

void model_expect_end(struct model *o, const struct model_lease *l, enum attempt_outcome outcome)
{
    o->expected[o->expected_count++] = (struct lease_end){
        .group = o->members[l->member].group,
        .seq = l->seq,
        .token = l->token,
        .outcome = outcome,
        .leased_ms = l->leased_ms,
        .started_ms = outcome == ATTEMPT_UNSTARTED ? 0 : l->started_ms,
        .holder = o->holders[o->members[l->member].holder].holder,
    };
}

void model_compare_end(void *context, const struct lease_end *end)
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

void model_ends_done(struct model *o)
{
    cr_assert_eq(o->expected_at, o->expected_count, "an end is missing");
    o->expected_at = o->expected_count = 0;
}

int model_member(const struct model *o, const struct member *m)
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
    cr_assert_not(o->holders[m->holder].silent);
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
        cr_assert_gt(model_count(o, a->group, SUSPECT), 0);
    } else {
        cr_assert_leq(a->messages + reserved, model_count(o, a->group, READY));
    }
}

bool model_take(struct model *o)
{
    struct model_pending *p = &o->pending[o->pending_count];
    if (o->pending_count == PENDING || !dispatcher_next(o->d, &p->a))
        return false;
    p->member = model_member(o, p->a.member);
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
    dispatcher_settle(o->d, 0);
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

void model_apply(struct model *o)
{
    for (int i = 0; i < o->pending_count; i++) {
        struct model_pending p = o->pending[i];
        o->pending[i].member = -1;
        apply(o, &p);
    }
    o->pending_count = 0;
}

void model_run(struct model *o)
{
    model_apply(o);
    for (int turns = 0; model_take(o); turns++) {
        cr_assert_lt(turns, 10000, "assignments go on for ever");
        model_apply(o);
    }
}
