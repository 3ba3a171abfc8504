/* view_page: a page of a listing: where it begins, when it is full, how it ends. */
#ifndef SHUNT_CORE_VIEW_PAGE_H
#define SHUNT_CORE_VIEW_PAGE_H

#include "broker/core/state.h"
#include "broker/core/view.h"

/* Rows of a listing, an array of them. It ends behind as many as were asked for, and before it is too long for a frame or has cost more
 * than a look may; who asks goes on behind its last row. */
struct page {
    const struct ledger *l;
    struct mpack_buffer *to;
    size_t begin, array;
    uint64_t cost_max; /* of l->rows */
    uint32_t limit, count;
};

static inline struct page page_begin(const struct ledger *l, struct mpack_buffer *to, uint32_t limit)
{
    size_t begin = to->size;
    return (struct page){.l = l,
                         .to = to,
                         .begin = begin,
                         .array = mpack_write_array_open(to),
                         .cost_max = l->rows + LOOK_ROWS_MAX,
                         .limit = limit};
}

static inline bool page_is_full(const struct page *p)
{
    return p->count >= p->limit || p->to->size - p->begin > PAGE_BYTES_MAX || p->l->rows >= p->cost_max;
}

/* The end of the array, and whether there are more rows. fails: NO_MEMORY */
static inline int page_end(const struct page *p, bool more)
{
    mpack_patch_array(p->to, p->array, p->count);
    mpack_write_bool(p->to, more);
    return p->to->failed ? SHUNT_NO_MEMORY : 0;
}

/* The same where rows have numbers. `after`: of the last that was looked at, shown or not. */
static inline int page_end_behind(const struct page *p, bool more, uint64_t after)
{
    (void)page_end(p, more);
    mpack_write_uint(p->to, after);
    return p->to->failed ? SHUNT_NO_MEMORY : 0;
}

/* The next topic behind this name that may be looked at, or its dead letters may. NULL: there is none. */
struct topic *view_topic_after(const struct view *v, struct page *p, struct slice after, bool or_its_letters);

#endif
