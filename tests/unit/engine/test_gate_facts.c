/* test_gate_facts: what is asked for beside the right on the topic: by the fields of a request, and by what is stored. */
#include "proto/errors.h"
#include "proto/frame.h"
#include "tests/unit/engine/gate_world.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define R(NAME) RIGHT(NAME)

/* ---- what depends on the fields ---- */

static struct heard redrive_to(struct world *w, const char *target)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_DLQ_REDRIVE, 77, 5);
    mpack_write_cstr(&frame, "t");
    mpack_write_cstr(&frame, "default");
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "all");
    mpack_write_bool(&frame, true);
    mpack_write_uint(&frame, 0);
    gate_put_map(&frame, "to", target, NULL, NULL);
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

/* `action` NULL: it is only turned on. */
static struct heard set_rule(struct world *w, unsigned number, const char *action, const char *target)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_RULE_SET, 77, action ? 5 : 3);
    mpack_write_cstr(&frame, "t");
    mpack_write_cstr(&frame, "default");
    mpack_write_uint(&frame, number);
    if (action) {
        mpack_write_nil(&frame);
        gate_put_map(&frame, "action", action, target ? "to" : NULL, target);
    }
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

Test(gate, a_redrive_to_another_topic_needs_publish_there_and_to_look_at_what_goes)
{
    struct world w;
    const struct grant both[] = {{slice_of("t"), R(DLQ_REDRIVE) | R(DLQ_LOOK)},
                                 {slice_of("other"), R(PUBLISH)}};
    gate_start(&w);
    gate_grant_one(&w, "u", "*", R(DLQ_REDRIVE) | R(PUBLISH));
    gate_login(&w, 1, "u");
    cr_assert_str_eq(redrive_to(&w, "other").text,
                     "not permitted: user `u` has no right `dlq-look` on topic `t`");
    gate_grant_one(&w, "u", "t", R(DLQ_REDRIVE) | R(DLQ_LOOK) | R(PUBLISH));
    struct heard heard = redrive_to(&w, "other");
    cr_assert_eq(heard.code, SHUNT_FORBIDDEN);
    cr_assert_str_eq(heard.text, "not permitted: user `u` has no right `publish` on topic `other`");
    gate_grant(&w, "u", both, 2);
    cr_assert_eq(redrive_to(&w, "other").code, SHUNT_UNKNOWN_TOPIC);
    world_stop(&w);
}

Test(gate, a_rule_that_discards_needs_the_right_to_purge_and_one_that_moves_those_to_look_and_to_publish)
{
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(DLQ_REDRIVE));
    gate_login(&w, 1, "u");
    cr_assert_eq(set_rule(&w, 1, "mute", NULL).op, OP_OK);
    cr_assert_str_eq(set_rule(&w, 2, "discard", NULL).text,
                     "not permitted: user `u` has no right `dlq-purge` on topic `t`");
    cr_assert_str_eq(set_rule(&w, 3, "move", "other").text,
                     "not permitted: user `u` has no right `dlq-look` on topic `t`");
    gate_grant_one(&w, "u", "t", R(DLQ_REDRIVE) | R(DLQ_LOOK));
    cr_assert_str_eq(set_rule(&w, 3, "move", "other").text,
                     "not permitted: user `u` has no right `publish` on topic `other`");
    gate_logout(&w, 1);
    cr_assert_eq(set_rule(&w, 2, "discard", NULL).op, OP_OK);
    cr_assert_eq(gate_request(&w, 1, OP_TOPIC_CREATE, "other", NULL).op, OP_OK);
    cr_assert_eq(set_rule(&w, 3, "move", "other").op, OP_OK);
    gate_login(&w, 1, "u"); /* to turn on what somebody else has set is no way around it */
    cr_assert_eq(set_rule(&w, 1, NULL, NULL).op, OP_OK);
    cr_assert_eq(set_rule(&w, 2, NULL, NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(set_rule(&w, 3, NULL, NULL).code, SHUNT_FORBIDDEN);
    gate_grant_one(&w, "u", "*", R(DLQ_REDRIVE) | R(DLQ_LOOK) | R(DLQ_PURGE) | R(PUBLISH));
    cr_assert_eq(set_rule(&w, 2, NULL, NULL).op, OP_OK);
    cr_assert_eq(set_rule(&w, 3, NULL, NULL).op, OP_OK);
    world_stop(&w);
}

/* `group` NULL: of the topic. */
static struct heard set_policy(struct world *w, const char *group, const char *key, int64_t value)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, group ? OP_GROUP_UPDATE : OP_TOPIC_UPDATE, 77, group ? 3 : 2);
    mpack_write_cstr(&frame, "t");
    if (group)
        mpack_write_cstr(&frame, group);
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, key);
    mpack_write_int(&frame, value);
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

/* A retention of a moment drops dead letters as a purge does. */
Test(gate, to_change_how_long_dead_letters_are_kept_needs_the_right_to_purge)
{
    static const char why[] = "not permitted: user `u` has no right `dlq-purge` on topic `t`";
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "u", "t", R(ADMIN));
    gate_login(&w, 1, "u");
    cr_assert_eq(set_policy(&w, NULL, "lease_ms", 5000).op, OP_OK);
    cr_assert_eq(set_policy(&w, "default", "lease_ms", 5000).op, OP_OK);
    cr_assert_str_eq(set_policy(&w, NULL, "dlq_retention_ms", 1).text, why);
    cr_assert_str_eq(set_policy(&w, "default", "dlq_retention_ms", 1).text, why);
    gate_grant_one(&w, "u", "t", R(ADMIN) | R(DLQ_PURGE));
    cr_assert_eq(set_policy(&w, NULL, "dlq_retention_ms", 1).op, OP_OK);
    cr_assert_eq(set_policy(&w, "default", "dlq_retention_ms", 1).op, OP_OK);
    world_stop(&w);
}

/* ---- oneself, and others ---- */

static void put_texts(struct mpack_buffer *to, const char *key, const char *text)
{
    mpack_write_map(to, 1);
    mpack_write_cstr(to, key);
    mpack_write_array(to, 1);
    mpack_write_cstr(to, text);
}

/* `list` NULL: `value` is a text. */
static struct heard set_user(struct world *w, const char *user, const char *key, const char *value, bool list)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, OP_USER_SET, 77, 2);
    mpack_write_cstr(&frame, user);
    if (list)
        put_texts(&frame, key, value);
    else
        gate_put_map(&frame, key, value, NULL, NULL);
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

/* `number`: the request begins with that, and then, if there is one, names the user. */
static struct heard about_tokens(struct world *w, unsigned op, bool number, unsigned between,
                                 const char *user)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, op, 77, number + between + (user != NULL));
    if (number)
        mpack_write_uint(&frame, 999);
    for (unsigned i = 0; i < between; i++)
        mpack_write_nil(&frame);
    if (user)
        mpack_write_cstr(&frame, user);
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

Test(gate, everybody_may_change_his_password_and_his_tokens_and_nothing_else_of_users)
{
    static const char verifier[] = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
                                   "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
    struct world w;
    gate_start(&w);
    gate_grant_one(&w, "other", "*", R(LOOK));
    gate_grant_one(&w, "u", "*", RIGHTS_ALL & ~R(DLQ_PURGE));
    gate_login(&w, 1, "u");
    struct heard heard = set_user(&w, "u", "password", verifier, false);
    cr_assert_eq(heard.op, OP_OK, "%s", heard.text);
    cr_assert_eq(set_user(&w, "other", "password", verifier, false).code, SHUNT_FORBIDDEN);
    heard = set_user(&w, "u", "roles", "administrator", true);
    cr_assert_str_eq(heard.text, "not permitted: user `u` is no administrator");
    cr_assert_eq(set_user(&w, "u", "grants", "*:all", true).code, SHUNT_FORBIDDEN);
    cr_assert_eq(set_user(&w, "u", "certificates", "dns:x", true).code, SHUNT_FORBIDDEN);
    cr_assert_eq(set_user(&w, "u", "state", "enabled", false).code, SHUNT_FORBIDDEN);
    cr_assert_eq(set_user(&w, "new", "must_be", "new", false).code, SHUNT_FORBIDDEN);
    cr_assert_eq(set_user(&w, "", "password", verifier, false).code, SHUNT_FORBIDDEN);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_CREATE, false, 0, NULL).op, OP_OK);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_CREATE, false, 0, "u").op, OP_OK);
    cr_assert_eq(w.secrets, 2, "the answers that tell a token are wiped");
    cr_assert_eq(about_tokens(&w, OP_TOKEN_CREATE, false, 0, "other").code, SHUNT_FORBIDDEN);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_LIST, false, 0, NULL).op, OP_OK);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_LIST, false, 2, "other").code, SHUNT_FORBIDDEN);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_REVOKE, true, 0, NULL).code, SHUNT_NOT_FOUND);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_REVOKE, true, 0, "other").code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_WHOAMI, NULL, NULL).op, OP_OK);
    cr_assert_eq(gate_request(&w, 1, OP_USER_LIST, NULL, NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_ROLE_LIST, NULL, NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_USER_DELETE, "other", NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_ROLE_SET, "mine", NULL).code, SHUNT_FORBIDDEN);
    cr_assert_eq(gate_request(&w, 1, OP_ROLE_DELETE, "mine", NULL).code, SHUNT_FORBIDDEN);
    cr_assert_gt(w.engine->refusals.count[RIGHTS], 10);
    gate_grant_one(&w, "u", "*", RIGHTS_ALL);
    cr_assert_eq(gate_request(&w, 1, OP_USER_LIST, NULL, NULL).op, OP_OK);
    cr_assert_eq(about_tokens(&w, OP_TOKEN_CREATE, false, 0, "other").op, OP_OK);
    cr_assert_eq(w.secrets, 3, "and no other answer");
    world_stop(&w);
}

Test(gate, nobody_revokes_the_token_of_another_by_its_number)
{
    struct world w;
    struct mpack_buffer frame = {0};
    gate_start(&w);
    gate_grant_one(&w, "other", "*", R(LOOK));
    gate_grant_one(&w, "u", "*", R(LOOK));
    gate_login(&w, 1, "other");
    struct heard heard = about_tokens(&w, OP_TOKEN_CREATE, false, 0, NULL);
    uint64_t token = gate_first_number(&heard);
    gate_login(&w, 1, "u");
    size_t at = frame_begin(&frame, OP_TOKEN_REVOKE, 77, 1);
    mpack_write_uint(&frame, token);
    frame_end(&frame, at);
    cr_assert_eq(gate_send(&w, 1, &frame).code, SHUNT_NOT_FOUND);
    world_stop(&w);
}

/* ---- what depends on what is stored ---- */

static void delete_with(unsigned op)
{
    struct world w;
    gate_start(&w);
    gate_die_one(&w);
    cr_assert_eq(gate_request(&w, 0, OP_GROUP_CREATE, "t", "second").op, OP_OK);
    gate_grant_one(&w, "u", "t", R(ADMIN));
    gate_login(&w, 1, "u");
    const char *group = op == OP_GROUP_DELETE ? "default" : NULL;
    struct heard heard = gate_request(&w, 1, op, "t", group);
    cr_assert_str_eq(heard.text, "not permitted: user `u` has no right `dlq-purge` on topic `t`");
    cr_assert_eq(w.engine->refusals.count[RIGHT_DLQ_PURGE], 1);
    cr_assert_eq(gate_request(&w, 0, OP_TOPIC_SHOW, "t", NULL).op, OP_OK, "it is still there");
    cr_assert_eq(view_sums(w.engine->ledger)->dead, 1);
    gate_grant_one(&w, "u", "t", R(ADMIN) | R(DLQ_PURGE));
    cr_assert_eq(gate_request(&w, 1, op, "t", group).op, OP_OK);
    world_stop(&w);
}

Test(gate, who_may_not_drop_dead_letters_cannot_delete_what_has_some)
{
    delete_with(OP_TOPIC_DELETE);
    delete_with(OP_GROUP_DELETE);
}

Test(gate, a_group_without_dead_letters_is_deleted_beside_one_that_has_some)
{
    struct world w;
    gate_start(&w);
    gate_die_one(&w);
    cr_assert_eq(gate_request(&w, 0, OP_GROUP_CREATE, "t", "second").op, OP_OK);
    gate_grant_one(&w, "u", "t", R(ADMIN));
    gate_login(&w, 1, "u");
    cr_assert_eq(gate_request(&w, 1, OP_GROUP_DELETE, "t", "second").op, OP_OK);
    world_stop(&w);
}

static struct heard ask_job(struct world *w, unsigned op, uint64_t job)
{
    struct mpack_buffer frame = {0};
    size_t at = frame_begin(&frame, op, 77, 1);
    mpack_write_uint(&frame, job);
    frame_end(&frame, at);
    return gate_send(w, 1, &frame);
}

/* What the user is told of the job with these rights on "t". */
static uint64_t code_with(struct world *w, uint32_t rights, unsigned op, uint64_t job)
{
    gate_grant_one(w, "u", "t", rights);
    return ask_job(w, op, job).code;
}

Test(gate, a_job_is_not_there_for_who_may_not_look_and_needs_what_began_it)
{
    static const unsigned acts[] = {OP_JOB_CANCEL, OP_JOB_PAUSE, OP_JOB_RESUME};
    struct world w;
    struct mpack_buffer frame = {0};
    gate_start(&w);
    gate_grant_one(&w, "u", "t", 0);
    gate_login(&w, 1, "u");
    publish(&w, w.links[0], 3, 1);
    struct heard begun = gate_request(&w, 0, OP_TOPIC_PURGE, "t", NULL);
    uint64_t purge = gate_first_number(&begun);
    gate_die_one(&w);
    size_t at = frame_begin(&frame, OP_DLQ_REDRIVE, 77, 5); /* waits for a consumer of another build */
    mpack_write_cstr(&frame, "t");
    mpack_write_cstr(&frame, "default");
    mpack_write_map(&frame, 1);
    mpack_write_cstr(&frame, "all");
    mpack_write_bool(&frame, true);
    mpack_write_uint(&frame, 0);
    gate_put_map(&frame, "hold_for_build", "2", NULL, NULL);
    frame_end(&frame, at);
    begun = gate_send(&w, 0, &frame);
    uint64_t redrive = gate_first_number(&begun);

    cr_assert_eq(code_with(&w, RIGHTS_ALL & ~R(LOOK), OP_JOB_SHOW, purge), SHUNT_NOT_FOUND);
    cr_assert_eq(code_with(&w, R(LOOK), OP_JOB_SHOW, purge), 0);
    cr_assert_eq(code_with(&w, RIGHTS_ALL & ~R(DLQ_LOOK), OP_JOB_SHOW, redrive), SHUNT_NOT_FOUND);
    cr_assert_eq(code_with(&w, R(DLQ_LOOK), OP_JOB_SHOW, redrive), 0);
    gate_grant_one(&w, "u", "t", R(PUBLISH));
    char said[128];
    (void)snprintf(said, sizeof said,
                   "no such message, dead letter, job, rule, subscription, user, role or token: job %llu; of "
                   "those that are done the "
                   "last 100 are kept",
                   (unsigned long long)redrive);
    cr_assert_str_eq(ask_job(&w, OP_JOB_SHOW, redrive).text, said);
    cr_assert_str_eq(ask_job(&w, OP_JOB_SHOW, 999).text,
                     "no such message, dead letter, job, rule, subscription, user, role or token: job 999; "
                     "of those that are done the "
                     "last 100 are kept");
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        cr_assert_eq(code_with(&w, RIGHTS_ALL & ~R(DLQ_LOOK), acts[i], redrive), SHUNT_NOT_FOUND);
        cr_assert_eq(code_with(&w, RIGHTS_ALL & ~R(DLQ_REDRIVE), acts[i], redrive), SHUNT_FORBIDDEN);
        cr_assert_eq(code_with(&w, RIGHTS_ALL & ~R(LOOK), acts[i], purge), SHUNT_NOT_FOUND);
        cr_assert_eq(code_with(&w, RIGHTS_ALL & ~R(ADMIN), acts[i], purge), SHUNT_FORBIDDEN);
    }
    cr_assert_eq(code_with(&w, R(DLQ_LOOK) | R(DLQ_REDRIVE), OP_JOB_CANCEL, redrive), 0);
    world_stop(&w);
}
