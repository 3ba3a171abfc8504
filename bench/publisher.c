/* publisher: keeps its window full from inside the confirmations, so that what they make room for leaves with
 * the same write. */
#include "bench/publisher.h"

#include <stdlib.h>

#include "bench/body.h"
#include "bench/clock.h"

#define BACKLOG_LOOK_NS (200 * NS_PER_US) /* how often a publisher looks whether consumers made room */

static void on_confirmed(void *context, void *promise, bool ok)
{
    struct publisher *p = context;
    struct promise *done = promise;
    uint64_t now_ns = clock_ns();
    p->in_flight--;
    tally_add(ok ? &p->confirmed : &p->failed, 1);
    if (ok && load_phase(p->load) == PHASE_MEASURE)
        histogram_record(&p->latency, now_ns > done->intended_ns ? now_ns - done->intended_ns : 0);
    done->next = p->spare;
    p->spare = done;
    if (p->interval_ns == 0 && ok)
        publisher_fill(p, now_ns);
}

static bool make_promises(struct publisher *p)
{
    p->promises = calloc(p->load->window, sizeof *p->promises);
    p->body = malloc(p->load->body_bytes);
    if (!p->promises || !p->body)
        return false;
    for (uint32_t i = 0; i < p->load->window; i++) {
        p->promises[i].next = p->spare;
        p->spare = &p->promises[i];
    }
    for (uint32_t i = 0; i < p->load->body_bytes; i++)
        p->body[i] = (uint8_t)(i * 2654435761u >> 24);
    return true;
}

bool publisher_init(struct publisher *p, struct load *load, unsigned number, char *why)
{
    char name[TOPIC_NAME_BYTES];
    p->load = load;
    p->number = number;
    p->count = load->count / load->publishers + (number < load->count % load->publishers ? 1 : 0);
    if (load->rate > 0) {
        p->interval_ns = (double)NS_PER_S * load->publishers / load->rate;
        p->next_ns = (double)clock_ns() + p->interval_ns * (number + 1) / load->publishers;
    }
    struct link_role role = {.address = load->address,
                             .topic = load_topic(load, number, name),
                             .window = load->window,
                             .events = {.context = p, .confirmed = on_confirmed}};
    if (!make_promises(p)) {
        (void)memcpy(why, "out of memory", sizeof "out of memory");
        return false;
    }
    p->link = load->driver->open(&role, why);
    return p->link != NULL;
}

void publisher_done(struct publisher *p)
{
    if (p->link)
        p->load->driver->close(p->link);
    free(p->promises);
    free(p->body);
}

static bool is_poison(const struct publisher *p)
{
    return p->load->poison_every != 0 && p->sent % p->load->poison_every == p->load->poison_every / 2;
}

static int64_t delay_ms(const struct publisher *p, uint64_t now_ns)
{
    uint64_t due_ns = p->load->due_ns;
    return due_ns > now_ns ? (int64_t)((due_ns - now_ns) / NS_PER_MS) : 0;
}

static bool may_send(const struct publisher *p, uint64_t now_ns)
{
    struct load *l = p->load;
    if (!p->spare || load_phase(l) == PHASE_END || (l->count != 0 && p->sent >= p->count))
        return false;
    if (p->interval_ns > 0)
        return p->next_ns <= (double)now_ns;
    return l->backlog_max == 0 ||
           atomic_load_explicit(&l->backlog, memory_order_relaxed) < (int64_t)l->backlog_max;
}

static bool send_one(struct publisher *p, uint64_t now_ns)
{
    struct load *l = p->load;
    char name[TOPIC_NAME_BYTES], key[KEY_TEXT_BYTES];
    struct promise *promise = p->spare;
    bool poison = is_poison(p);
    promise->intended_ns = p->interval_ns > 0 ? (uint64_t)p->next_ns : now_ns;
    body_write(p->body, l->due_ns ? l->due_ns : promise->intended_ns, poison);
    struct outgoing m = {.topic = load_topic(l, p->number + (unsigned)p->sent * l->publishers, name),
                         .body = p->body,
                         .bytes = l->body_bytes,
                         .delay_ms = delay_ms(p, now_ns),
                         .key = load_key(l, p->sent * l->publishers + p->number, key),
                         .promise = promise};
    if (!l->driver->publish(p->link, &m))
        return false;
    p->spare = promise->next;
    p->in_flight++;
    p->sent++;
    p->next_ns += p->interval_ns;
    if (!poison && l->consumers)
        (void)atomic_fetch_add_explicit(&l->backlog, l->groups ? l->groups : 1, memory_order_relaxed);
    return true;
}

void publisher_fill(struct publisher *p, uint64_t now_ns)
{
    while (may_send(p, now_ns) && send_one(p, now_ns)) {
    }
}

bool publisher_turn(struct publisher *p, char *why)
{
    publisher_fill(p, clock_ns());
    return p->load->driver->process(p->link, why);
}

bool publisher_finished(const struct publisher *p)
{
    bool all = p->load->count != 0 && p->sent >= p->count;
    return p->in_flight == 0 && (all || load_phase(p->load) == PHASE_END);
}

uint64_t publisher_due_ns(const struct publisher *p)
{
    if (!p->spare || load_phase(p->load) == PHASE_END || (p->load->count != 0 && p->sent >= p->count))
        return UINT64_MAX;
    if (p->interval_ns > 0)
        return (uint64_t)p->next_ns;
    return p->load->backlog_max ? clock_ns() + BACKLOG_LOOK_NS : UINT64_MAX;
}
