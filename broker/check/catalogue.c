/* catalogue: topics, groups, jobs and producers: each readable, and each what the others say it is. */
#include "base/array.h"
#include "base/slice.h"
#include "broker/check/checker.h"
#include "broker/core/schema_breaker.h"

#include "broker/store/store_version.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

static int meta_row(struct checker *c, struct slice key, struct slice value)
{
    if (slice_is(key, META_KEY_LEDGER)) {
        c->meta_there = true;
        c->meta_readable = meta_decode(key, value, &c->meta) == 0;
        if (!c->meta_readable)
            problem(c, PROBLEM_CHECKSUM, "meta: the ledger's own record");
    } else if (!slice_is(key, STORE_VERSION_KEY) && !slice_is(key, STORE_JOURNAL_KEY)) {
        problem(c, PROBLEM_ORPHAN, "meta: a row with an unknown key of %zu bytes", key.size);
    }
    return 0;
}

static int topic_row(struct checker *c, struct slice key, struct slice value)
{
    uint32_t id;
    if (!key_read_id(key, &id)) {
        problem(c, PROBLEM_ORPHAN, "topic: a row with a key of %zu bytes", key.size);
        return 0;
    }
    if (!array_room(&c->topics, &c->topic_room, c->topic_count + 1))
        return SHUNT_NO_MEMORY;
    struct checked_topic *t = &c->topics[c->topic_count++];
    *t = (struct checked_topic){0};
    t->readable = topic_decode(key, value, &t->r) == 0;
    if (!t->readable)
        problem(c, PROBLEM_CHECKSUM, "topic %" PRIu32, id);
    else if (t->r.id != id)
        problem(c, PROBLEM_CATALOGUE, "topic %" PRIu32 ": its row says %" PRIu32, id, t->r.id);
    else if (c->meta_readable && id >= c->meta.topic_next)
        problem(c, PROBLEM_CATALOGUE, "%s: its id %" PRIu32 " was never given", t->r.name, id);
    t->r.id = id;
    return 0;
}

static int group_row(struct checker *c, struct slice key, struct slice value)
{
    uint32_t id;
    if (!key_read_id(key, &id)) {
        problem(c, PROBLEM_ORPHAN, "group: a row with a key of %zu bytes", key.size);
        return 0;
    }
    if (!array_room(&c->groups, &c->group_room, c->group_count + 1))
        return SHUNT_NO_MEMORY;
    struct checked_group *g = &c->groups[c->group_count++];
    *g = (struct checked_group){0};
    g->readable = group_decode(key, value, &g->r) == 0;
    if (!g->readable)
        problem(c, PROBLEM_CHECKSUM, "group %" PRIu32, id);
    else if (g->r.id != id)
        problem(c, PROBLEM_CATALOGUE, "group %" PRIu32 ": its row says %" PRIu32, id, g->r.id);
    else if (c->meta_readable && id >= c->meta.group_next)
        problem(c, PROBLEM_CATALOGUE, "group %" PRIu32 " (%s): its id was never given", id, g->r.name);
    g->r.id = id;
    return 0;
}

static int job_row(struct checker *c, struct slice key, struct slice value)
{
    uint64_t id;
    if (!key_read_job(key, &id)) {
        problem(c, PROBLEM_ORPHAN, "job: a row with a key of %zu bytes", key.size);
        return 0;
    }
    struct job_record *r = calloc(1, sizeof *r);
    if (!r || !array_room(&c->drops, &c->drop_room, c->drop_count + 1)) {
        free(r);
        return SHUNT_NO_MEMORY;
    }
    if (job_decode(key, value, r) != 0)
        problem(c, PROBLEM_CHECKSUM, "job %" PRIu64, id);
    else if (r->id != id)
        problem(c, PROBLEM_CATALOGUE, "job %" PRIu64 ": its row says %" PRIu64, id, r->id);
    else if (c->meta_readable && id >= c->meta.job_next)
        problem(c, PROBLEM_CATALOGUE, "job %" PRIu64 ": its number was never given", id);
    else if (r->kind == JOB_DROP && !job_over(r))
        c->drops[c->drop_count++] = (struct checked_drop){r->topic, r->group};
    free(r);
    return 0;
}

/* A producer's own row, before those with its older answers. */
static void dedup_producer(struct checker *c, struct slice key, struct slice value)
{
    struct checked_producer *p = &c->producer;
    struct dedup_record r;
    memcpy(p->id, key.data, PRODUCER_ID_BYTES);
    p->there = true;
    p->readable = dedup_decode(key, value, &r) == 0;
    if (!p->readable) {
        problem(c, PROBLEM_CHECKSUM, "dedup: a producer");
        return;
    }
    p->base = r.base;
    p->newest = r.latest.answers[r.latest.count - 1].sequence;
    if (r.base > p->newest || p->newest - r.base >= DEDUP_FRAMES_MAX) {
        problem(c, PROBLEM_CATALOGUE, "dedup: a producer's answers up to %" PRIu64 " from %" PRIu64 " on",
                p->newest, r.base);
    }
}

static void dedup_answers(struct checker *c, struct slice key, struct slice value)
{
    const struct checked_producer *p = &c->producer;
    struct dedup_chunk_record r;
    struct slice producer;
    uint64_t chunk;
    if (!key_read_dedup(key, &producer, &chunk)) {
        problem(c, PROBLEM_ORPHAN, "dedup: a row with a key of %zu bytes", key.size);
        return;
    }
    if (dedup_chunk_decode(key, value, &r) != 0) {
        problem(c, PROBLEM_CHECKSUM, "dedup: answers to a producer, chunk %" PRIu64, chunk);
    } else if (r.answers[0].sequence / DEDUP_CHUNK_FRAMES != chunk) {
        problem(c, PROBLEM_CATALOGUE, "dedup: chunk %" PRIu64 " of a producer's answers has number %" PRIu64,
                chunk, r.answers[0].sequence);
    }
    if (!p->there || memcmp(p->id, producer.data, PRODUCER_ID_BYTES) != 0) {
        problem(c, PROBLEM_ORPHAN, "dedup: answers to a producer that is not there");
    } else if (p->readable &&
               (chunk < p->base / DEDUP_CHUNK_FRAMES || chunk >= p->newest / DEDUP_CHUNK_FRAMES)) {
        problem(c, PROBLEM_ORPHAN,
                "dedup: chunk %" PRIu64 " of a producer's answers, which are from %" PRIu64 " to %" PRIu64,
                chunk, p->base, p->newest);
    }
}

static int dedup_row(struct checker *c, struct slice key, struct slice value)
{
    if (key.size == PRODUCER_ID_BYTES)
        dedup_producer(c, key, value);
    else
        dedup_answers(c, key, value);
    return 0;
}

/* ---- how they fit ---- */

static bool has_job(const struct checker *c, const struct checked_topic *t, uint32_t group)
{
    for (size_t i = 0; i < c->drop_count; i++) {
        if (c->drops[i].topic == t->r.id && (c->drops[i].group == 0 || c->drops[i].group == group))
            return true;
    }
    return false;
}

/* True if a running job clears the group away. A DLQ and its groups go with the group that it is of; one of
 * them may also go alone. */
static bool being_cleared(const struct checker *c, const struct checked_topic *t, uint32_t group)
{
    if (!t->r.origin_group)
        return has_job(c, t, group);
    const struct checked_group *origin = group_of(c, t->r.origin_group);
    return (group && has_job(c, t, group)) ||
           (origin && origin->topic && has_job(c, origin->topic, origin->r.id));
}

static void fit_group(struct checker *c, struct checked_group *g)
{
    struct name name = group_name(g);
    if (!g->topic) {
        problem(c, PROBLEM_CATALOGUE, "%s: topic %" PRIu32 " is not there", name.text, g->r.topic);
        return;
    }
    if (!g->topic->readable)
        return;
    g->topic->clearing |= g->r.dropped;
    if (g->topic->r.dropped && !g->r.dropped)
        problem(c, PROBLEM_CATALOGUE, "%s: its topic was dropped and it was not", name.text);
    if (g->r.dropped && !being_cleared(c, g->topic, g->r.id))
        problem(c, PROBLEM_CATALOGUE, "%s: dropped, and no job clears it away", name.text);
    if (group_reads_dlq(g) && g->r.dlq)
        problem(c, PROBLEM_CATALOGUE, "%s: a group of a DLQ has a DLQ", name.text);
    if (!group_reads_dlq(g) && !g->r.dropped) {
        if (!g->dlq) {
            problem(c, PROBLEM_CATALOGUE, "%s: its DLQ is not there", name.text);
        } else if (g->dlq->readable && g->dlq->r.origin_group != g->r.id) {
            problem(c, PROBLEM_CATALOGUE, "%s: its DLQ is of group %" PRIu32, name.text,
                    g->dlq->r.origin_group);
        }
    }
    if (!(g->r.start <= g->r.floor && g->r.floor <= g->r.next && g->r.next <= g->topic->r.head)) {
        problem(c, PROBLEM_STATE,
                "%s: start %" PRIu64 ", floor %" PRIu64 ", next %" PRIu64 " and the topic's head %" PRIu64
                " are not in order",
                name.text, g->r.start, g->r.floor, g->r.next, g->topic->r.head);
    }
}

static void fit_topic(struct checker *c, const struct checked_topic *t)
{
    const struct checked_group *origin = group_of(c, t->r.origin_group);
    size_t live = 0;
    for (size_t i = 0; i < t->count; i++)
        live += !c->by_topic[t->first + i]->r.dropped;
    if (t->r.origin_group && !origin)
        problem(c, PROBLEM_CATALOGUE, "%s: the group that it is of is not there", t->r.name);
    if (!t->r.dropped && live == 0 && c->all_readable)
        problem(c, PROBLEM_CATALOGUE, "%s: it has no group", t->r.name);
    if (t->r.dropped && (!t->r.origin_group || origin) && !being_cleared(c, t, 0))
        problem(c, PROBLEM_CATALOGUE, "%s: dropped, and no job clears it away", t->r.name);
    if (!t->r.dropped && t->r.published + 1 != t->r.head) {
        problem(c, PROBLEM_COUNTER, "%s: published is %" PRIu64 ", its head says %" PRIu64, t->r.name,
                t->r.published, t->r.head - 1);
    }
}

static int compare_place(const void *a, const void *b)
{
    const struct checked_group *x = *(struct checked_group *const *)a, *y = *(struct checked_group *const *)b;
    int order = (x->r.topic > y->r.topic) - (x->r.topic < y->r.topic);
    return order ? order : (x->r.id > y->r.id) - (x->r.id < y->r.id);
}

static int link_groups(struct checker *c)
{
    size_t count = 0;
    c->by_topic = calloc(c->group_count + 1, sizeof(struct checked_group *));
    if (!c->by_topic)
        return SHUNT_NO_MEMORY;
    for (size_t i = 0; i < c->group_count; i++) {
        struct checked_group *g = &c->groups[i];
        if (!g->readable)
            continue;
        c->by_topic[count++] = g;
        g->topic = topic_of(c, g->r.topic);
        g->dlq = g->r.dlq ? topic_of(c, g->r.dlq) : NULL;
    }
    qsort(c->by_topic, count, sizeof(struct checked_group *), compare_place);
    for (size_t i = count; i-- > 0;) {
        struct checked_topic *t = c->by_topic[i]->topic;
        if (t) {
            t->first = i;
            t->count++;
        }
    }
    return 0;
}

/* Two live topics, or two live groups of a topic, with one name: one of them cannot be reached. */
static int compare_name(const void *a, const void *b)
{
    return strcmp((*(struct checked_topic *const *)a)->r.name, (*(struct checked_topic *const *)b)->r.name);
}

static int check_names(struct checker *c)
{
    size_t count = 0;
    struct checked_topic **live = calloc(c->topic_count + 1, sizeof(struct checked_topic *));
    if (!live)
        return SHUNT_NO_MEMORY;
    for (size_t i = 0; i < c->topic_count; i++) {
        if (c->topics[i].readable && !c->topics[i].r.dropped)
            live[count++] = &c->topics[i];
    }
    qsort(live, count, sizeof(struct checked_topic *), compare_name);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(live[i - 1]->r.name, live[i]->r.name) == 0)
            problem(c, PROBLEM_CATALOGUE, "%s: two topics have this name", live[i]->r.name);
    }
    free(live);
    return 0;
}

static int breaker_row(struct checker *c, struct slice key, struct slice value)
{
    uint32_t id;
    struct breaker_record r;
    const struct checked_group *g = key_read_id(key, &id) ? group_of(c, id) : NULL;
    if (!g)
        problem(c, PROBLEM_ORPHAN, "breaker: a row of no group, with a key of %zu bytes", key.size);
    else if (breaker_decode(key, value, &r))
        problem(c, PROBLEM_CHECKSUM, "%s: its breaker", group_name(g).text);
    return 0;
}

int check_catalogue(struct checker *c)
{
    static const struct {
        enum store_table table;
        row_fn *row;
    } parts[] = {{TABLE_META, meta_row}, {TABLE_TOPIC, topic_row}, {TABLE_GROUP, group_row},
                 {TABLE_JOB, job_row},   {TABLE_DEDUP, dedup_row}, {TABLE_BREAKER, breaker_row}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int err = scan(c, parts[i].table, parts[i].row);
        if (err)
            return err;
    }
    if (!c->meta_there && c->topic_count)
        problem(c, PROBLEM_MISSING, "meta: the ledger's own record");
    c->all_readable = true;
    for (size_t i = 0; i < c->topic_count; i++)
        c->all_readable &= c->topics[i].readable;
    for (size_t i = 0; i < c->group_count; i++)
        c->all_readable &= c->groups[i].readable;
    int err = link_groups(c);
    for (size_t i = 0; !err && i < c->group_count; i++) {
        if (c->groups[i].readable)
            fit_group(c, &c->groups[i]);
    }
    for (size_t i = 0; !err && i < c->topic_count; i++) {
        if (c->topics[i].readable)
            fit_topic(c, &c->topics[i]);
    }
    return err ? err : check_names(c);
}
