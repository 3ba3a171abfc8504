/* crew: links are dealt out to the threads in turn, publishers first, so that one thread has both a publisher
 * and a consumer if there are fewer threads than links. */
#include "bench/crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/consumer.h"
#include "bench/publisher.h"

#define EVENTS_MAX 256
#define IDLE_NS    (50 * NS_PER_MS) /* how often a thread with nothing to do looks at the phase */
#define GIVE_UP_NS (20 * NS_PER_S)  /* how long unconfirmed messages are waited for at the end */

struct hand {
    struct crew *crew;
    unsigned number;
    pthread_t thread;
    bool started;
    int epoll_fd;
    char why[WHY_BYTES];
    _Atomic bool broken;
};

struct crew {
    struct load *load;
    struct publisher *publishers;
    struct consumer *consumers;
    struct hand *hands;
    unsigned hands_count;
    _Atomic bool stop; /* consumers too */
};

/* ---- one thread ---- */

static bool turn(struct crew *c, uint64_t member, char *why)
{
    if (member < c->load->publishers)
        return publisher_turn(&c->publishers[member], why);
    return consumer_turn(&c->consumers[member - c->load->publishers], why);
}

static bool hand_publishers_finished(const struct hand *h)
{
    const struct crew *c = h->crew;
    for (unsigned i = h->number; i < c->load->publishers; i += c->hands_count) {
        if (!publisher_finished(&c->publishers[i]))
            return false;
    }
    return true;
}

/* Turns for publishers whose time has come; returns when the next one's does. */
static uint64_t turn_due(struct hand *h, uint64_t now_ns)
{
    struct crew *c = h->crew;
    uint64_t next_ns = now_ns + IDLE_NS;
    if (c->load->rate == 0 && c->load->backlog_max == 0)
        return next_ns;
    for (unsigned i = h->number; i < c->load->publishers; i += c->hands_count) {
        struct publisher *p = &c->publishers[i];
        uint64_t sent = p->sent;
        publisher_fill(p, now_ns);
        if (p->sent != sent && !publisher_turn(p, h->why))
            h->broken = true;
        uint64_t due_ns = publisher_due_ns(p);
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    return next_ns;
}

static void wait_and_turn(struct hand *h, uint64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now_ns = clock_ns();
    uint64_t wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec wait = {(time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S)};
    int count = epoll_pwait2(h->epoll_fd, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < count; i++) {
        if (!turn(h->crew, events[i].data.u64, h->why))
            h->broken = true;
    }
}

static void *hand_run(void *arg)
{
    struct hand *h = arg;
    struct crew *c = h->crew;
    uint64_t members = (uint64_t)c->load->publishers + c->load->consumers;
    for (uint64_t m = h->number; m < members; m += c->hands_count)
        h->broken = h->broken || !turn(c, m, h->why);
    uint64_t give_up_ns = UINT64_MAX;
    while (!h->broken && !(c->stop && hand_publishers_finished(h)) && clock_ns() < give_up_ns) {
        wait_and_turn(h, turn_due(h, clock_ns()));
        if (c->stop && give_up_ns == UINT64_MAX)
            give_up_ns = clock_ns() + GIVE_UP_NS;
    }
    return NULL;
}

/* ---- all of them ---- */

static bool watch(struct crew *c, struct link *l, uint64_t member, char *why)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = member};
    int fd = c->load->driver->fd(l);
    if (epoll_ctl(c->hands[member % c->hands_count].epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    (void)memcpy(why, "epoll_ctl failed", sizeof "epoll_ctl failed");
    return false;
}

static bool open_links(struct crew *c, char *why)
{
    unsigned publishers = c->load->publishers;
    bool ok = true;
    for (unsigned i = 0; ok && i < c->load->consumers; i++) {
        ok = consumer_init(&c->consumers[i], c->load, i, why) &&
             watch(c, c->consumers[i].link, publishers + i, why);
    }
    for (unsigned i = 0; ok && i < publishers; i++)
        ok = publisher_init(&c->publishers[i], c->load, i, why) && watch(c, c->publishers[i].link, i, why);
    return ok;
}

static bool make_hands(struct crew *c)
{
    unsigned members = c->load->publishers + c->load->consumers;
    c->hands_count = c->load->threads < members ? c->load->threads : members;
    c->hands = calloc(c->hands_count, sizeof *c->hands);
    c->publishers = calloc(c->load->publishers + 1, sizeof *c->publishers);
    c->consumers = calloc(c->load->consumers + 1, sizeof *c->consumers);
    bool ok = c->hands && c->publishers && c->consumers;
    for (unsigned i = 0; ok && i < c->hands_count; i++) {
        c->hands[i].crew = c;
        c->hands[i].number = i;
        c->hands[i].epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        ok = c->hands[i].epoll_fd >= 0;
    }
    return ok;
}

struct crew *crew_start(struct load *load, char *why)
{
    struct crew *c = calloc(1, sizeof *c);
    (void)memcpy(why, "out of memory", sizeof "out of memory");
    if (!c)
        return NULL;
    c->load = load;
    load->phase = PHASE_WARM;
    load->backlog = 0;
    bool ok = make_hands(c) && open_links(c, why);
    for (unsigned i = 0; ok && i < c->hands_count; i++)
        ok = c->hands[i].started = pthread_create(&c->hands[i].thread, NULL, hand_run, &c->hands[i]) == 0;
    if (ok)
        return c;
    crew_stop(c, NULL, NULL);
    crew_free(c);
    return NULL;
}

struct crew_tally crew_tally(const struct crew *c)
{
    struct crew_tally t = {0};
    for (unsigned i = 0; i < c->load->publishers; i++) {
        t.confirmed += tally_read(&c->publishers[i].confirmed);
        t.failed += tally_read(&c->publishers[i].failed);
    }
    for (unsigned i = 0; i < c->load->consumers; i++) {
        const struct consumer *consumer = &c->consumers[i];
        t.received += tally_read(&consumer->received);
        t.refused += tally_read(&consumer->refused);
        t.resolved += tally_read(&consumer->resolved);
        t.failed += tally_read(&consumer->failed);
    }
    return t;
}

bool crew_broken(const struct crew *c, char *why)
{
    for (unsigned i = 0; i < c->hands_count; i++) {
        if (c->hands[i].broken) {
            (void)memcpy(why, c->hands[i].why, WHY_BYTES);
            return true;
        }
    }
    return false;
}

bool crew_published(const struct crew *c)
{
    struct crew_tally t = crew_tally(c);
    return t.confirmed + t.failed >= c->load->count;
}

void crew_stop(struct crew *c, struct histogram *confirmed, struct histogram *received)
{
    c->load->phase = PHASE_END;
    c->stop = true;
    for (unsigned i = 0; i < c->hands_count; i++) {
        if (c->hands[i].started)
            (void)pthread_join(c->hands[i].thread, NULL);
        c->hands[i].started = false;
    }
    for (unsigned i = 0; confirmed && i < c->load->publishers; i++)
        histogram_merge(confirmed, &c->publishers[i].latency);
    for (unsigned i = 0; received && i < c->load->consumers; i++)
        histogram_merge(received, &c->consumers[i].latency);
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    for (unsigned i = 0; c->publishers && i < c->load->publishers; i++)
        publisher_done(&c->publishers[i]);
    for (unsigned i = 0; c->consumers && i < c->load->consumers; i++)
        consumer_done(&c->consumers[i]);
    for (unsigned i = 0; c->hands && i < c->hands_count; i++)
        (void)close(c->hands[i].epoll_fd);
    free(c->publishers);
    free(c->consumers);
    free(c->hands);
    free(c);
}
