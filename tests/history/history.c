/* history: events in memory, and the names they use. */
#include "tests/history/history.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

static void need(bool room)
{
    if (!room) {
        (void)fputs("no memory for a history\n", stderr);
        exit(2);
    }
}

void history_done(struct history *h)
{
    for (size_t i = 0; i < h->names_count; i++)
        free(h->names[i]);
    free(h->names);
    free(h->events);
    *h = (struct history){0};
}

uint32_t history_find_name(const struct history *h, const char *name)
{
    for (size_t i = 0; i < h->names_count; i++) {
        if (!strcmp(h->names[i], name))
            return (uint32_t)i + 1;
    }
    return 0;
}

uint32_t history_name(struct history *h, const char *name)
{
    uint32_t found = history_find_name(h, name);
    if (found)
        return found;
    need(array_room(&h->names, &h->names_capacity, h->names_count + 1));
    char *copy = strdup(name);
    if (!copy)
        exit(2);
    h->names[h->names_count++] = copy;
    return (uint32_t)h->names_count;
}

const char *history_name_of(const struct history *h, uint32_t number)
{
    return number && number <= h->names_count ? h->names[number - 1] : "";
}

struct history_event *history_note(struct history *h, enum history_kind kind, int64_t t_us)
{
    need(array_room(&h->events, &h->capacity, h->count + 1));
    struct history_event *e = &h->events[h->count++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->t_us = t_us;
    return e;
}
