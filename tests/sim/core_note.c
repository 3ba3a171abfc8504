/* core_note: what a client on the library's core tells the history of its deliveries. */
#include "tests/sim/core_client.h"

#include "client/driving/hooks.h"
#include "client/wire/delivery.h"

struct history_event *core_note(struct core_client *c, enum history_kind kind, const struct shunt_delivery *d)
{
    struct sim *s = c->client.sim;
    struct history_event *e = sim_event(s, kind);
    e->client = c->client.conn ? conn_number(c->client.conn) : 0;
    e->topic = history_name(&s->history, d->consumer->topic);
    e->group = history_name(&s->history, d->consumer->group);
    e->seq = d->seq;
    e->token = d->token;
    return e;
}

static void note_arrived(struct core_client *c, struct shunt_delivery *d, int64_t sent_us)
{
    struct history_event *e = core_note(c, HISTORY_DELIVER, d);
    e->attempts = d->attempts;
    e->deliveries = d->deliveries;
    e->generation = d->generation;
    e->lease_ms = d->lease_ms;
    e->sent_us = sent_us;
    e->body = sim_message_digest(d->message.whole);
    client_set_tag(d, (void *)TAG_SEEN);
    if (conn_is_ended(c->client.conn))
        sim_event(c->client.sim, HISTORY_LOST)->client = conn_number(c->client.conn);
}

void core_note_arrivals(struct core_client *c, int64_t sent_us)
{
    for (struct shunt_consumer *each = c->core.consumers; each; each = each->next) {
        for (struct shunt_delivery *d = each->queued.head; d; d = d->next) {
            if (!client_tag(d))
                note_arrived(c, d, sent_us);
        }
    }
}

void core_note_kept(struct core_client *c, int64_t sent_us)
{
    for (unsigned i = 0; i < c->held_count; i++) {
        struct handling *h = &c->held[i];
        if (h->d->token == h->token)
            continue;
        h->token = h->d->token;
        c->client.sim->figures.kept++;
        note_arrived(c, h->d, sent_us);
        if (h->d->marked_at)
            (void)core_note(c, HISTORY_STARTED, h->d);
    }
}

void core_note_late(struct core_client *c, struct shunt_consumer *consumer)
{
    int64_t now_us = c->client.sim->mono_us;
    struct shunt_delivery *d = consumer->queued.head;
    if (d && delivery_away(d))
        return;
    for (; d && (now_us >= d->deadline_us || now_us >= d->expires_us); d = d->next) {
        bool over = now_us >= d->deadline_us;
        if (delivery_stale(d) || (over && !delivery_may_last(d)))
            continue;
        struct history_event *e = core_note(c, HISTORY_RESOLVE, d);
        e->op = c->client.sim->op_next++;
        e->outcome = over ? SHUNT_RELEASE : SHUNT_LATE;
    }
}

void core_note_started(struct core_client *c, struct shunt_consumer *consumer)
{
    for (struct shunt_delivery *d = consumer->queued.head; d; d = d->next) {
        if (d->marked_at && client_tag(d) == (void *)TAG_SEEN) {
            (void)core_note(c, HISTORY_STARTED, d);
            client_set_tag(d, (void *)TAG_STARTED);
        }
    }
}
