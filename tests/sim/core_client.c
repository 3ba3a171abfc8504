/* core_client: the client library's own core, driven here as its blocking loop would: so what it sends again
 * after a lost connection, marks and answers is what users get. */
#include "tests/sim/core_client.h"

#include "client/wire/delivery.h"
#include "client/wire/marks.h"

#include <stdlib.h>
#include <string.h>

static struct core_client *core_client_of(struct client *c)
{
    return (struct core_client *)c;
}

static struct ticket *ticket_new(struct core_client *c, uint64_t op)
{
    struct ticket *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    *t = (struct ticket){.next = c->tickets, .client = c, .op = op};
    c->tickets = t;
    return t;
}

static void drop_tickets(struct core_client *c, bool all)
{
    for (struct ticket **link = &c->tickets; *link;) {
        struct ticket *t = *link;
        if (!all && !t->done) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        free(t);
    }
}

/* ---- what the history gets ---- */

/* An error that leaves it open whether the question had effect. */
static bool is_unknown(int code)
{
    return code == SHUNT_DISCONNECTED || code == SHUNT_TIMEOUT || code == SHUNT_CLOSED ||
           code == SHUNT_DEDUP_WINDOW;
}

static void on_published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct ticket *t = context;
    struct sim *s = t->client->client.sim;
    t->done = true;
    if (err && is_unknown(err->code))
        return;
    s->figures.refused_full += err && err->code == SHUNT_NO_SPACE;
    struct history_event *e = sim_event(s, err ? HISTORY_REFUSED : HISTORY_PUBLISHED);
    e->op = t->op;
    e->seq = err ? 0 : seq;
}

static void on_resolved(void *context, const struct shunt_error *err)
{
    struct ticket *t = context;
    t->done = true;
    if (err && is_unknown(err->code))
        return;
    struct history_event *e = sim_event(t->client->client.sim, HISTORY_RESOLVED);
    e->op = t->op;
    e->result = !err ? HISTORY_OK : err->code == SHUNT_STALE ? HISTORY_STALE : HISTORY_ERROR;
}

/* ---- bytes ---- */

static void flush(struct core_client *c)
{
    struct sim *s = c->client.sim;
    struct iovec pieces[16];
    int count;
    while (c->client.conn && !conn_is_ended(c->client.conn) &&
           (count = core_output(&c->core, s->mono_us, pieces, 16)) > 0) {
        size_t sent = 0;
        bool cut = dice_once_in(&s->dice, 20); /* the socket takes no more for now */
        for (int i = 0; i < count; i++) {
            size_t size =
                cut && i == count - 1 ? dice_below(&s->dice, pieces[i].iov_len + 1) : pieces[i].iov_len;
            pipe_put(conn_to_server(c->client.conn), pieces[i].iov_base, size);
            sim_trace(s, pieces[i].iov_base, size);
            sent += size;
        }
        core_sent(&c->core, sent);
        if (cut)
            return;
    }
}

static void take_in(struct core_client *c, const uint8_t *bytes, size_t size)
{
    struct sim *s = c->client.sim;
    int64_t sent_us = conn_sent_us(c->client.conn, c->received);
    c->received += size;
    while (size) {
        size_t room;
        struct shunt_error error = {0};
        void *space = core_space(&c->core, &room);
        size_t some = size < room ? size : room;
        memcpy(space, bytes, some);
        if (core_received(&c->core, some, s->mono_us, &error))
            sim_fail(s, "the client library does not understand the broker: %s", error.text);
        bytes += some;
        size -= some;
    }
    core_note_arrivals(c, sent_us);
    core_note_kept(c, sent_us);
}

static void call_back(struct core_client *c)
{
    while (core_call_back(&c->core))
        continue;
}

/* What was sent in different turns is taken in apart, so that each delivery has its own time. */
static void core_client_received(struct client *client, const void *bytes, size_t size)
{
    struct core_client *c = core_client_of(client);
    const uint8_t *at = bytes;
    for (size_t some; size; at += some, size -= some) {
        uint64_t left = conn_sent_end(client->conn, c->received) - c->received;
        some = size < left ? size : (size_t)left;
        take_in(c, at, some);
    }
    call_back(c);
}

static void core_client_broken(struct client *client)
{
    struct core_client *c = core_client_of(client);
    core_offline(&c->core);
    call_back(c);
    client->connect_at_us = client->sim->mono_us + (int64_t)dice_below(&client->sim->dice, 100000);
}

/* ---- publishing ---- */

static void publish(struct core_client *c)
{
    struct sim *s = c->client.sim;
    const struct place *place = sim_place(s);
    struct shunt_message m = {0};
    struct mpack_buffer encoded = {0};
    struct shunt_error error;
    uint8_t body[SIM_BODY_BYTES_MAX];
    bool full;
    if (!place)
        return;
    m.body = body;
    m.body_bytes = sim_body(s, body);
    if (s->body_next % 3) {
        m.key[0] = (uint8_t) "0123"[s->body_next % SIM_KEYS];
        m.key_bytes = 1;
    }
    m.delay_ms = dice_once_in(&s->dice, 10) ? (int64_t)dice_below(&s->dice, 2000) : 0;
    message_encode(&m, &encoded);
    uint64_t op = s->op_next++;
    struct history_event asked = {.t_us = s->mono_us,
                                  .kind = HISTORY_PUBLISH,
                                  .op = op,
                                  .topic = place->topic_name,
                                  .body = sim_message_digest((struct slice){encoded.data, encoded.size}),
                                  .key = sim_key_digest((struct slice){encoded.data, encoded.size})};
    mpack_buffer_done(&encoded);
    struct ticket *ticket = ticket_new(c, op);
    if (producer_add(&c->core.producer, place->topic, &m,
                     (struct promise){on_published, ticket, INT64_MAX, 0}, &full, &error)) {
        ticket->done = true; /* the window is full: it was not asked */
        return;
    }
    *sim_event(s, HISTORY_PUBLISH) = asked;
    s->figures.published++;
}

/* ---- consuming ---- */

static enum shunt_outcome pick_outcome(struct sim *s)
{
    uint64_t roll = dice_below(&s->dice, 100);
    if (s->draining || roll < 65)
        return SHUNT_ACK;
    return roll < 80 ? SHUNT_NACK : roll < 87 ? SHUNT_REJECT : roll < 94 ? SHUNT_RELEASE : SHUNT_EXTEND;
}

/* Returns whether the delivery is gone. */
static bool resolve(struct core_client *c, struct shunt_delivery *d)
{
    struct sim *s = c->client.sim;
    static const struct shunt_failure failure = {.type = "sim", .message = "it did not work"};
    struct resolve_entry entry = {.seq = d->seq, .token = d->token, .outcome = pick_outcome(s)};
    entry.delay_ms = entry.outcome == SHUNT_EXTEND ? (int64_t)dice_from(&s->dice, 1, 1000) : SHUNT_BACKOFF;
    entry.failure = entry.outcome == SHUNT_NACK || entry.outcome == SHUNT_REJECT ? &failure : NULL;
    struct ticket *ticket = ticket_new(c, 0);
    if (!delivery_stale(d)) {
        struct history_event *e = core_note(c, HISTORY_RESOLVE, d);
        e->op = ticket->op = s->op_next++;
        e->outcome = (uint8_t)entry.outcome;
    } else if (entry.outcome == SHUNT_EXTEND) {
        entry.outcome = SHUNT_ACK; /* it is to be got rid of */
    }
    if (delivery_resolve(d, &entry, (struct resolver){.callback = on_resolved, .context = ticket},
                         s->mono_us))
        ticket->done = true; /* stale: nothing was asked */
    return entry.outcome != SHUNT_EXTEND;
}

static void handle(struct core_client *c)
{
    struct sim *s = c->client.sim;
    unsigned kept = 0;
    for (unsigned i = 0; i < c->held_count; i++) {
        struct handling *h = &c->held[i];
        bool over = (s->mono_us >= h->until_us || s->draining) && !delivery_away(h->d);
        if (over && resolve(c, h->d))
            continue;
        if (over)
            h->until_us = s->mono_us + (int64_t)dice_below(&s->dice, 500000);
        c->held[kept++] = *h;
    }
    c->held_count = kept;
}

static void take(struct core_client *c, struct shunt_consumer *consumer)
{
    struct sim *s = c->client.sim;
    unsigned most = (unsigned)dice_from(&s->dice, 1, s->draining ? HELD_MAX : 4);
    while (most-- && c->held_count < HELD_MAX) {
        marks_next_called(consumer, s->mono_us);
        (void)marks_write(consumer, s->mono_us); /* as it would without memory: later */
        core_note_started(c, consumer);
        flush(c);
        core_note_late(c, consumer);
        struct shunt_delivery *d = consumer_take(consumer, s->mono_us);
        if (!d) {
            if (consumer->queued.head)
                c->core.marks_waiting = true;
            return;
        }
        consumer->returned_us = s->mono_us;
        int64_t busy_us =
            c->fast ? 0 : (int64_t)dice_below(&s->dice, dice_once_in(&s->dice, 20) ? 3000000 : 20000);
        c->held[c->held_count++] = (struct handling){d, s->mono_us + busy_us, d->token};
    }
}

static void forget_held_of(struct core_client *c, const struct shunt_consumer *consumer)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->held_count; i++) {
        if (c->held[i].d->consumer != consumer)
            c->held[kept++] = c->held[i];
    }
    c->held_count = kept;
}

static void end_consumer(struct core_client *c, unsigned place)
{
    struct sim *s = c->client.sim;
    if (c->client.conn)
        sim_event(s, HISTORY_LOST)->client = conn_number(c->client.conn);
    forget_held_of(c, c->consumers[place]);
    consumer_free(c->consumers[place], false, s->mono_us);
    c->consumers[place] = NULL;
}

static void consume(struct core_client *c)
{
    struct sim *s = c->client.sim;
    for (unsigned i = 0; i < s->places_count; i++) {
        const struct place *p = &s->places[i];
        struct shunt_consumer *consumer = c->consumers[i];
        if (!consumer && p->confirmed && !p->gone && dice_once_in(&s->dice, s->draining ? 5 : 20)) {
            uint64_t messages = dice_from(&s->dice, 1, 30);
            c->consumers[i] = consumer_new(&c->core, p->topic, p->group, messages, 100000);
        } else if (consumer &&
                   (consumer->state == CONSUMER_ENDED || (!s->draining && dice_once_in(&s->dice, 300)))) {
            end_consumer(c, i);
        } else if (consumer) {
            take(c, consumer);
        }
    }
}

/* ---- life ---- */

static void begin(struct core_client *c)
{
    struct sim *s = c->client.sim;
    uint8_t producer[PRODUCER_ID_BYTES];
    for (size_t i = 0; i < sizeof producer; i++)
        producer[i] = (uint8_t)dice_next(&s->dice);
    core_init(&c->core, &c->settings, dice_next(&s->dice), producer);
}

static void end(struct core_client *c)
{
    c->held_count = 0;
    memset(c->consumers, 0, sizeof c->consumers);
    core_done(&c->core);
    drop_tickets(c, true);
}

/* The process dies: what it did not hear of, nobody will ever know. */
static void die(struct core_client *c)
{
    if (c->client.conn)
        conn_break(c->client.conn);
    end(c);
    begin(c);
}

static void connect(struct core_client *c)
{
    struct sim *s = c->client.sim;
    if (s->mono_us < c->client.connect_at_us || !conn_open(s, &c->client))
        return;
    c->received = 0;
    if (core_online(&c->core))
        abort();
    struct history_event *e = sim_event(s, HISTORY_CLIENT);
    e->client = conn_number(c->client.conn);
    e->marks = c->settings.marks;
    for (unsigned i = 0; i < c->held_count; i++) {
        if (c->held[i].d->marked_at)
            (void)core_note(c, HISTORY_KEEP, c->held[i].d);
    }
}

static void core_client_act(struct client *client)
{
    struct core_client *c = core_client_of(client);
    struct sim *s = client->sim;
    if (!client->conn)
        connect(c);
    if (!s->draining && dice_once_in(&s->dice, 300))
        die(c);
    if (!s->draining && client->conn && dice_below(&s->dice, 1000) < s->plan.end_percent)
        conn_end_sending(client->conn);
    for (uint64_t i = dice_once_in(&s->dice, 3) && !s->draining ? dice_from(&s->dice, 1, 6) : 0; i; i--)
        publish(c);
    consume(c);
    handle(c);
    flush(c);
    call_back(c);
    drop_tickets(c, false);
}

static bool core_client_idle(const struct client *client)
{
    const struct core_client *c = (const struct core_client *)client;
    return c->core.producer.messages == 0 && c->core.resolutions.pending == 0;
}

static void core_client_free(struct client *client)
{
    end(core_client_of(client));
    free(client);
}

static const struct client_ops core_client_ops = {.act = core_client_act,
                                                  .received = core_client_received,
                                                  .broken = core_client_broken,
                                                  .idle = core_client_idle,
                                                  .free = core_client_free};

struct client *core_client_new(struct sim *s, unsigned number)
{
    struct core_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->client = (struct client){.ops = &core_client_ops, .sim = s, .number = number};
    c->settings = (struct settings){.client = "core",
                                    .host = "sim",
                                    .build = "0",
                                    .reconnect_min_ms = 1,
                                    .reconnect_max_ms = 50,
                                    .window = 64,
                                    .window_bytes = 1024 * 1024,
                                    .frame_bytes = 1024 * (int64_t)dice_from(&s->dice, 1, 32),
                                    .mark_time_us = dice_once_in(&s->dice, 2) ? 200 : 0,
                                    .idempotent = true,
                                    .marks = !dice_once_in(&s->dice, 6)};
    c->fast = dice_once_in(&s->dice, 3);
    begin(c);
    return &c->client;
}
