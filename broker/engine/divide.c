/* divide: a request that is more than a share is handled in parts, one in each turn, and answered with the
 * last of them.
 *
 *     frame stays where it is, at the head of what is held
 *       part → command → applied ─ more → the line (line.c) → next turn → part …
 *                           └ last, or refused → answer
 *
 * Its connection waits meanwhile with all that follows, as any that has used up its share.
 *
 * The messages of a PUBLISH have numbers that follow each other. So while one is stored in parts, others that
 * publish to the same topic wait, and so does the topic's deletion. If the server ends between two parts, the
 * first ones are stored: of a numbered frame that is remembered, and sent again it goes on behind them.
 */
#include "broker/engine/divide.h"
#include "base/array.h"
#include "broker/engine/state.h"
#include "proto/errors.h"
#include "proto/message.h"
#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

uint64_t share_left(const struct session *s)
{
    uint64_t left = flow_share_left(&s->engine->turn, &s->flow.share);
    return left > DIVIDE_ROWS_MIN ? left : DIVIDE_ROWS_MIN;
}

/* FNV-1a. That two topics have the same makes one wait for the other, and no more. */
static uint64_t hash(struct slice name)
{
    const uint8_t *bytes = name.data;
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < name.size; i++)
        h = (h ^ bytes[i]) * 0x100000001b3ull;
    return h;
}

bool divide_must_wait(const struct session *s, uint64_t op, const struct mpack_reader *fields)
{
    struct ring *all = &s->engine->publishing;
    struct mpack_reader r = *fields;
    if (op != OP_PUBLISH && op != OP_TOPIC_DELETE)
        return false;
    struct slice topic = mpack_read_str(&r);
    if (r.failed)
        return false;
    uint64_t h = hash(topic);
    for (struct ring *at = all->next; at != all; at = at->next) {
        const struct session *other = ring_of(at, struct session, division.publishing);
        if (other != s && other->division.topic == h && flow_may(&other->flow, FLOW_GO_ON))
            return true;
    }
    return false;
}

static void take_topic(struct session *s, struct slice topic)
{
    s->division.topic = hash(topic);
    ring_append(&s->engine->publishing, &s->division.publishing);
}

void divide_end(struct session *s)
{
    size_t part_bytes = s->division.part_bytes;
    ring_remove(&s->division.publishing);
    free(s->division.refused);
    s->division = (struct division){.part_bytes = part_bytes};
    ring_init(&s->division.publishing);
}

/* ---- PUBLISH ---- */

/* The messages from the reader's place on that are no more than so many rows, but one at least. Returns how
 * many; fewer, with the reason in *ret_err, before one that breaks a limit which was lowered since. */
static uint32_t cut(struct session *s, struct mpack_reader *r, uint32_t left, struct slice topic,
                    uint64_t *ret_rows, int *ret_err)
{
    const struct engine *e = s->engine;
    uint64_t most = share_left(s), all = 0;
    uint64_t with_ttl = ledger_timed_rows(e->ledger, topic, 1, 1);
    uint64_t without = ledger_timed_rows(e->ledger, topic, 1, 0);
    uint32_t count = 0;
    while (count < left) {
        struct mpack_reader at = *r;
        struct message_view m;
        const char *why;
        *ret_err = message_read_new(r, e->config.limits.max_body_bytes, &m, &why);
        if (*ret_err) {
            *r = at;
            break;
        }
        bool timed = message_is_timed(&m);
        all += ROWS_OF_MESSAGE + m.whole.size / ROWS_BYTES + (timed ? with_ttl : without);
        if (count && all > most) {
            *r = at;
            break;
        }
        *ret_rows += ROWS_OF_MESSAGE + (timed ? ROWS_OF_TIMED : 0); /* the ledger counts the others */
        count++;
    }
    return count;
}

uint64_t divide_publish(struct session *s, struct publish_command *p)
{
    struct division *d = &s->division;
    struct mpack_reader r;
    uint64_t rows = 0;
    int err = 0;
    if (!d->begun)
        take_topic(s, p->topic);
    d->begun = true;
    const uint8_t *from = (const uint8_t *)p->messages.data + d->at;
    mpack_read_init(&r, from, p->messages.size - d->at);
    uint32_t count = cut(s, &r, p->count - d->done, p->topic, &rows, &err);
    p->checked = true;
    p->stored = d->done;
    p->first_seq = d->first_seq;
    p->more = d->done + count < p->count && (!err || count);
    p->refusal = count ? 0 : err;
    p->count = count;
    p->messages = (struct slice){from, (size_t)(r.at - from)};
    d->part_bytes = p->messages.size;
    d->done += count;
    d->at += p->messages.size;
    if (!p->more)
        divide_end(s);
    return rows;
}

void divide_published(struct session *s, const struct step *st)
{
    const struct publish_command *part = &st->command.publish;
    s->division.first_seq = st->number;
    s->division.over = st->err || st->refusal || st->count != part->stored + part->count;
    if (s->division.over)
        ring_remove(&s->division.publishing);
}

/* ---- RESOLVE ---- */

void divide_resolved(struct session *s, const struct step *st)
{
    struct division *d = &s->division;
    const struct resolving *p = &st->resolving;
    if (!p->refused_count)
        return;
    if (!array_room(&d->refused, &d->refused_capacity, d->refused_count + p->refused_count))
        engine_die(s->engine, SHUNT_NO_MEMORY, "no memory for an answer");
    memcpy(d->refused + d->refused_count, p->refused, p->refused_count * sizeof *d->refused);
    d->refused_count += p->refused_count;
}
