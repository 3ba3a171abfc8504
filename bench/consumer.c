/* consumer: acks what is healthy at once; poison is rejected or nacked, with an error as a real handler would
 * give. */
#include "bench/consumer.h"

#include "bench/body.h"
#include "bench/clock.h"

static enum link_verdict on_arrived(void *context, const void *body, size_t bytes)
{
    struct consumer *c = context;
    struct load *l = c->load;
    if (bytes < BODY_BYTES_LEAST)
        return LINK_ACK; /* not one of ours */
    struct body_head head = body_read(body);
    if (head.poison && l->poison_every) {
        tally_add(&c->refused, 1);
        return l->poison_nacks ? LINK_NACK : LINK_REJECT;
    }
    uint64_t now_ns = clock_ns();
    if (load_phase(l) == PHASE_MEASURE)
        histogram_record(&c->latency, now_ns > head.intended_ns ? now_ns - head.intended_ns : 0);
    tally_add(&c->received, 1);
    (void)atomic_fetch_sub_explicit(&l->backlog, 1, memory_order_relaxed);
    return LINK_ACK;
}

static void on_resolved(void *context, uint32_t count, bool ok)
{
    struct consumer *c = context;
    tally_add(ok ? &c->resolved : &c->failed, count);
}

bool consumer_init(struct consumer *c, struct load *load, unsigned number, char *why)
{
    char topic[TOPIC_NAME_BYTES], group[TOPIC_NAME_BYTES];
    c->load = load;
    struct link_role role = {.address = load->address,
                             .topic = load_topic(load, number, topic),
                             .group = load_group(load, number, group),
                             .consumes = true,
                             .window = load->prefetch,
                             .events = {.context = c, .arrived = on_arrived, .resolved = on_resolved}};
    c->link = load->driver->open(&role, why);
    return c->link != NULL;
}

void consumer_done(struct consumer *c)
{
    if (c->link)
        c->load->driver->close(c->link);
}

bool consumer_turn(struct consumer *c, char *why)
{
    return c->load->driver->process(c->link, why);
}
