/* The journal's store: messages that stay in the journal's file while the store behind has stubs for them.
 *
 * A backlog that outlasts the ring gains nothing by that: a stub is put for each message, and then the message. So when most messages of a stretch
 * were still there when it was put away, the generations that follow leave none, but for one at a time, whose end tells how it is now.
 *
 * Kept records are counted by stretches: how many of their messages are left. A stretch of which none is left goes when the next generation
 * is put away, at no cost. One of which some are left goes when the file, or the store behind, needs the room (away.h); and until then a message
 * that is consumed in time is written once, and one that waits for long twice.
 */
#include "broker/journal/store_journal_private.h"

#include "base/array.h"
#include "base/check.h"

static bool is_dead(const struct stretch *t)
{
    return t->known && !t->stubs;
}

void journal_stub_dies(struct journal_store *s, const struct stub *stub)
{
    size_t low = 0, high = s->stretches_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->stretches[middle].end.number <= stub->number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < s->stretches_count && s->stretches[low].stubs)
        s->stretches[low].stubs--;
}

bool journal_leaves_for_nothing(const struct journal_store *s)
{
    bool one_tells = false;
    for (size_t i = 0; i < s->stretches_count; i++)
        one_tells |= s->stretches[i].made != 0;
    return s->outlasted && one_tells;
}

/* A stretch goes. Most of its messages may still be there. */
static void learn(struct journal_store *s, const struct stretch *t)
{
    if (t->known && t->made)
        s->outlasted = t->stubs > t->made / 2;
}

void journal_stubs_unknown(struct journal_store *s)
{
    for (size_t i = 0; i < s->stretches_count; i++)
        s->stretches[i].known = false;
    s->gone_unknown = true;
}

bool journal_keeps(const struct journal_store *s)
{
    return s->stretches_count > 0;
}

uint64_t journal_needed_bytes(const struct journal_store *s)
{
    uint64_t bytes = s->filling->file_bytes + (s->frozen ? s->frozen->file_bytes : 0);
    for (size_t i = 0; i < s->stretches_count; i++)
        bytes += is_dead(&s->stretches[i]) ? 0 : s->stretches[i].file_bytes;
    return bytes;
}

uint64_t journal_kept_bytes(const struct journal_store *s)
{
    return s->meta.kept_bytes;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

struct journal_meta journal_meta_after(struct journal_store *s)
{
    struct journal_meta m = s->meta;
    m.from = s->frozen->next;
    m.kept_bytes += s->frozen->kept_bytes;
    for (s->dropping = 0; s->dropping < s->stretches_count && is_dead(&s->stretches[s->dropping]);
         s->dropping++) {
        m.oldest = s->stretches[s->dropping].end;
        m.kept_bytes = less(m.kept_bytes, s->stretches[s->dropping].kept_bytes);
    }
    s->gone = 0;
    s->gone_unknown = false;
    return m;
}

static void drop(struct journal_store *s, size_t count)
{
    if (!count) /* there may be no array yet */
        return;
    for (size_t i = 0; i < count; i++)
        learn(s, &s->stretches[i]);
    s->stretches_count -= count;
    memmove(s->stretches, s->stretches + count, s->stretches_count * sizeof *s->stretches);
}

int journal_keep(struct journal_store *s)
{
    const struct journal_meta *m = &s->merge.meta;
    drop(s, s->dropping);
    s->dropping = 0;
    s->meta = *m;
    s->stubs += s->merge.stubs;
    if (m->oldest.number == m->from.number)
        return 0;
    if (!array_room(&s->stretches, &s->stretches_capacity, s->stretches_count + 1))
        return SHUNT_NO_MEMORY;
    s->stretches[s->stretches_count++] = (struct stretch){.end = m->from,
                                                          .file_bytes = s->frozen->file_bytes,
                                                          .kept_bytes = s->frozen->kept_bytes,
                                                          .made = s->merge.stubs,
                                                          .stubs = less(s->merge.stubs, s->gone),
                                                          .known = !s->gone_unknown};
    return 0;
}

/* Of the file, from one record to another, later one. */
static uint64_t bytes_between(const struct journal_store *s, struct journal_place a, struct journal_place b)
{
    return b.at > a.at ? b.at - a.at : b.at + journal_bytes(s->journal) - a.at;
}

int journal_keep_old(struct journal_store *s)
{
    const struct journal_meta *m = &s->meta;
    if (m->oldest.number == m->from.number)
        return 0;
    if (!array_room(&s->stretches, &s->stretches_capacity, (size_t)1))
        return SHUNT_NO_MEMORY;
    s->stretches[s->stretches_count++] = (struct stretch){
        .end = m->from, .file_bytes = bytes_between(s, m->oldest, m->from), .kept_bytes = m->kept_bytes};
    return 0;
}

void journal_ask_away(struct journal_store *s)
{
    const struct stretch *t = &s->stretches[0];
    check(s->stretches_count && !s->frozen);
    struct away away = {.map = s->map,
                        .bytes = journal_bytes(s->journal),
                        .end = t->end,
                        .kept_at_end = less(s->meta.kept_bytes, t->kept_bytes),
                        .dead = is_dead(t),
                        .meta = s->meta};
    merge_ask_away(&s->merge, &away, s->behind);
}

int journal_take_away(struct journal_store *s, bool wait)
{
    int err;
    if (!merge_ended(&s->merge, MERGE_AWAY, wait, &err))
        return 0;
    s->no_away = err == SHUNT_NO_SPACE;
    if (s->no_away)
        return journal_look_behind(s);
    if (err)
        return journal_broken(s, err);
    struct stretch *t = &s->stretches[0];
    const struct journal_meta *m = &s->merge.away.meta;
    t->kept_bytes = less(t->kept_bytes, less(s->meta.kept_bytes, m->kept_bytes));
    t->file_bytes = less(t->file_bytes, bytes_between(s, s->meta.oldest, m->oldest));
    s->meta = *m;
    if (m->oldest.number == t->end.number)
        drop(s, 1);
    s->aways++;
    return journal_look_behind(s);
}
