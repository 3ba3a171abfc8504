/* test_gate: no request is answered that its connection has no right to, and every request has a rule. */
#include "broker/engine/gate.h"
#include "broker/engine/request.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/gate_world.h"
#include "tests/unit/proto/request_sample.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define R(NAME) RIGHT(NAME)

/* What each request needs, written down once more: on topic "t", and on "dlq:t:default". A request that is not here is a failure. */
static const struct rule {
    unsigned op;
    uint32_t rights, dlq_rights; /* all of them; NOTHING: it is not asked */
    bool somewhere;              /* one of them, on any topic */
    bool everywhere;             /* by a grant of `*` */
} rules[] = {
#define NOTHING 0
    {OP_GOODBYE, NOTHING, NOTHING, false, false},
    {OP_PING, NOTHING, NOTHING, false, false},
    {OP_CREDIT, NOTHING, NOTHING, false, false}, /* of a subscription, which needed CONSUME */
    {OP_UNSUBSCRIBE, NOTHING, NOTHING, false, false},
    {OP_RESOLVE, NOTHING, NOTHING, false, false},
    {OP_PUBLISH, R(PUBLISH), R(DLQ_REDRIVE), false, false},
    {OP_PRODUCER, R(PUBLISH), 0, true, false},
    {OP_SUBSCRIBE, R(CONSUME), R(DLQ_CONSUME), false, false},
    {OP_TOPIC_CREATE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_TOPIC_UPDATE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_TOPIC_SHOW, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_TOPIC_LIST, R(LOOK) | R(DLQ_LOOK), 0, true, false},
    {OP_OVERVIEW, R(LOOK) | R(DLQ_LOOK), 0, true, false},
    {OP_TOPIC_DELETE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_TOPIC_PURGE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_GROUP_CREATE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_GROUP_UPDATE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_GROUP_SHOW, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_GROUP_LIST, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_GROUP_DELETE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_GROUP_PAUSE, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_GROUP_RESUME, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_GROUP_HOLDERS, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_BREAKER_RESET, R(ADMIN), R(DLQ_REDRIVE) | R(DLQ_PURGE), false, false},
    {OP_KEY_LIST, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_PEEK, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_WHY, R(LOOK), R(DLQ_LOOK), false, false},
    {OP_DLQ_LIST, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
    {OP_DLQ_SHOW, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
    {OP_DLQ_REDRIVE, R(DLQ_REDRIVE), R(DLQ_REDRIVE), false, false},
    {OP_DLQ_PURGE, R(DLQ_PURGE), R(DLQ_PURGE), false, false},
    {OP_DLQ_CAUSES, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
    {OP_DLQ_CAUSE, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
    {OP_DLQ_ATTEND, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
    {OP_CAUSE_UPDATE, R(DLQ_REDRIVE), R(DLQ_REDRIVE), false, false},
    {OP_DLQ_EDIT, R(DLQ_REDRIVE), R(DLQ_REDRIVE), false, false},
    {OP_JOB_LIST, R(LOOK) | R(DLQ_LOOK), 0, true, false},
    {OP_CLOCK_SET, R(ADMIN), 0, false, true},
    {OP_STATS, R(LOOK) | R(DLQ_LOOK), 0, true, false},
    {OP_AUDIT_LIST, R(LOOK) | R(DLQ_LOOK), 0, true, false},
    {OP_CLIENT_LIST, R(ADMIN), 0, false, true},
    {OP_RULE_SET, R(DLQ_REDRIVE), R(DLQ_REDRIVE), false, false},
    {OP_RULE_LIST, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
    {OP_RULE_DELETE, R(DLQ_REDRIVE), R(DLQ_REDRIVE), false, false},
    {OP_RULE_TEST, R(DLQ_LOOK), R(DLQ_LOOK), false, false},
};

/* HELLO and WITHIN are none that is asked for a right, STARTED is not answered, and jobs have a test of their own. */
static bool is_elsewhere(unsigned op)
{
    return op == OP_HELLO || op == OP_WITHIN || op == OP_STARTED || op == OP_JOB_SHOW || op == OP_JOB_PAUSE ||
           op == OP_JOB_RESUME || op == OP_JOB_CANCEL || request_find(op)->need == NEED_SELF ||
           request_find(op)->need == NEED_SELF_OR_USERS || request_find(op)->need == NEED_USERS;
}

static const struct rule *rule_of(unsigned op)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].op == op)
            return &rules[i];
    }
    return NULL;
}

/* The sample, as a frame, with another topic. */
static void write_sample(struct mpack_buffer *to, const struct sample *s, const char *topic)
{
    struct mpack_buffer message = {0}, name = {0};
    size_t at = frame_begin(to, (enum wire_op)s->op, 77, s->needed);
    mpack_write_cstr(&name, topic);
    mpack_write_array(&message, 1);
    mpack_write_array(&message, 1);
    mpack_write_bin(&message, "m", 1);
    for (uint32_t i = 0; i < s->needed; i++) {
        const struct mpack_buffer *field = &s->fields[i];
        if (strcmp(s->names[i], "topic") == 0)
            field = &name;
        if (s->op == OP_PUBLISH && i == 3)
            field = &message;
        mpack_write_raw(to, field->data, field->size);
    }
    frame_end(to, at);
    mpack_buffer_done(&message);
    mpack_buffer_done(&name);
}

static bool is_let_in(const struct rule *rule, bool dlq, uint32_t rights)
{
    uint32_t needed = dlq ? rule->dlq_rights : rule->rights;
    if (rule->somewhere)
        return (rule->rights & rights) != 0;
    if (rule->everywhere)
        needed = rule->rights;
    return (needed & ~rights) == 0;
}

/* A new connection of the user each time, so that no request is the consequence of another. */
static struct heard try_sample(const struct sample *s, const char *topic, const char *pattern,
                               uint32_t rights)
{
    struct world w;
    struct mpack_buffer frame = {0};
    gate_start(&w);
    gate_grant_one(&w, "u", pattern, rights);
    gate_login(&w, 1, "u");
    write_sample(&frame, s, topic);
    uint64_t index = ledger_index(w.engine->ledger);
    uint64_t topics = view_topics_count(w.engine->ledger);
    struct heard heard = gate_send(&w, 1, &frame);
    if (heard.code == SHUNT_FORBIDDEN) { /* but for the row in the audit log */
        cr_assert_leq(ledger_index(w.engine->ledger), index + 1, "%s", s->name);
        cr_assert_eq(view_topics_count(w.engine->ledger), topics, "%s", s->name);
        cr_assert_eq(w.links[1]->session->subscriptions_count, 0, "%s", s->name);
        cr_assert_eq(view_sums(w.engine->ledger)->published, 0, "%s", s->name);
    }
    heard.body = (struct slice){0};
    world_stop(&w);
    return heard;
}

static void walk(const struct sample *s, bool dlq)
{
    const struct rule *rule = rule_of(s->op);
    const char *topic = dlq ? "dlq:t:default" : "t";
    cr_assert(rule, "%s has no rule", s->name);
    for (unsigned right = 0; right <= RIGHTS; right++) {
        uint32_t one = right < RIGHTS ? 1u << right : 0;
        const uint32_t sets[] = {one, RIGHTS_ALL & ~one};
        for (size_t i = 0; i < 2; i++) {
            struct heard heard = try_sample(s, topic, rule->everywhere ? "*" : "t", sets[i]);
            bool let_in = is_let_in(rule, dlq, sets[i]);
            cr_assert(heard.op, "%s is answered", s->name);
            cr_assert_eq(heard.code != SHUNT_FORBIDDEN, let_in, "%s of %s with the rights %x: %s", s->name,
                         topic, sets[i], heard.text);
        }
    }
    if (rule->rights && !rule->somewhere) {
        struct heard heard = try_sample(s, topic, "u*", RIGHTS_ALL); /* of other topics */
        cr_assert_eq(heard.code, SHUNT_FORBIDDEN, "%s", s->name);
    }
}

Test(gate, every_request_has_a_rule_and_is_refused_without_each_right_that_it_needs, .timeout = 300)
{
    unsigned walked = 0;
    for (uint32_t i = 0; i < samples_count(); i++) {
        struct sample s;
        sample_make(&s, i);
        if (!is_elsewhere(s.op)) {
            walk(&s, false);
            walked++;
        }
        sample_done(&s);
    }
    cr_assert_eq(walked, sizeof rules / sizeof *rules, "each rule is of a request");
}

Test(gate, on_a_dead_letter_queue_no_right_counts_but_its_own, .timeout = 300)
{
    for (uint32_t i = 0; i < samples_count(); i++) {
        struct sample s;
        sample_make(&s, i);
        const struct rule *rule = is_elsewhere(s.op) ? NULL : rule_of(s.op);
        if (rule && rule->dlq_rights)
            walk(&s, true);
        sample_done(&s);
    }
}

Test(gate, before_a_connection_has_users_everything_is_allowed)
{
    for (uint32_t i = 0; i < samples_count(); i++) {
        struct sample s;
        struct world w;
        struct mpack_buffer frame = {0};
        sample_make(&s, i);
        gate_start(&w);
        write_sample(&frame, &s, "t");
        struct heard heard = gate_send(&w, 1, &frame);
        cr_assert(heard.code != SHUNT_FORBIDDEN && heard.code != SHUNT_UNAUTHENTICATED, "%s", s.name);
        cr_assert_eq(w.engine->refusals.count[RIGHT_ADMIN], 0);
        world_stop(&w);
        sample_done(&s);
    }
}

Test(gate, the_local_administrator_may_do_everything)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", 0);
    w.links[1]->session->who.how = WHO_LOCAL;
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_CREATE, "new", NULL).op, OP_OK);
    cr_assert_eq(gate_request(&w, 1, OP_CLIENT_LIST, NULL, NULL).op, OP_OK);
    world_stop(&w);
}

/* What it makes would still let in who stole it, when it has been revoked. */
Test(gate, a_token_makes_no_tokens_and_sets_no_password_but_an_administrators_does)
{
    static const char why[] =
        "not permitted: user `anna` logged in by a token, which makes no tokens and sets no "
        "password: log in by password or certificate";
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "anna", "t", RIGHTS_ALL);
    gate_grant_one(&w, "boss", "*", RIGHTS_ALL);
    gate_login(&w, 1, "anna");
    cr_assert_eq(gate_request(&w, 1, OP_TOKEN_CREATE, "anna", NULL).op, OP_OK);
    cr_assert_eq(gate_request(&w, 1, OP_USER_SET, "anna", NULL).op, OP_OK);
    w.links[1]->session->who.how = WHO_TOKEN;
    cr_assert_str_eq(gate_request(&w, 1, OP_TOKEN_CREATE, "anna", NULL).text, why);
    cr_assert_str_eq(gate_request(&w, 1, OP_TOKEN_CREATE, NULL, NULL).text, why);
    cr_assert_str_eq(gate_request(&w, 1, OP_USER_SET, "anna", NULL).text, why);
    cr_assert_eq(gate_request(&w, 1, OP_TOKEN_LIST, NULL, NULL).op, OP_OK);
    gate_login(&w, 1, "boss");
    w.links[1]->session->who.how = WHO_TOKEN;
    cr_assert_eq(gate_request(&w, 1, OP_TOKEN_CREATE, "boss", NULL).op, OP_OK);
    world_stop(&w);
}

/* ---- what a refusal says ---- */

Test(gate, a_refusal_names_the_user_the_right_and_the_topic_and_not_whether_that_is_there)
{
    struct world w;
    struct heard there, missing;
    gate_start(&w);
    gate_grant_one(&w, "anna", "other", RIGHTS_ALL);
    gate_login(&w, 1, "anna");
    there = gate_request(&w, 1, OP_PEEK, "t", "default");
    missing = gate_request(&w, 1, OP_PEEK, "x", "default");
    cr_assert_eq(there.code, SHUNT_FORBIDDEN);
    cr_assert_str_eq(there.text, "not permitted: user `anna` has no right `look` on topic `t`");
    cr_assert_eq(missing.code, SHUNT_FORBIDDEN);
    cr_assert_str_eq(missing.text, "not permitted: user `anna` has no right `look` on topic `x`");
    there = gate_request(&w, 1, OP_DLQ_LIST, "t", "default");
    cr_assert_str_eq(there.text, "not permitted: user `anna` has no right `dlq-look` on topic `t`");
    there = gate_request(&w, 1, OP_TOPIC_SHOW, "dlq:t:default", NULL);
    cr_assert_str_eq(there.text, "not permitted: user `anna` has no right `dlq-look` on topic `t`");
    there = gate_request(&w, 1, OP_TOPIC_SHOW, "dlq:t:nobody", NULL);
    cr_assert_str_eq(there.text, "not permitted: user `anna` has no right `dlq-look` on topic `t`");
    there = gate_request(&w, 1, OP_CLIENT_LIST, NULL, NULL);
    cr_assert_str_eq(there.text,
                     "not permitted: user `anna` has no right `admin` on every topic, by a grant of `*`");
    gate_grant(&w, "anna", NULL, 0);
    there = gate_request(&w, 1, OP_STATS, NULL, NULL);
    cr_assert_str_eq(there.text, "not permitted: user `anna` has no right `look` on any topic");
    world_stop(&w);
}

Test(gate, a_name_that_only_begins_like_a_dead_letter_queue_has_no_rights)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "*", RIGHTS_ALL);
    gate_login(&w, 1, "u");
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "dlq:t", NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "dlq:", NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "dlq:t:nobody", NULL).code, SHUNT_UNKNOWN_TOPIC);
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_SHOW, "dlq:t:default", NULL).op, OP_OK);
    world_stop(&w);
}
