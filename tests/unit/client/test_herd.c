/* Ten thousand clients lose one broker at one moment, and it comes back after ten seconds. The clients are the library's own: its
 * cores, and its choice of when to connect; bytes and time are given to them, so no socket and no clock is there.
 *
 * Each has a publish without an answer and calls under way when the broker goes. The same clients without anything random
 * (they all draw the same numbers) must break what is asserted: that is the control. */
#include "client/driving/hooks.h"
#include "client/wire/core.h"
#include "client/wire/error.h"
#include "client/wire/reconnect.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS   10000
#define CALLS     10
#define RESERVE   2 /* of them, that may be tried again without a share */
#define GONE_US   10000000
#define BUCKET_US 100000
#define BUCKETS   200
#define STEP_US   1000
#define MIN_MS    50
#define MAX_MS    5000

struct client {
    struct core core;
    struct reconnect reconnect;
    struct call calls[CALLS];
    int64_t lost_us, connect_at_us, longest_us; /* between two attempts */
    int confirmed;
    bool online;
};

struct herd {
    struct settings settings;
    struct client *clients;
    int64_t now_us;
    int64_t last_us;            /* when the last one was connected */
    unsigned attempts[BUCKETS]; /* from the broker's return on */
    unsigned publishes, calls;  /* that were sent again */
    unsigned connected;
};

static void published(void *context, uint64_t seq, const struct shunt_error *err)
{
    struct client *c = context;
    cr_assert_null(err);
    cr_assert_eq(seq, 1);
    c->confirmed++;
}

/* ---- the broker's side of one connection ---- */

static void answer(struct mpack_buffer *to, uint64_t op, uint64_t id)
{
    size_t frame = frame_begin(to, OP_OK, id, op == OP_HELLO ? 2 : op == OP_PUBLISH ? 3 : 0);
    if (op == OP_HELLO) {
        mpack_write_uint(to, 1);
        mpack_write_map(to, 0);
    } else if (op == OP_PUBLISH) {
        mpack_write_uint(to, 1);
        mpack_write_uint(to, 1);
        mpack_write_uint(to, 0);
    }
    frame_end(to, frame);
}

/* Read what the client has to say; answered if the broker is there, else it is lost with it. */
static void serve(struct herd *h, struct client *c, bool answers)
{
    struct iovec pieces[16];
    struct mpack_buffer sent = {0}, said = {0};
    int count;
    while ((count = core_output(&c->core, h->now_us, pieces, 16)) > 0) {
        size_t size = 0;
        for (int i = 0; i < count; i++) {
            mpack_write_raw(&sent, pieces[i].iov_base, pieces[i].iov_len);
            size += pieces[i].iov_len;
        }
        core_sent(&c->core, size);
    }
    struct slice payload;
    size_t need;
    const char *why;
    for (size_t at = 0; answers && frame_next(sent.data + at, sent.size - at, FRAME_BYTES_MAX, &payload,
                                              &need, &why) == FRAME_WHOLE;) {
        struct mpack_reader r;
        mpack_read_init(&r, payload.data, payload.size);
        (void)mpack_read_array(&r);
        uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
        h->publishes += op == OP_PUBLISH;
        h->calls += op == OP_TOPIC_SHOW;
        answer(&said, op, id);
        at += FRAME_HEADER_BYTES + payload.size;
    }
    for (size_t at = 0; at < said.size;) {
        struct shunt_error err;
        size_t room;
        void *space = core_space(&c->core, &room);
        size_t some = said.size - at < room ? said.size - at : room;
        memcpy(space, said.data + at, some);
        cr_assert_eq(core_received(&c->core, some, h->now_us, &err), 0, "%s", err.text);
        at += some;
    }
    mpack_buffer_done(&sent);
    mpack_buffer_done(&said);
    while (core_call_back(&c->core))
        continue;
}

/* ---- the clients ---- */

static void lose(struct herd *h, struct client *c, int64_t retry_after_ms)
{
    core_offline(&c->core);
    c->online = false;
    int64_t wait_us = reconnect_failed(&c->reconnect, &c->core.random, retry_after_ms, h->now_us);
    c->longest_us = wait_us > c->longest_us ? wait_us : c->longest_us;
    c->connect_at_us = h->now_us + wait_us;
}

static void come_back(struct herd *h, struct client *c)
{
    cr_assert_eq(core_online(&c->core), 0);
    c->online = true;
    serve(h, c, true); /* HELLO */
    serve(h, c, true); /* and what waited for its answer */
    reconnect_succeeded(&c->reconnect, h->now_us);
}

static void begin(struct herd *h, struct client *c, uint64_t seed)
{
    static const uint8_t id[PRODUCER_ID_BYTES] = "sixteen bytes id";
    struct shunt_message *m = shunt_message_new();
    bool full;
    core_init(&c->core, &h->settings, seed, id);
    reconnect_init(&c->reconnect, 1, MIN_MS, MAX_MS);
    come_back(h, c);
    shunt_message_body(m, "pending", 7);
    cr_assert_eq(producer_add(&c->core.producer, "orders", m, (struct promise){published, c, INT64_MAX, 0},
                              &full, NULL),
                 0);
    shunt_message_free(m);
    for (int i = 0; i < CALLS; i++) {
        const union request_fields q = {.topic_show = {.topic = slice_of("orders")}};
        call_begin(&c->calls[i], &request_topic_show, &q, true);
        core_queue_call(&c->core, &c->calls[i]);
    }
    serve(h, c, false);
}

/* One attempt; the broker is there or not. */
static void attempt(struct herd *h, struct client *c, int64_t since_us)
{
    if (since_us < 0) {
        int64_t wait_us = reconnect_failed(&c->reconnect, &c->core.random, 0, h->now_us);
        c->longest_us = wait_us > c->longest_us ? wait_us : c->longest_us;
        c->connect_at_us = h->now_us + wait_us;
        return;
    }
    cr_assert_lt(since_us / BUCKET_US, BUCKETS);
    h->attempts[since_us / BUCKET_US]++;
    h->last_us = since_us;
    h->connected++;
    come_back(h, c);
}

/* The broker goes at 100 s, asking for `retry_after_ms`, and is back `gone_us` later. */
static void run(struct herd *h, bool random, int64_t retry_after_ms, int64_t gone_us)
{
    *h = (struct herd){.settings = {.reconnect_min_ms = MIN_MS,
                                    .reconnect_max_ms = MAX_MS,
                                    .retry_budget = 10,
                                    .retry_reserve = RESERVE,
                                    .retry_window_ms = 10000,
                                    .window = 4096,
                                    .window_bytes = 1 << 20,
                                    .frame_bytes = 1 << 18,
                                    .idempotent = true},
                       .clients = calloc(CLIENTS, sizeof *h->clients),
                       .now_us = 100000000};
    cr_assert_not_null(h->clients);
    struct random seeds = {.state = 20261129};
    for (size_t i = 0; i < CLIENTS; i++)
        begin(h, &h->clients[i], random ? random_next(&seeds) : 1);
    int64_t back_us = h->now_us + gone_us;
    h->publishes = h->calls = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        lose(h, &h->clients[i], retry_after_ms);
    for (; h->connected < CLIENTS; h->now_us += STEP_US) {
        cr_assert_lt(h->now_us, back_us + BUCKETS * BUCKET_US, "%u of %u are connected", h->connected,
                     CLIENTS);
        for (size_t i = 0; i < CLIENTS; i++) {
            struct client *c = &h->clients[i];
            if (!c->online && h->now_us >= c->connect_at_us)
                attempt(h, c, h->now_us - back_us);
        }
    }
}

static void end(struct herd *h)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &h->clients[i];
        for (int k = 0; k < CALLS; k++) {
            core_forget_call(&c->core, &c->calls[k]);
            call_done(&c->calls[k]);
        }
        core_done(&c->core);
    }
    free(h->clients);
}

static unsigned most_at_once(const struct herd *h)
{
    unsigned most = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        most = h->attempts[i] > most ? h->attempts[i] : most;
    return most;
}

/* The mean of the time in which they came back. */
static double mean(const struct herd *h)
{
    return (double)CLIENTS / (double)(h->last_us / BUCKET_US + 1);
}

static int64_t longest_ms(const struct herd *h)
{
    int64_t longest_us = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        longest_us = h->clients[i].longest_us > longest_us ? h->clients[i].longest_us : longest_us;
    return longest_us / 1000;
}

static void expect_spread(bool random, int64_t retry_after_ms)
{
    struct herd h;
    run(&h, random, retry_after_ms, GONE_US);
    unsigned most = most_at_once(&h);
    cr_assert_leq(most, 3 * mean(&h), "%u attempts in 100 ms, %.0f in the mean of %lld ms", most, mean(&h),
                  (long long)h.last_us / 1000);
    cr_assert_leq(longest_ms(&h), 2 * MAX_MS);
    for (size_t i = 0; i < CLIENTS; i++)
        cr_assert_eq(h.clients[i].confirmed, 1, "client %zu", i);
    cr_assert_eq(h.publishes, CLIENTS, "each pending publish is sent again, once");
    cr_assert_eq(h.calls, CLIENTS * (RESERVE + CALLS / 10), "of the calls, a tenth and the reserve");
    end(&h);
}

Test(herd, clients_of_a_broker_that_was_gone_for_ten_seconds_come_back_spread_out, .timeout = 60)
{
    expect_spread(true, 0);
}

Test(herd, so_they_do_if_it_said_when_to_come_back, .timeout = 60)
{
    expect_spread(true, 500);
}

/* The control: without anything random, all come in one step. */
Test(herd, without_jitter_they_come_at_once, .timeout = 60)
{
    struct herd h;
    run(&h, false, 0, GONE_US);
    cr_assert_gt(most_at_once(&h), 3 * mean(&h));
    cr_assert_eq(most_at_once(&h), CLIENTS);
    end(&h);
}

/* A restart that takes half a second: the broker's word spreads them over as long as it asked for. */
Test(herd, a_quick_restart_gets_its_clients_spread_over_what_it_asked_for, .timeout = 60)
{
    struct herd h;
    run(&h, true, 2000, 500000);
    cr_assert_leq(most_at_once(&h), 3 * mean(&h));
    cr_assert_eq(h.attempts[0] + h.attempts[5] + h.attempts[10], 0, "nobody comes before");
    cr_assert_gt(h.attempts[20] + h.attempts[30], 0);
    cr_assert_leq(h.last_us, 4000000 - 500000);
    cr_assert_leq(longest_ms(&h), 4000);
    end(&h);
}
