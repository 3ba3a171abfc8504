/* window: the numbers of a group from the oldest first flight to the cursor, for which it keeps bits in
 * memory.
 *
 * One message that somebody holds for hours keeps `floor` where it is, while others are handed out and acked
 * beyond it. So that the window does not grow with them, the oldest first flights get rows of their own once
 * it is long: they are in flight as before, and `floor` moves on.
 */
#include "base/check.h"
#include "broker/core/state.h"

/* Some, even if few are handed out; and more than are, so that a window that was long becomes short. */
#define TRACKED_LEAST 64u
#define TRACKED_EACH  2u

static int track_oldest(struct ledger *l, struct group *g)
{
    struct attempt_record row;
    uint64_t seq = g->r.floor;
    int err = place_track(l, g, seq, WHERE_FLIGHT, &row);
    if (!err)
        err = place_leave(l, g, seq, WHERE_FLIGHT, NULL); /* which moves floor */
    return err ? err : place_hold(l, g, seq, &row);
}

int window_shorten(struct ledger *l, struct group *g, uint32_t messages)
{
    uint64_t most = TRACKED_LEAST + (uint64_t)TRACKED_EACH * messages;
    int err = 0;
    while (!err && most-- && g->r.next - g->r.floor >= WINDOW_MAX && ledger_has_room(l, COST_MOVE_BYTES))
        err = track_oldest(l, g);
    return err;
}
