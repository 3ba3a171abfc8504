/* account: room that was wanted and came, in the inbox and for what waits to be sent. */
#include "broker/flow/account.h"

/* One connection may have so much of the inbox's room, and of what then is left. */
#define INBOX_SHARES 16

bool flow_want_room(struct flow_totals *t, size_t all_max)
{
    atomic_store(&t->room_wanted, true);
    return flow_room_came(t, all_max); /* it may have come before the wish could be seen */
}

bool flow_room_came(struct flow_totals *t, size_t all_max)
{
    if (!atomic_load(&t->room_wanted) || (all_max && flow_unsent_sum(t) >= all_max))
        return false;
    return atomic_exchange(&t->room_wanted, false);
}

static bool inbox_is_full_for(const struct flow_totals *t, const struct flow_account *a)
{
    size_t all = atomic_load(&t->inbox_bytes), most = atomic_load(&t->inbox_bytes_max);
    size_t own = a ? atomic_load(&a->inbox_bytes) + atomic_load(&a->held_bytes) : 0;
    return all >= most || (own && own > (most - all) / INBOX_SHARES);
}

bool flow_inbox_must_wait(struct flow_totals *t, const struct flow_account *a)
{
    if (!inbox_is_full_for(t, a))
        return false;
    atomic_store(&t->inbox_room_wanted, true);
    return inbox_is_full_for(t, a); /* it may have been emptied before the wish could be seen */
}

bool flow_net_goes_on(struct flow_totals *t)
{
    bool inbox = !flow_inbox_is_full(t) && atomic_exchange(&t->inbox_room_wanted, false);
    return inbox || flow_unread_go_on(t);
}
