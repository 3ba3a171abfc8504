/* disk_open: see disk_open.h. */
#include "tests/sim/disk_open.h"
#include "base/array.h"

#include <stdlib.h>

/* Operations have no context of their own, and a run has one disk. */
static struct disk_open *the_open;

static void add(void ***list, size_t *count, size_t *capacity, void *one)
{
    if (!array_room(list, capacity, *count + 1))
        abort();
    (*list)[(*count)++] = one;
}

static void take_out(void **list, size_t *count, const void *one)
{
    size_t i = *count;
    while (i && list[i - 1] != one)
        i--;
    if (i)
        array_remove(list, count, i - 1);
}

static int begin(struct store *s, bool write, struct store_txn **ret)
{
    struct disk_open *o = the_open;
    int err = o->own->begin(s, write, ret);
    if (!err)
        add(&o->txns, &o->txns_count, &o->txns_capacity, *ret);
    return err;
}

static void abort_it(struct store_txn *txn)
{
    disk_open_ended(the_open, txn);
    the_open->own->abort(txn);
}

static int cursor_open(struct store_txn *txn, enum store_table table, struct store_cursor **ret)
{
    struct disk_open *o = the_open;
    int err = o->own->cursor_open(txn, table, ret);
    if (!err)
        add(&o->cursors, &o->cursors_count, &o->cursors_capacity, *ret);
    return err;
}

static void cursor_close(struct store_cursor *c)
{
    take_out(the_open->cursors, &the_open->cursors_count, c);
    the_open->own->cursor_close(c);
}

void disk_open_track(struct disk_open *o, const struct store_ops *own, struct store_ops *ops)
{
    the_open = o;
    o->own = own;
    ops->begin = begin;
    ops->abort = abort_it;
    ops->cursor_open = cursor_open;
    ops->cursor_close = cursor_close;
}

void disk_open_ended(struct disk_open *o, const struct store_txn *txn)
{
    take_out(o->txns, &o->txns_count, txn);
}

void disk_open_forget(struct disk_open *o)
{
    while (o->cursors_count)
        o->own->cursor_close(o->cursors[--o->cursors_count]);
    while (o->txns_count)
        o->own->abort(o->txns[--o->txns_count]);
}

void disk_open_done(struct disk_open *o)
{
    free(o->txns);
    free(o->cursors);
}
