/* model_publish: messages, and the cells that each begins with. */
#include "proto/limits.h"
#include "proto/message.h"
#include "tests/sim/model.h"
#include "tests/sim/sim.h"

#include <string.h>

static struct model_group *list_of(struct model *m, struct model_group *g)
{
    return &m->groups[g->messages];
}

struct model_message *model_message(struct model *m, struct model_group *g, uint64_t seq)
{
    g = list_of(m, g);
    return seq < g->list_count ? &g->list[seq] : NULL;
}

static void begin(struct model *m, struct model_group *g, struct model_cell *c)
{
    model_newborn(m, g, c);
    if (g->purging)
        (void)model_event(m, g, c, EVENT_PURGED, 0, false);
}

/* Each group of the topic gets it, as a message of which nothing is known; so do all before it. */
void model_message_add(struct model *m, struct model_group *any, uint64_t seq)
{
    struct model_group *first = list_of(m, any);
    first->list = model_grow(first->list, &first->list_capacity, seq + 1, sizeof *first->list);
    if (!first->list_count)
        first->list[first->list_count++] = (struct model_message){.claimed = true}; /* there is no number 0 */
    while (first->list_count <= seq) {
        uint64_t at = first->list_count++;
        first->list[at] = (struct model_message){.due = MODEL_UNKNOWN_TIME,
                                                 .expires = MODEL_UNKNOWN_TIME,
                                                 .ttl = MODEL_UNKNOWN_TIME,
                                                 .deadline = MODEL_UNKNOWN_TIME,
                                                 .ttl_ends = MODEL_UNKNOWN_TIME};
        for (unsigned i = 0; i < m->groups_count; i++) {
            struct model_group *g = &m->groups[i];
            if (!g->is_dlq && g->messages == any->messages && g->exists == MODEL_YES && !g->fresh)
                begin(m, g, model_cell_add(m, g, at));
        }
    }
}

/* What the publisher sent says how it begins. */
static void claim(struct model *m, struct model_group *any, uint64_t seq, const struct model_message *as,
                  bool is_new)
{
    list_of(m, any)->list[seq] = *as;
    for (unsigned i = 0; is_new && i < m->groups_count; i++) {
        struct model_group *g = &m->groups[i];
        struct model_cell *c = g->is_dlq || g->messages != any->messages ? NULL : model_cell(m, g, seq);
        if (!c)
            continue;
        c->set = 0;
        c->now = (struct model_is){.state = as->due ? MODEL_DELAYED : MODEL_READY,
                                   .due_lo = as->due,
                                   .due_hi = as->due,
                                   .expires = as->expires,
                                   .deadline = as->deadline,
                                   .ttl_ends = as->ttl_ends};
    }
}

static struct model_group *any_of(struct model *m, struct slice topic)
{
    for (unsigned i = 0; i < m->groups_count; i++) {
        if (slice_is(topic, m->groups[i].topic))
            return &m->groups[i];
    }
    return NULL;
}

void model_published(struct model *m, struct model_conn *c, const struct model_frame *f,
                     struct mpack_reader *reply)
{
    struct mpack_reader r;
    struct message_view v;
    const char *why;
    mpack_read_init(&r, f->bytes, f->size);
    struct model_group *g = any_of(m, mpack_read_str(&r));
    uint64_t sequence = mpack_read_uint(&r);
    (void)mpack_read_uint(&r);
    uint32_t count = mpack_read_array(&r);
    uint64_t some = mpack_read_uint(reply), first = mpack_read_uint(reply);
    if (!g || g->is_dlq || some > count || !first)
        model_fail(m, NULL, 0, "a publish was accepted that cannot be");
    for (uint64_t i = 0; i < some; i++) {
        const struct model_message *old = model_message(m, g, first + i);
        bool walked = first + i < list_of(m, g)->walked; /* it was there before this turn */
        if (message_read(&r, BODY_BYTES_MAX, &v, &why))
            model_fail(m, NULL, 0, "a publish was accepted that cannot be read");
        if (old && old->claimed && (!sequence || old->producer != c->producer || old->sequence != sequence))
            model_fail(m, g, first + i, "two messages were confirmed at one place");
        if (old && old->claimed)
            continue; /* the first answer again */
        struct model_message as = {.claimed = true, .producer = c->producer, .sequence = sequence};
        as.due = v.delay_ms ? m->wall + v.delay_ms : 0;
        as.ttl = v.ttl_ms;
        as.key = v.key.size ? sim_digest(v.key.data, v.key.size) : 0;
        as.expires = v.ttl_ms ? m->wall + v.delay_ms + v.ttl_ms : 0;
        as.deadline = v.deadline_ms;
        as.ttl_ends = v.deadline_ms ? as.expires : 0;
        if (v.deadline_ms && (!as.expires || v.deadline_ms < as.expires))
            as.expires = v.deadline_ms;
        if (walked) {
            as.due = as.expires = as.ttl = as.deadline = as.ttl_ends =
                MODEL_UNKNOWN_TIME; /* it came in a turn of which nothing was told */
        }
        as.damaged = old && old->damaged;
        if (!old)
            model_message_add(m, g, first + i);
        claim(m, g, first + i, &as, !walked);
    }
}

void model_published_maybe(struct model *m, const struct model_frame *f)
{
    struct mpack_reader r;
    mpack_read_init(&r, f->bytes, f->size);
    struct model_group *g = any_of(m, mpack_read_str(&r));
    (void)mpack_read_uint(&r);
    (void)mpack_read_uint(&r);
    uint32_t count = mpack_read_array(&r);
    if (g && !r.failed)
        list_of(m, g)->unclaimed += count;
}
