/* facts_hold: whether a fact holds in a store. */
#include "tests/crash/facts.h"

#include <stdio.h>
#include <string.h>

static const struct snapshot_topic *topic_of(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->topic_count; i++) {
        if (strcmp(s->topics[i].name, name) == 0)
            return &s->topics[i];
    }
    return NULL;
}

static const struct snapshot_row *row_of(const struct snapshot_topic *t, uint64_t seq)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].seq == seq)
            return &t->rows[i];
    }
    return NULL;
}

bool fact_holds(const struct fact *f, const struct snapshot *s, size_t record)
{
    if (f->kind == FACT_JOB)
        return s->jobs >> f->seq & 1;
    const struct snapshot_topic *t = topic_of(s, f->topic);
    if (!t || f->kind == FACT_TOPIC)
        return t != NULL;
    const struct snapshot_row *row = row_of(t, f->seq);
    bool was_there = t->published >= f->seq;
    bool later = row && row->generation > f->generation;
    switch (f->kind) {
    case FACT_PUBLISHED:
        if (!row)
            return was_there && f->end_asked < record;
        return row->dead || row->body_hash == f->body_hash;
    case FACT_DELIVERED:
        return was_there &&
               (!row || later || (row->generation == f->generation && row->deliveries >= f->count));
    case FACT_CHARGED:
        return was_there &&
               (!row || later || (row->generation == f->generation && row->attempts >= f->count));
    case FACT_DEAD:
        return was_there && (!row || later || (row->generation == f->generation && row->dead));
    case FACT_DONE:
        return was_there && !row;
    case FACT_TOPIC:
    case FACT_JOB:
        break;
    }
    return false;
}

const char *fact_text(const struct fact *f)
{
    static const char *const names[] = {"topic created", "published", "delivered", "charged",
                                        "dead-lettered", "ended",     "job begun"};
    static char text[256];
    (void)snprintf(text, sizeof text, "%s: %s/%llu (generation %llu, count %llu), said in record %zu",
                   names[f->kind], f->topic, (unsigned long long)f->seq, (unsigned long long)f->generation,
                   (unsigned long long)f->count, f->record);
    return text;
}
