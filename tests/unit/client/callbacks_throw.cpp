// Callbacks that throw, in a program with an event loop: the exception comes out of shunt_process(), the other callbacks are made
// all the same, each once, and the handle goes on.
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <stdexcept>

extern "C" {
#include "broker.h"
}
#include "client/shunt.h"

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, err.text);             \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static const int MESSAGES = 50;
static const int WAIT_MS = 30000;

static shunt_error err;
static int published, resolved, arrivals, caught;

static void on_published(void *, uint64_t, const shunt_error *e)
{
    EXPECT(e == nullptr);
    if (++published % 2 == 0)
        throw std::runtime_error("published");
}

static void on_resolved(void *, const shunt_error *e)
{
    EXPECT(e == nullptr);
    if (++resolved % 2 == 0)
        throw resolved;
}

static void on_arrival(void *, shunt_consumer *c)
{
    shunt_delivery *d = nullptr;
    arrivals++;
    while (shunt_next(c, 0, &d, &err) == 0)
        EXPECT(shunt_resolve_async(d, SHUNT_ACK, 0, nullptr, on_resolved, nullptr, &err) == 0);
    throw std::logic_error("arrived");
}

// The loop of the program: it sleeps until the handle's descriptor says that there is something to do.
static void run(shunt *s, const int *count, int wanted)
{
    while (*count < wanted) {
        pollfd ready = {shunt_fd(s), POLLIN, 0};
        EXPECT(poll(&ready, 1, WAIT_MS) == 1);
        try {
            EXPECT(shunt_process(s, &err) == 0);
        } catch (...) {
            caught++;
        }
    }
}

int main()
{
    broker b;
    shunt *s = nullptr;
    shunt_consumer *c = nullptr;
    broker_start(&b);
    EXPECT(shunt_open(b.url, nullptr, &s, &err) == 0);
    EXPECT(shunt_topic_create(s, "t", nullptr, WAIT_MS, &err) == 0);
    shunt_message *m = shunt_message_new();
    shunt_message_body(m, "x", 1);
    for (int i = 0; i < MESSAGES; i++)
        EXPECT(shunt_publish_async(s, "t", m, on_published, nullptr, &err) == 0);
    run(s, &published, MESSAGES);
    EXPECT(published == MESSAGES && caught == MESSAGES / 2);
    EXPECT(shunt_subscribe(s, "t", nullptr, nullptr, WAIT_MS, &c, &err) == 0);
    shunt_on_arrival(c, on_arrival, nullptr);
    run(s, &resolved, MESSAGES);
    EXPECT(resolved == MESSAGES && caught == MESSAGES / 2 + MESSAGES / 2 + arrivals && arrivals > 0);
    EXPECT(shunt_ping(s, WAIT_MS, nullptr, &err) == 0);
    shunt_unsubscribe(c, WAIT_MS);
    shunt_message_free(m);
    shunt_close(s, WAIT_MS);
    broker_stop(&b);
    return 0;
}
