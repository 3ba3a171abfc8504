/* test_gate_changes: a change of users, roles or tokens takes effect at once, on open connections and subscriptions. */
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/gate_world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define R(NAME) RIGHT(NAME)

/* ---- a change takes effect at once ---- */

static size_t said(const struct world *w)
{
    return w->told[1].size;
}

Test(gate, a_right_that_is_taken_away_is_gone_for_the_next_request)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(LOOK) | R(PUBLISH));
    gate_login(&w, 1, "u");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).op, OP_OK);
    gate_grant_one(&w, "u", "t", R(PUBLISH));
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).code, SHUNT_FORBIDDEN);
    gate_grant_one(&w, "u", "t", R(LOOK));
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).op, OP_OK);
    world_stop(&w);
}

Test(gate, a_role_that_changes_changes_its_users)
{
    const struct grant look = {slice_of("t"), R(LOOK)}, none = {slice_of("other"), R(LOOK)};
    const struct slice role = slice_of("readers");
    struct command c = {.kind = COMMAND_ROLE_SET, .role = {.name = role, .grants = &look, .grants_count = 1}};
    struct world w;
    gate_start(&w);
    gate_apply(&w, &c);
    gate_apply(&w,
               &(struct command){
                   .kind = COMMAND_USER_SET,
                   .user = {.name = slice_of("u"), .given = USER_ROLES, .roles = &role, .roles_count = 1}});
    gate_login(&w, 1, "u");
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).op, OP_OK);
    c.role.grants = &none;
    gate_apply(&w, &c);
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).code, SHUNT_FORBIDDEN);
    world_stop(&w);
}

Test(gate, a_subscription_ends_with_its_right_and_what_it_held_comes_back_uncharged)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(CONSUME) | R(LOOK));
    gate_login(&w, 1, "u");
    publish(&w, w.links[0], 2, 1);
    subscribe(&w, w.links[1]);
    world_turn(&w);
    cr_assert_eq(view_sums(w.engine->ledger)->in_flight, 2);
    size_t before = said(&w);
    gate_grant_one(&w, "u", "t", R(LOOK));
    struct heard closed = gate_heard(&w, 1, before, OP_CLOSED, 0);
    cr_assert_eq(closed.op, OP_CLOSED);
    cr_assert_eq(closed.code, SHUNT_FORBIDDEN);
    cr_assert_str_eq(closed.text, "not permitted: user `u` has no right `consume` on topic `t` any more");
    cr_assert_eq(w.links[1]->session->subscriptions_count, 0);
    cr_assert_eq(view_sums(w.engine->ledger)->in_flight, 0);
    cr_assert_eq(view_sums(w.engine->ledger)->ready, 2, "at once, in front");
    cr_assert(flow_may(&w.links[1]->session->flow, FLOW_HEAR), "the connection goes on");
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).op, OP_OK);
    struct heard again = gate_request(&w, 1, OP_PEEK, "t", "default");
    cr_assert_eq(gate_rows(&again), 2, "nobody was charged, so neither waits");
    world_stop(&w);
}

Test(gate, a_subscription_of_a_dead_letter_queue_ends_with_dlq_consume_alone)
{
    struct world w;
    struct mpack_buffer frame = {0};
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(CONSUME) | R(DLQ_CONSUME));
    gate_login(&w, 1, "u");
    size_t at = frame_begin(&frame, OP_SUBSCRIBE, 77, 4);
    mpack_write_cstr(&frame, "dlq:t:default");
    mpack_write_cstr(&frame, "default");
    mpack_write_uint(&frame, 10);
    mpack_write_uint(&frame, 1000);
    frame_end(&frame, at);
    cr_assert_eq(gate_send(&w, 1, &frame).op, OP_OK);
    subscribe(&w, w.links[1]);
    cr_assert_eq(w.links[1]->session->subscriptions_count, 2);
    size_t before = said(&w);
    gate_grant_one(&w, "u", "t", R(CONSUME));
    struct heard closed = gate_heard(&w, 1, before, OP_CLOSED, 0);
    cr_assert_str_eq(closed.text, "not permitted: user `u` has no right `dlq-consume` on topic `t` any more");
    cr_assert_eq(w.links[1]->session->subscriptions_count, 1);
    cr_assert_not(w.links[1]->session->subscriptions[0]->dead);
    world_stop(&w);
}

/* The connection of "u" holds a message; then this is done. It ends, and the message comes back. */
static void ends(struct world *w, void change(struct world *w))
{
    publish(w, w->links[0], 1, 1);
    subscribe(w, w->links[1]);
    world_turn(w);
    cr_assert_eq(view_sums(w->engine->ledger)->in_flight, 1);
    size_t before = said(w);
    change(w);
    struct heard closed = gate_heard(w, 1, before, OP_CLOSED, 0);
    cr_assert_eq(closed.op, OP_CLOSED);
    cr_assert_eq(closed.code, SHUNT_UNAUTHENTICATED, "%s", closed.text);
    const struct session *s = w->links[1]->session;
    cr_assert(!s || !flow_may(&s->flow, FLOW_GO_ON), "it is closed");
    cr_assert_eq(view_sums(w->engine->ledger)->in_flight, 0);
    cr_assert_eq(view_sums(w->engine->ledger)->ready, 1);
}

static void disable(struct world *w)
{
    gate_disable(w, "u");
}

static void delete (struct world *w)
{
    gate_delete(w, "u");
}

static void revoke(struct world *w)
{
    gate_apply(
        w, &(struct command){.kind = COMMAND_TOKEN_REVOKE, .token_name.id = w->links[1]->session->who.token});
}

static void expire(struct world *w)
{
    w->now_ms += 60000;
    world_turn(w);
    world_turn(w);
}

Test(gate, the_connections_of_a_user_end_when_it_is_disabled_or_deleted)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(CONSUME));
    gate_login(&w, 1, "u");
    ends(&w, disable);
    world_stop(&w);
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(CONSUME));
    gate_login(&w, 1, "u");
    ends(&w, delete);
    world_stop(&w);
}

Test(gate, a_later_user_of_the_same_name_is_somebody_else)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(LOOK));
    gate_login(&w, 1, "u");
    gate_login(&w, 2, "u");
    w.links[2]->session->who.id++; /* as if it had come between the two */
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "t", NULL).op, OP_OK);
    cr_assert_eq(gate_request(&w, 2, OP_TOPIC_SHOW, "t", NULL).code, SHUNT_UNAUTHENTICATED);
    world_stop(&w);
}

static uint64_t last_token(struct world *w)
{
    struct store_txn *txn;
    struct token_record token;
    uint64_t last = 0;
    cr_assert_eq(store_begin(w->engine->store, false, &txn), 0);
    for (uint64_t id = 1; id < 100; id++)
        last = ledger_token(w->engine->ledger, txn, id, &token) ? last : id;
    store_abort(txn);
    cr_assert_neq(last, 0);
    return last;
}

/* The connection has shown a token of "u", which expires then (0: never); another one shows none. */
static void with_token(struct world *w, int64_t expires_ms)
{
    const uint8_t hash[32] = {1};
    gate_start(w);
    gate_grant_one(w, "u", "t", R(CONSUME));
    gate_login(w, 1, "u");
    gate_login(w, 2, "u");
    gate_apply(w,
               &(struct command){
                   .kind = COMMAND_TOKEN_ADD,
                   .token = {.user = slice_of("u"), .hash = {hash, sizeof hash}, .expires_ms = expires_ms}});
    struct who *who = &w->links[1]->session->who;
    who->how = WHO_TOKEN;
    who->token = last_token(w);
    who->expires_ms = expires_ms;
}

Test(gate, the_connections_of_a_token_end_when_it_is_revoked_or_expires_and_no_others)
{
    struct world w;
    with_token(&w, 0);
    ends(&w, revoke);
    cr_assert(flow_may(&w.links[2]->session->flow, FLOW_HEAR));
    world_stop(&w);
    with_token(&w, WORLD_WALL_MS + 30000);
    ends(&w, expire);
    cr_assert(flow_may(&w.links[2]->session->flow, FLOW_HEAR));
    world_stop(&w);
}
