/* handout_assign: the assign command; see handing.h. */
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

int apply_assign(struct ledger *l, const struct assign_command *c)
{
    struct handing h = {.g = catalog_live_group(l, c->group), .c = c};
    int err = 0;
    if (h.g && !h.g->r.paused) {
        h.until = h.g->topic->r.head;
        if (h.g->keys)
            err = hand_ordered(l, &h);
        if (!err && h.g->keys && c->lane == LANE_NORMAL && group_is_fair(h.g))
            err = hand_fairly(l, &h);
        if (!err)
            err = hand_lane(l, &h);
        if (!err && c->lane == LANE_NORMAL)
            err = hand_first_time(l, &h);
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
