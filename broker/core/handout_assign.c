/* handout_assign: the assign command; see handing.h. */
#include "broker/core/breaker.h"
#include "broker/core/fair.h"
#include "broker/core/handing.h"

/* What the setting `order` asks for before anything is handed out. */
static int hand_ordered(struct ledger *l, struct handing *h)
{
    int err = order_dead_undone(h->g) ? order_dead_follow(l, h->g) : order_dead_undo(l, h->g);
    if (!err && !group_is_ordered(h->g))
        err = order_undo(l, h->g);
    if (!err && !group_is_fair(h->g) && h->g->r.fair.listed)
        err = hand_unfair(l, h);
    if (err || !h->g->keys)
        return err;
    return order_catch_up(l, h->g, &h->caught_up);
}

/* New messages come first if that is more telling (breaker.h). */
static int hand(struct ledger *l, struct handing *h, bool new_first)
{
    bool normal = h->c->lane == LANE_NORMAL;
    int err = h->g->keys ? hand_ordered(l, h) : 0;
    if (!err && h->g->keys) {
        h->mark = h->g->keys->count;
        h->run = group_is_fair(h->g) ? 1 : order_run_max(h->g);
    }
    if (!err && h->g->keys && normal && group_is_fair(h->g))
        err = hand_fairly(l, h);
    if (!err && normal && new_first) {
        /* In a full store what is new may have to wait for what is in the lane. */
        bool full = h->full;
        err = hand_first_time(l, h);
        if (ledger_is_full(l))
            h->full = full || h->damaged;
    }
    if (!err)
        err = hand_lane(l, h);
    if (!err && normal && !new_first)
        err = hand_first_time(l, h);
    return err;
}

/* As many as the breaker lets out, and it is told which. */
static int hand_watched(struct ledger *l, struct handing *h)
{
    const struct assign_command *asked = h->c;
    struct assign_command limited = *asked;
    uint32_t may = breaker_may(h->g);
    size_t from = l->results.count;
    if (may < limited.messages)
        limited.messages = may;
    h->c = &limited;
    int err = limited.messages ? hand(l, h, breaker_prefers_new(h->g)) : 0;
    h->c = asked;
    for (size_t i = from; i < l->results.count; i++) {
        const struct result *r = &l->results.items[i];
        if (r->kind == RESULT_HANDED_OUT)
            breaker_out(l, h->g, r->handed_out.seq);
        else if (r->kind == RESULT_DAMAGED)
            breaker_out(l, h->g, r->damaged.seq);
    }
    return err;
}

int apply_assign(struct ledger *l, const struct assign_command *c)
{
    struct handing h = {.g = catalog_live_group(l, c->group), .c = c};
    int err = 0;
    if (h.g && !h.g->r.paused) {
        h.until = h.g->topic->r.head;
        err = h.g->watched ? hand_watched(l, &h) : hand(l, &h, false);
        if (h.count)
            ledger_dirty_group(l, h.g);
        if (h.removed >= REMOVED_MAX || h.out_of_room)
            ledger_tell_ready(l, h.g);
    }
    result_add(l, RESULT_ASSIGNED)->assigned = h.count;
    l->results.round++; /* the group may be looked at anew */
    if (h.caught_up)    /* … and must be: it got nothing perhaps, and has as much ready as before */
        ledger_tell_ready(l, h.g);
    return err;
}
