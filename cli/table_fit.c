/* table_fit: cutting takes from the widest column first, so that all that may be cut end up about equally wide. */
#include "cli/table_fit.h"

#include <string.h>

#include "base/check.h"
#include "cli/columns.h"
#include "cli/table.h"

#define CUT_COLUMNS_MIN 8 /* less of a text says nothing */

static void read_heading(struct table_column *c, const char *heading)
{
    for (; *heading && strchr(">~-", *heading); heading++) {
        c->right |= *heading == '>';
        c->cut |= *heading == '~';
        c->rank += *heading == '-';
    }
    c->heading = heading;
    c->width = strlen(heading);
}

static void measure(const struct table *t, struct table_column *columns)
{
    for (size_t i = 0; i < t->columns; i++)
        read_heading(&columns[i], t->headings[i]);
    for (size_t i = 0; i < t->count; i++) {
        struct table_column *c = &columns[i % t->columns];
        size_t wide = columns_of(t->cells[i], strlen(t->cells[i]));
        c->width = wide > c->width ? wide : c->width;
    }
}

/* By how many columns it is too wide. */
static size_t excess(const struct table *t, const struct table_column *columns, size_t most)
{
    size_t total = 0;
    for (size_t i = 0; i < t->columns; i++)
        total += columns[i].hidden ? 0 : columns[i].width + (total ? TABLE_GAP : 0);
    return total > most ? total - most : 0;
}

static size_t least(const struct table_column *c)
{
    size_t heading = strlen(c->heading);
    return heading > CUT_COLUMNS_MIN ? heading : CUT_COLUMNS_MIN;
}

/* Could it be as narrow as that, with all cut that may be? */
static bool can_be_cut(const struct table *t, const struct table_column *columns, size_t too_wide)
{
    size_t spare = 0;
    for (size_t i = 0; i < t->columns; i++) {
        const struct table_column *c = &columns[i];
        spare += !c->hidden && c->cut && c->width > least(c) ? c->width - least(c) : 0;
    }
    return spare >= too_wide;
}

/* One column off the widest that may be cut; it could be, so there is one. */
static void cut_one(const struct table *t, struct table_column *columns)
{
    struct table_column *widest = &columns[0];
    size_t most = 0;
    for (size_t i = 0; i < t->columns; i++) {
        struct table_column *c = &columns[i];
        if (!c->hidden && c->cut && c->width > least(c) && c->width > most) {
            widest = c;
            most = c->width;
        }
    }
    check(most > 0);
    widest->width--;
}

/* False: there is none more to leave out. */
static bool leave_out(const struct table *t, struct table_column *columns)
{
    struct table_column *chosen = NULL;
    for (size_t i = 0; i < t->columns; i++) {
        if (!columns[i].hidden && columns[i].rank && (!chosen || columns[i].rank >= chosen->rank))
            chosen = &columns[i];
    }
    if (chosen)
        chosen->hidden = true;
    return chosen;
}

bool table_fit(const struct table *t, size_t columns, struct table_column *ret)
{
    measure(t, ret);
    size_t too_wide = excess(t, ret, columns);
    while (!can_be_cut(t, ret, too_wide)) {
        if (!leave_out(t, ret)) {
            for (size_t i = 0; i < t->columns; i++)
                ret[i].hidden = false;
            return false;
        }
        too_wide = excess(t, ret, columns);
    }
    while (too_wide--)
        cut_one(t, ret);
    return true;
}
