/* share: what is left of a turn, and for whom. */
#include "broker/flow/share.h"

/* What a request counts that is more than a share, against one that is less. */
#define SHARE_OVERWEIGHT 3
/* A debt counts as at most this many shares. */
#define SHARE_DEBT_MAX 1024

void flow_turn_begin(struct share_turn *t)
{
    t->number++;
    t->rows = 0;
}

uint64_t flow_share_left(const struct share_turn *t, const struct share *s)
{
    uint64_t share = flow_share(t), used = flow_share_used(t, s);
    if (t->only_looks_wait)
        return UINT64_MAX;
    return flow_turn_is_full(t) || used > share ? 0 : share - used;
}

void flow_count_much(struct share_turn *t, struct share *s, uint64_t rows)
{
    uint64_t share = flow_share(t), used = s->rows + (rows > share ? rows * SHARE_OVERWEIGHT : rows);
    s->rows = used < share * SHARE_DEBT_MAX ? used : share * SHARE_DEBT_MAX;
}
