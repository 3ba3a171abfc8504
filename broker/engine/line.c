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
    struct inbox_list came;
    inbox_list_init(&came);
    inbox_list_move(&s->held, &came);
    flow_turn_came(&s->flow);
    while (came.first && !s->held.first && (intake_has_room(e) || !flow_may(&s->flow, FLOW_GO_ON))) {
        struct inbox_item *item = inbox_list_take(&came);
        session_release(s, item);
        intake_take(e, item); /* what is left of it is held again */
    }
    if (came.first && !s->held.first)
        flow_queue(&s->flow, &e->line);
    inbox_list_move(&came, &s->held);
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
