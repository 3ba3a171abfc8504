/* trail: see trail.h. */
#include "broker/http/trail.h"

#include "base/array.h"
#include "base/search.h"
#include <stdlib.h>

static size_t place_of(uint64_t point)
{
    return (size_t)(point % TRAIL_POINTS);
}

/* The first of those that are kept. */
static uint64_t oldest(const struct trail *t)
{
    return t->points > TRAIL_POINTS ? t->points - TRAIL_POINTS : 0;
}

static int order(const void *element, const void *key)
{
    const struct trail_group *a = *(struct trail_group *const *)element;
    const struct snapshot_group *b = key;
    int by = strcmp(a->topic, b->topic);
    return by ? by : strcmp(a->group, b->group);
}

/* NULL: there is no place, or no memory. */
static struct trail_group *group_of(struct trail *t, const struct snapshot_group *row)
{
    size_t at = search_first(t->groups, t->groups_count, sizeof *t->groups, row, order);
    if (at < t->groups_count && order(&t->groups[at], row) == 0)
        return t->groups[at];
    if (t->groups_count == TRAIL_GROUPS_MAX ||
        !array_room(&t->groups, &t->groups_capacity, t->groups_count + 1))
        return NULL;
    struct trail_group *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    memcpy(g->topic, row->topic, sizeof g->topic);
    memcpy(g->group, row->group, sizeof g->group);
    array_insert(t->groups, &t->groups_count, at);
    t->groups[at] = g;
    return g;
}

static uint32_t age_s(int64_t wall_ms, int64_t since_ms)
{
    int64_t age_ms = wall_ms - since_ms;
    if (age_ms < 1000)
        return 1; /* there is one */
    return age_ms / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(age_ms / 1000);
}

static bool is_over(const struct trail_group *g)
{
    for (size_t i = 0; i < TRAIL_POINTS; i++) {
        if (g->age_s[i])
            return false;
    }
    return true;
}

static void drop_those_over(struct trail *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->groups_count; i++) {
        if (is_over(t->groups[i]))
            free(t->groups[i]);
        else
            t->groups[kept++] = t->groups[i];
    }
    t->groups_count = kept;
}

void trail_note(struct trail *t, const struct snapshot *s, int64_t wall_ms)
{
    size_t place = place_of(t->points++);
    t->known[place] = s != NULL;
    t->wall_ms = wall_ms;
    t->left_out = 0;
    for (size_t i = 0; i < t->groups_count; i++)
        t->groups[i]->age_s[place] = 0;
    drop_those_over(t); /* so that others find a place */
    for (size_t i = 0; s && i < s->rows_count; i++) {
        if (!s->rows[i].oldest_unattended_ms)
            continue;
        struct trail_group *g = group_of(t, &s->rows[i]);
        if (g)
            g->age_s[place] = age_s(wall_ms, s->rows[i].oldest_unattended_ms);
        else
            t->left_out++;
    }
}

static void write_group(const struct trail *t, const struct trail_group *g, struct text *to)
{
    text_add(to, "{\"topic\":");
    text_add_json(to, g->topic);
    text_add(to, ",\"group\":");
    text_add_json(to, g->group);
    text_add(to, ",\"age_ms\":[");
    for (uint64_t point = oldest(t); point < t->points; point++) {
        size_t place = place_of(point);
        if (point > oldest(t))
            text_add(to, ",");
        if (t->known[place])
            text_add_u64(to, (uint64_t)g->age_s[place] * 1000);
        else
            text_add(to, "null");
    }
    text_add(to, "]}");
}

void trail_write(const struct trail *t, struct text *to)
{
    text_add(to, "{\"every_ms\":");
    text_add_u64(to, TRAIL_EVERY_MS);
    text_add(to, ",\"points\":");
    text_add_u64(to, t->points - oldest(t));
    text_add(to, ",\"until\":");
    if (t->points)
        text_add_u64(to, (uint64_t)t->wall_ms);
    else
        text_add(to, "null");
    text_add(to, ",\"left_out\":");
    text_add_u64(to, t->left_out);
    text_add(to, ",\"groups\":[");
    for (size_t i = 0; i < t->groups_count; i++) {
        if (i)
            text_add(to, ",");
        write_group(t, t->groups[i], to);
    }
    text_add(to, "]}\n");
}

void trail_done(struct trail *t)
{
    for (size_t i = 0; i < t->groups_count; i++)
        free(t->groups[i]);
    free(t->groups);
    *t = (struct trail){0};
}
