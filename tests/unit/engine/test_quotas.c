/* test_quotas: what one address, and one user, may do, and what is answered beyond it. The clock is the world's. */
#include "broker/engine/greet.h"
#include "broker/engine/outbox.h"
#include "broker/engine/request.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/gate_world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ALL ((1u << RIGHTS) - 1)

struct scene {
    struct world w; /* first: it is the engine's context */
    unsigned told;
    char setting[64], user[NAME_BYTES_MAX + 1];
    uint64_t count;
};

static void on_limited(void *context, const struct limit_notice *notice)
{
    struct scene *s = (struct scene *)context;
    s->told++;
    s->count = notice->count;
    (void)snprintf(s->setting, sizeof s->setting, "%s", notice->setting);
    (void)snprintf(s->user, sizeof s->user, "%s", notice->user);
}

/* Connections 0 and 1 are of one address, 2 of another. `peer` NULL: of the same as before. */
static void connect_from(struct scene *s, unsigned link, const char *peer)
{
    struct session *session = s->w.links[link]->session;
    const char *why = NULL;
    quotas_end(session);
    if (peer)
        (void)snprintf(s->w.links[link]->peer, sizeof s->w.links[link]->peer, "%s", peer);
    cr_assert_eq(quotas_begin(session, &why), 0);
}

static void start(struct scene *s, struct engine_limits limits)
{
    *s = (struct scene){0};
    world_start(&s->w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20, .limited = on_limited});
    s->w.engine->config.limits.address = limits.address;
    s->w.engine->config.limits.user = limits.user;
    s->w.engine->config.limits.rate_burst_ms = limits.rate_burst_ms;
    s->w.engine->config.limits.retry_after_ms = 7; /* of no use here: the time is known */
    quotas_reload(s->w.engine);
    connect_from(s, 0, "10.0.0.1:1");
    connect_from(s, 1, "10.0.0.1:2");
    connect_from(s, 2, "10.0.0.2:1");
}

static void login(struct scene *s, unsigned link, const char *user)
{
    gate_grant_one(&s->w, user, "*", ALL);
    gate_login(&s->w, link, user);
    connect_from(s, link, NULL);
}

static void put_publish(struct mpack_buffer *to, uint64_t id, uint64_t sequence, unsigned count, size_t size)
{
    static const uint8_t body[4096];
    size_t at = frame_begin(to, OP_PUBLISH, id, 4);
    mpack_write_cstr(to, "t");
    mpack_write_uint(to, sequence);
    mpack_write_uint(to, 0);
    mpack_write_array(to, count);
    for (unsigned i = 0; i < count; i++) {
        mpack_write_array(to, 1);
        mpack_write_bin(to, body, size);
    }
    frame_end(to, at);
}

struct told {
    uint64_t code; /* 0: OK */
    uint64_t wait_ms;
    char text[512];
};

/* What is answered, at this time: the clock goes on by the two turns that it takes, and back. */
static struct told send(struct scene *s, unsigned link, struct mpack_buffer *frame)
{
    int64_t now_ms = s->w.now_ms;
    struct told told = {0};
    struct heard heard = gate_send(&s->w, link, frame);
    s->w.now_ms = now_ms;
    cr_assert_neq(heard.op, 0, "it was answered");
    told.code = heard.code;
    (void)snprintf(told.text, sizeof told.text, "%s", heard.text);
    if (heard.op == OP_ERROR) {
        struct mpack_reader r;
        mpack_read_init(&r, heard.body.data, heard.body.size);
        for (int i = 0; i < 3; i++)
            (void)mpack_read_any(&r);
        cr_assert(mpack_read_bool(&r), "it may be tried again");
        told.wait_ms = mpack_read_uint(&r);
        cr_assert_not(r.failed);
    }
    return told;
}

static struct told publish_some(struct scene *s, unsigned link, unsigned count, size_t size)
{
    struct mpack_buffer frame = {0};
    put_publish(&frame, 77, 0, count, size);
    return send(s, link, &frame);
}

static struct told look(struct scene *s, unsigned link)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_TOPIC_SHOW, 77, 1);
    mpack_write_cstr(&frame, "t");
    frame_end(&frame, at);
    return send(s, link, &frame);
}

static uint64_t published(const struct scene *s)
{
    return view_sums(s->w.engine->ledger)->published;
}

#define RATES(...)                                                                                           \
    {                                                                                                        \
        .rates = { __VA_ARGS__ }                                                                             \
    }
/* The time that a turn takes is a millisecond: a burst is counted at one moment. */
#define BURST .rate_burst_ms = 1000

Test(quotas, an_address_publishes_so_many_messages_and_is_told_when_it_may_again)
{
    struct scene s;
    start(&s, (struct engine_limits){.address = RATES([QUOTA_MESSAGES] = 10), BURST});
    uint64_t before = published(&s);
    s.w.now_ms = 100000;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(publish_some(&s, i % 2, 2, 10).code, 0, "%d", i);
    struct told told = publish_some(&s, 0, 1, 10);
    cr_assert_eq(told.code, SHUNT_TOO_MANY);
    cr_assert_neq(strstr(told.text, "address-publish-rate"), NULL, "%s", told.text);
    cr_assert(told.wait_ms > 90 && told.wait_ms <= 100, "%llu", (unsigned long long)told.wait_ms);
    cr_assert_eq(published(&s), before + 10, "what was refused is not there");
    cr_assert_eq(s.w.engine->quotas.refused[QUOTA_ADDRESS][QUOTA_MESSAGES], 1);
    s.w.now_ms += (int64_t)told.wait_ms - 1;
    cr_assert_eq(publish_some(&s, 0, 1, 10).code, SHUNT_TOO_MANY);
    s.w.now_ms += 2; /* a turn of `told` was at the millisecond after */
    cr_assert_eq(publish_some(&s, 0, 1, 10).code, 0);
    world_stop(&s.w);
}

Test(quotas, another_address_does_not_notice)
{
    struct scene s;
    start(&s,
          (struct engine_limits){
              .address = RATES([QUOTA_MESSAGES] = 4, [QUOTA_BYTES] = 1000000, [QUOTA_REQUESTS] = 4), BURST});
    for (int i = 0; i < 50; i++) {
        (void)publish_some(&s, 0, 1, 10);
        (void)look(&s, 1);
    }
    cr_assert_eq(publish_some(&s, 1, 1, 10).code, SHUNT_TOO_MANY, "they are one");
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(publish_some(&s, 2, 1, 10).code, 0);
        cr_assert_eq(look(&s, 2).code, 0);
    }
    world_stop(&s.w);
}

Test(quotas, bytes_are_counted_apart_from_messages)
{
    struct scene s;
    start(&s, (struct engine_limits){.address = RATES([QUOTA_BYTES] = 500), BURST});
    cr_assert_eq(publish_some(&s, 0, 1, 450).code, 0);
    struct told told = publish_some(&s, 0, 1, 450);
    cr_assert_eq(told.code, SHUNT_TOO_MANY);
    cr_assert_neq(strstr(told.text, "address-publish-bytes"), NULL, "%s", told.text);
    cr_assert(told.wait_ms > 790 && told.wait_ms < 820, "%llu", (unsigned long long)told.wait_ms);
    cr_assert_eq(publish_some(&s, 0, 1, 10).code, 0, "what there is enough for goes");
    cr_assert_eq(publish_some(&s, 2, 1, 1000).code, 0, "more than a bucket holds goes when it is full");
    cr_assert_eq(publish_some(&s, 2, 1, 1).code, SHUNT_TOO_MANY);
    world_stop(&s.w);
}

Test(quotas, other_requests_have_a_rate_of_their_own_and_work_is_always_given_back)
{
    struct scene s;
    struct mpack_buffer frame = {0};
    start(&s, (struct engine_limits){.address = RATES([QUOTA_REQUESTS] = 2), BURST});
    cr_assert_eq(publish_some(&s, 0, 3, 10).code, 0);
    cr_assert_eq(look(&s, 0).code, 0);
    cr_assert_eq(look(&s, 0).code, 0);
    struct told told = look(&s, 0);
    cr_assert_eq(told.code, SHUNT_TOO_MANY);
    cr_assert_neq(strstr(told.text, "address-request-rate"), NULL, "%s", told.text);
    cr_assert(told.wait_ms > 490 && told.wait_ms <= 500, "%llu", (unsigned long long)told.wait_ms);
    cr_assert_eq(publish_some(&s, 0, 3, 10).code, 0, "publishing is not one of them");
    subscribe(&s.w, s.w.links[0]);
    cr_assert_eq(view_sums(s.w.engine->ledger)->in_flight, 6, "nor is consuming");
    size_t at = frame_begin(&frame, OP_RESOLVE, 77, 2);
    mpack_write_uint(&frame, 1);
    mpack_write_array(&frame, 0);
    frame_end(&frame, at);
    cr_assert_eq(send(&s, 0, &frame).code, 0, "nor is an answer");
    for (int i = 0; i < 20; i++) {
        struct mpack_buffer ping = {0};
        frame_end(&ping, frame_begin(&ping, OP_PING, 77, 0));
        cr_assert_eq(send(&s, 0, &ping).code, 0, "nor is a PING");
    }
    world_stop(&s.w);
}

Test(quotas, a_user_has_its_rates_wherever_it_comes_from_and_others_theirs)
{
    struct scene s;
    start(&s, (struct engine_limits){.user = RATES([QUOTA_MESSAGES] = 4), BURST});
    login(&s, 0, "ann");
    login(&s, 2, "ann");
    login(&s, 1, "bob");
    s.w.now_ms += 10000;
    cr_assert_eq(publish_some(&s, 0, 2, 1).code, 0);
    cr_assert_eq(publish_some(&s, 2, 2, 1).code, 0);
    struct told told = publish_some(&s, 2, 1, 1);
    cr_assert_eq(told.code, SHUNT_TOO_MANY);
    cr_assert_neq(strstr(told.text, "user `ann` may have 4 messages a second (user-publish-rate)"), NULL,
                  "%s", told.text);
    cr_assert_eq(publish_some(&s, 1, 4, 1).code, 0);
    cr_assert_eq(s.w.engine->quotas.refused[QUOTA_USER][QUOTA_MESSAGES], 1);
    world_stop(&s.w);
}

Test(quotas, of_an_address_and_a_user_the_longer_wait_is_told_and_neither_is_charged)
{
    struct scene s;
    start(&s, (struct engine_limits){
                  .address = RATES([QUOTA_REQUESTS] = 10), .user = RATES([QUOTA_REQUESTS] = 1), BURST});
    login(&s, 0, "ann");
    s.w.now_ms += 10000;
    cr_assert_eq(look(&s, 0).code, 0);
    for (int i = 0; i < 20; i++) {
        struct told told = look(&s, 0);
        cr_assert_eq(told.code, SHUNT_TOO_MANY);
        cr_assert(told.wait_ms > 990 && told.wait_ms <= 1000, "%llu", (unsigned long long)told.wait_ms);
    }
    for (int i = 0; i < 9; i++)
        cr_assert_eq(look(&s, 1).code, 0, "the address has what it did not use: %d", i);
    cr_assert_eq(look(&s, 1).code, SHUNT_TOO_MANY);
    world_stop(&s.w);
}

Test(quotas, the_local_administrator_has_none)
{
    struct scene s;
    start(&s, (struct engine_limits){.address = RATES([QUOTA_MESSAGES] = 1, [QUOTA_REQUESTS] = 1), BURST});
    s.w.links[0]->session->who.how = WHO_LOCAL;
    connect_from(&s, 0, "unix:uid=0,pid=1");
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(look(&s, 0).code, 0);
        cr_assert_eq(publish_some(&s, 0, 5, 10).code, 0);
    }
    world_stop(&s.w);
}

Test(quotas, a_user_has_so_many_connections_and_others_theirs)
{
    struct scene s;
    const char *why = NULL;
    start(&s, (struct engine_limits){.user.connections = 2, BURST});
    login(&s, 0, "ann");
    login(&s, 1, "ann");
    gate_login(&s.w, 2, "ann");
    struct session *third = s.w.links[2]->session;
    quotas_end(third);
    cr_assert_eq(quotas_begin(third, &why), SHUNT_TOO_MANY);
    cr_assert_neq(strstr(why, "user `ann` may have 2 connections (user-connections)"), NULL, "%s", why);
    cr_assert_eq(s.w.engine->quotas.refused[QUOTA_USER][QUOTA_CONNECTIONS], 1);
    login(&s, 3, "bob");
    quotas_end(s.w.links[0]->session);
    cr_assert_eq(quotas_begin(third, &why), 0, "one has gone");
    world_stop(&s.w);
}

/* The wire says it as well: HELLO is refused, and the connection closed. */
Test(quotas, hello_is_refused_when_its_user_has_too_many_connections)
{
    struct scene s;
    start(&s, (struct engine_limits){.user.connections = 1, .retry_after_ms = 250, BURST});
    login(&s, 0, "ann");
    struct link *link = s.w.links[1];
    struct session *session = link->session;
    struct step st = {.session = session, .request_id = 77, .request = request_find(OP_HELLO)};
    gate_login(&s.w, 1, "ann");
    quotas_end(session);
    session->greeted = false;
    size_t before = s.w.told[1].size;
    greet(s.w.engine, &st);
    session_count_output(session);
    world_turn(&s.w);
    cr_assert_eq(gate_heard(&s.w, 1, before, OP_ERROR, 77).code, SHUNT_TOO_MANY);
    cr_assert_geq(session->flow.requests, REQUESTS_CLOSING);
    world_stop(&s.w);
}

/* The ledger has the last word: what was stored is never called refused. */
Test(quotas, a_frame_that_was_answered_before_gets_that_answer_beyond_the_limit)
{
    struct scene s;
    struct mpack_buffer frame = {0};
    start(&s, (struct engine_limits){.address = RATES([QUOTA_MESSAGES] = 1), BURST});
    s.w.links[0]->session->has_producer = true;
    put_publish(&frame, 77, 1, 1, 10);
    cr_assert_eq(send(&s, 0, &frame).code, 0);
    uint64_t before = published(&s);
    put_publish(&frame, 77, 2, 1, 10);
    cr_assert_eq(send(&s, 0, &frame).code, SHUNT_TOO_MANY);
    put_publish(&frame, 77, 1, 1, 10);
    cr_assert_eq(send(&s, 0, &frame).code, 0, "the answer of then");
    cr_assert_eq(published(&s), before);
    s.w.now_ms += 1000;
    put_publish(&frame, 77, 2, 1, 10);
    cr_assert_eq(send(&s, 0, &frame).code, 0, "and a refused one may come again under its number");
    cr_assert_eq(published(&s), before + 1);
    world_stop(&s.w);
}

/* One that is handled in parts is asked for once, as a whole. */
Test(quotas, a_large_frame_counts_once_and_is_stored_or_refused_as_a_whole)
{
    struct scene s;
    struct mpack_buffer frame = {0};
    start(&s, (struct engine_limits){.address = RATES([QUOTA_MESSAGES] = 5000), BURST});
    s.w.engine->turn.rows_max = 4000; /* the frame takes several turns */
    uint64_t before = published(&s);
    for (int i = 0; i < 2; i++) {
        size_t told = s.w.told[0].size;
        put_publish(&frame, 77, 0, 5000, 1);
        post_frame(&s.w, s.w.links[0], &frame, NULL);
        struct heard heard = {0};
        for (int turns = 0; !heard.op && turns < 100; turns++) {
            world_turn(&s.w);
            heard = gate_heard(&s.w, 0, told, 0, 77);
        }
        cr_assert_eq(heard.op, i ? OP_ERROR : OP_OK);
        cr_assert_eq(heard.code, i ? SHUNT_TOO_MANY : 0);
        cr_assert_eq(published(&s) - before, 5000);
    }
    world_stop(&s.w);
}

Test(quotas, an_owner_is_told_of_at_once_and_then_once_a_minute)
{
    struct scene s;
    start(&s, (struct engine_limits){.address = RATES([QUOTA_REQUESTS] = 1), BURST});
    for (int i = 0; i < 11; i++)
        (void)look(&s, 0);
    cr_assert_eq(s.told, 1);
    cr_assert_eq(s.count, 1);
    cr_assert_str_eq(s.setting, "address-request-rate");
    s.w.now_ms += QUOTA_TOLD_MS;
    cr_assert_eq(look(&s, 0).code, 0);
    cr_assert_eq(look(&s, 0).code, SHUNT_TOO_MANY);
    cr_assert_eq(s.told, 2);
    cr_assert_eq(s.count, 10);
    world_stop(&s.w);
}

Test(quotas, limits_that_come_later_hold_for_who_is_there)
{
    struct scene s;
    start(&s, (struct engine_limits){BURST});
    cr_assert_null(s.w.links[0]->session->quotas.of[QUOTA_ADDRESS], "without limits nothing is kept");
    for (int i = 0; i < 50; i++)
        cr_assert_eq(look(&s, 0).code, 0);
    s.w.engine->config.limits.address.rates[QUOTA_REQUESTS] = 1;
    quotas_reload(s.w.engine);
    cr_assert_eq(look(&s, 0).code, 0);
    cr_assert_eq(look(&s, 1).code, SHUNT_TOO_MANY);
    s.w.engine->config.limits.address.rates[QUOTA_REQUESTS] = 0;
    quotas_reload(s.w.engine);
    cr_assert_eq(look(&s, 1).code, 0);
    world_stop(&s.w);
}
