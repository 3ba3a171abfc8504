/* roster: see roster.h. */
#include "broker/engine/roster.h"
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"

#include <stdlib.h>

bool roster_add(struct roster *r, struct session *s, uint64_t *ret)
{
    if (!array_room(&r->entries, &r->capacity, r->count + 1))
        return false;
    *ret = ++r->last;
    r->entries[r->count++] = (struct roster_entry){*ret, s};
    return true;
}

static void close_gaps(struct roster *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->entries[i].session)
            r->entries[kept++] = r->entries[i];
    }
    r->count = kept;
    r->gaps = 0;
}

static int by_number(const void *element, const void *key)
{
    const struct roster_entry *entry = element;
    const uint64_t *number = key;
    return (entry->number > *number) - (entry->number < *number);
}

void roster_remove(struct roster *r, uint64_t number)
{
    size_t at = search_first(r->entries, r->count, sizeof *r->entries, &number, by_number);
    check(at < r->count && r->entries[at].number == number && r->entries[at].session);
    r->entries[at].session = NULL;
    if (++r->gaps > r->count / 2)
        close_gaps(r);
}

size_t roster_after(const struct roster *r, uint64_t number)
{
    uint64_t next = number + 1;
    return number == UINT64_MAX ? r->count
                                : search_first(r->entries, r->count, sizeof *r->entries, &next, by_number);
}

void roster_free(struct roster *r)
{
    free(r->entries);
    *r = (struct roster){0};
}
