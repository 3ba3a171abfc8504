/* dispatcher_model: random commands, and after each the dispatcher is compared with the model. Every seed is
 * fixed. */
#include "tests/unit/core/dispatcher_model.h"

#include "proto/errors.h"
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

enum { STEPS = 50000 };

/* ---- coming and going ---- */

static int some_holder(struct model *o)
{
    int at = (int)model_roll(o, HOLDERS);
    return o->holders[at].holder ? at : -1;
}

static int some_member(struct model *o)
{
    int at = (int)model_roll(o, MEMBERS);
    return o->members[at].member ? at : -1;
}

static void connect_one(struct model *o)
{
    struct model_holder *h = &o->holders[model_roll(o, HOLDERS)];
    if (h->holder)
        return;
    *h = (struct model_holder){.marks = model_roll(o, 4) > 0};
    h->holder = dispatcher_connect(o->d, h->marks);
}

static void subscribe_one(struct model *o)
{
    int holder = some_holder(o);
    struct model_member *m = &o->members[model_roll(o, MEMBERS)];
    if (holder < 0 || m->member)
        return;
    *m = (struct model_member){.holder = holder,
                               .group = model_roll(o, GROUPS),
                               .messages = model_roll(o, 10),
                               .bytes = model_roll(o, 4) * 150,
                               .answered_ms = -1};
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
        model_expect_end(o, l, clean ? ATTEMPT_RELEASED : l->started_ms ? lost : ATTEMPT_UNSTARTED);
        model_forget(o, i);
    }
}

static void disconnect_one(struct model *o)
{
    int at = some_holder(o);
    bool clean = model_roll(o, 2);
    if (at < 0)
        return;
    expect_ends(o, at, -1, clean);
    dispatcher_disconnect(o->d, o->holders[at].holder, clean ? HOLDER_GOODBYE : HOLDER_LOST,
                          model_compare_end, o);
    model_ends_done(o);
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
    dispatcher_unsubscribe(o->d, o->members[at].member, model_compare_end, o);
    model_ends_done(o);
    member_forget(o, at);
}

static void note_closed(void *context, struct member *m)
{
    struct model *o = context;
    cr_assert_eq(member_owner(m), &o->members[model_member(o, m)]);
    member_forget(o, model_member(o, m));
    o->closed++;
}

static void group_gone(struct model *o)
{
    uint32_t group = model_roll(o, GROUPS);
    uint64_t members = dispatcher_members(o->d, group);
    for (int i = o->lease_count - 1; i >= 0; i--) {
        if (o->members[o->leases[i].member].group == group)
            model_forget(o, i);
    }
    o->closed = 0;
    dispatcher_group_gone(o->d, group, note_closed, o);
    cr_assert_eq(o->closed, members);
    for (int i = 0; i < SEQS; i++)
        o->where[group][i] = NOWHERE;
}

/* ---- leases ---- */

static void hear(struct model *o, int at)
{
    struct model_holder *h = &o->holders[at];
    h->silent = h->charged = false;
    h->heard_ms = o->now_ms;
    dispatcher_heard(o->d, h->holder, o->now_ms);
}

static void claim(struct model *o, int at)
{
    struct model_lease l = o->leases[at];
    struct model_member *m = &o->members[l.member];
    struct lease_times times;
    cr_assert_eq(dispatcher_claim(o->d, m->member, l.seq, l.token + 1, &times), SHUNT_STALE);
    cr_assert_eq(dispatcher_claim(o->d, m->member, l.seq, l.token, &times), 0);
    cr_assert_eq(times.leased_ms, l.leased_ms);
    cr_assert_eq(times.started_ms, l.started_ms);
    bool oldest = model_is_oldest(o, at);
    model_forget(o, at);
    if (oldest)
        m->answered_ms = o->holders[m->holder].heard_ms;
    o->where[m->group][l.seq] = NOWHERE;
}

static void touch_lease(struct model *o, uint32_t how)
{
    if (o->lease_count == 0)
        return;
    int at = (int)model_roll(o, (uint32_t)o->lease_count);
    struct model_lease *l = &o->leases[at];
    struct member *m = o->members[l->member].member;
    uint32_t group = o->members[l->member].group;
    if (model_roll(o, 4))
        hear(o, o->members[l->member].holder);
    if (how == 0) {
        l->started_ms = l->started_ms ? l->started_ms : 1 + o->now_ms;
        l->deadline_ms = o->now_ms + 100;
        l->turn = ++o->turn;
        cr_assert_eq(dispatcher_started(o->d, m, l->seq, l->token, o->now_ms, 1 + o->now_ms), 0);
    } else if (how == 1) {
        l->deadline_ms = o->now_ms + model_roll(o, 300);
        l->turn = ++o->turn;
        if (model_is_oldest(o, at))
            o->members[l->member].answered_ms = -1;
        cr_assert_eq(dispatcher_extend(o->d, m, l->seq, l->token, l->deadline_ms), 0);
        dispatcher_settle(o->d, 0);
    } else if (how == 2) {
        o->where[group][l->seq] = NOWHERE;
        dispatcher_revoke(o->d, group, l->seq);
        model_forget(o, at);
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

/* Without marks: it came into its consumer's hands by the answer to the one before it. */
static bool lasts_longer(struct model *o, int at)
{
    struct model_lease *l = &o->leases[at];
    const struct model_member *m = &o->members[l->member];
    if (o->holders[m->holder].marks || !model_is_oldest(o, at) || m->answered_ms < 0 ||
        m->answered_ms + 100 <= o->now_ms)
        return false;
    l->deadline_ms = m->answered_ms + 100;
    l->turn = ++o->turn;
    return true;
}

static void run_out(struct model *o, int at)
{
    const struct model_lease *l = &o->leases[at];
    struct model_holder *h = &o->holders[o->members[l->member].holder];
    bool started = h->marks ? l->started_ms != 0 : model_is_oldest(o, at) && !h->charged;
    model_expect_end(o, l, started ? ATTEMPT_LEASE_EXPIRED : ATTEMPT_UNSTARTED);
    model_forget(o, at);
    h->silent = true;
    h->charged |= started;
}

static void expire(struct model *o)
{
    size_t max = model_roll(o, 6), due = 0;
    o->now_ms += model_roll(o, 40);
    for (int at; due < max && (at = first_due(o)) >= 0 && o->leases[at].deadline_ms <= o->now_ms;) {
        if (lasts_longer(o, at))
            continue;
        run_out(o, at);
        due++;
    }
    cr_assert_eq(dispatcher_expire(o->d, o->now_ms, max, model_compare_end, o), due);
    model_ends_done(o);
}

static void publish(struct model *o)
{
    uint32_t group = model_roll(o, GROUPS), left = model_roll(o, 20);
    enum where to = model_roll(o, 8) == 0 ? SUSPECT : READY;
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
    o->members[at].messages = model_roll(o, 10);
    o->members[at].bytes = model_roll(o, 4) * 150;
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

/* Once everybody takes and answers, all that is ready anywhere must go to those that can take it: nothing is
 * forgotten. */
static void settle(struct model *o)
{
    for (int i = 0; i < HOLDERS; i++) {
        if (o->holders[i].holder) {
            o->holders[i].held_back = false;
            dispatcher_hold(o->d, o->holders[i].holder, false);
            hear(o, i);
        }
    }
    for (uint32_t g = 0; g < GROUPS; g++)
        set_paused(o, g, false);
    for (model_run(o); o->lease_count; model_run(o))
        claim(o, (int)model_roll(o, (uint32_t)o->lease_count));
    for (int i = 0; i < MEMBERS; i++) {
        const struct model_member *m = &o->members[i];
        if (!m->member || m->messages == 0)
            continue;
        cr_assert_eq(model_count(o, m->group, READY), 0, "messages of group %u were forgotten", m->group);
        cr_assert_eq(model_count(o, m->group, SUSPECT), 0, "suspects of group %u were forgotten", m->group);
    }
}

static void step(struct model *o)
{
    uint32_t what = model_roll(o, 1000);
    if (what < 80)
        publish(o);
    else if (what < 250)
        model_take(o);
    else if (what < 330)
        model_apply(o);
    else if (what < 450)
        model_run(o);
    else if (what < 760)
        touch_lease(o, model_roll(o, 12));
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
        set_hold(o, model_roll(o, 3) == 0);
    else if (what < 997)
        set_paused(o, model_roll(o, GROUPS), model_roll(o, 3) == 0);
    else
        settle(o);
}

static void compare(const struct model *o)
{
    int first = first_due(o);
    uint64_t silent = 0;
    for (int i = 0; i < HOLDERS; i++)
        silent += o->holders[i].holder && o->holders[i].silent;
    cr_assert_eq(dispatcher_silent_count(o->d), silent);
    cr_assert_eq(dispatcher_leases(o->d), (uint64_t)o->lease_count);
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
    o->d = dispatcher_new(model_ready, o);
    for (int i = 0; i < STEPS; i++) {
        step(o);
        compare(o);
    }
    cr_assert_gt(o->token, STEPS / 10, "too little happened");
    model_apply(o);
    dispatcher_free(o->d);
    free(o);
}
