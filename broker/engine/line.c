/* line: connections that have used their share wait for their turn, one behind the other, with all that they
 * sent after it; in the next turns they go on, before what is new. What a share is, is in
 * broker/flow/share.h.
 */
#include "broker/engine/line.h"
#include "broker/engine/held.h"
#include "broker/engine/intake.h"
#include "broker/engine/state.h"

/* What it sent, in order, until its share is used up, or the turn's, or its client has to read. */
static void go_on(struct engine *e, struct session *s)
{
    struct inbox_item *item = s->held, **tail = s->held_tail;
    s->held = NULL;
    s->held_tail = &s->held;
    flow_turn_came(&s->flow);
    while (item && !s->held && (intake_has_room(e) || !flow_may(&s->flow, FLOW_GO_ON))) {
        struct inbox_item *next = item->next;
        session_release(s, item);
        intake_take(e, item); /* what is left of it is held again */
        item = next;
    }
    if (!item)
        return;
    if (!s->held)
        flow_queue(&s->flow, &e->line);
    *s->held_tail = item;
    s->held_tail = tail;
}

void line_go_on(struct engine *e)
{
    struct ring *last = e->line.prev; /* who has had its share now stands behind this one */
    while (!ring_empty(&e->line) && !flow_turn_is_full(&e->turn) && intake_has_room(e)) {
        struct ring *first = e->line.next;
        go_on(e, ring_of(first, struct session, flow.line));
        if (first == last)
            return;
    }
}
