/* history: events in memory, and the names they use. */
#include "tests/history/history.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 256;
    items = realloc(items, *capacity * size);
    if (!items) {
        (void)fputs("no memory for a history\n", stderr);
        exit(2);
    }
    return items;
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
    for (size_t i = 0; i < h->names_count; i++)
        if (!strcmp(h->names[i], name))
            return (uint32_t)i + 1;
    return 0;
}

uint32_t history_name(struct history *h, const char *name)
{
    uint32_t found = history_find_name(h, name);
    if (found)
        return found;
    h->names = grow(h->names, h->names_count, &h->names_capacity, sizeof *h->names);
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
    h->events = grow(h->events, h->count, &h->capacity, sizeof *h->events);
    struct history_event *e = &h->events[h->count++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->t_us = t_us;
    return e;
}
