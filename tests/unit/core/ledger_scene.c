/* ledger_scene: a ledger in the middle of its work. */
#include "tests/unit/core/ledger_scene.h"

#include "broker/core/cause.h"

void scene_init(struct fixture *f)
{
    fixture_init(f);
    f->tap = NULL;
    topic_create_groups(f, "t", "a b");
    topic_update(f, "t", settings(POLICY_max_attempts, 2, POLICY_dlq_retention_ms, 3600000, -1));
    publish(f, "t", 8);
    publish_timed(f, "t", 5000, 60000);
    publish_timed(f, "t", 0, 60000);
    publish_as(f, "t", "0123456789abcdef", 1, 0, 2, 0);
    assign(f, "t", "a", 8);
    ack(f, "t", "a", 1);
    fail(f, "t", "a", 2, ATTEMPT_REJECTED);
    fail(f, "t", "a", 3, ATTEMPT_REJECTED);
    fail(f, "t", "a", 4, ATTEMPT_REJECTED);
    nack(f, "t", "a", 5, 1000);
    fail(f, "t", "a", 6, ATTEMPT_SUSPECTED);
    fail(f, "t", "a", 7, ATTEMPT_RELEASED); /* 8 stays in flight */
    assign(f, "t", "b", 9);
    assign(f, "dlq:t:a", "default", 2);
    topic_create(f, "u", settings(-1));
    publish(f, "u", 1);
    topic_purge(f, "u", NULL);                 /* a job that is over */
    redrive_ids_at(f, "t", "a", "t/2 t/3", 1); /* the first at once, the second one in a second */
    fixture_forget(f);
}

static void do_recover(struct fixture *f)
{
    recover(f);
}
static void do_limits(struct fixture *f)
{
    fixture_run(f, (struct command){.kind = COMMAND_LIMITS, .limits = {5, 5, 100, 1000, 0, 0}});
}
static void do_tick(struct fixture *f)
{
    tick(f, 3 * 3600000); /* everything is due, expired or kept long enough */
}
static void do_tick_soon(struct fixture *f)
{
    tick(f, 1500); /* a nacked message and the job's second one are due */
}
static void do_publish(struct fixture *f)
{
    publish_as(f, "t", "0123456789abcdef", 2, 1, 3, 0);
}
static void do_assign(struct fixture *f)
{
    assign(f, "t", "a", 10);
}
static void do_assign_suspects(struct fixture *f)
{
    assign_lane(f, "t", "a", LANE_SUSPECT, 1);
}
static void do_assign_dead(struct fixture *f)
{
    assign(f, "dlq:t:a", "default", 10);
}
static void do_resolve(struct fixture *f)
{
    nack(f, "t", "a", 8, DELAY_BACKOFF);
}
static void do_ack(struct fixture *f)
{
    ack(f, "t", "b", 10); /* it has a time to live */
}
static void do_last_ack(struct fixture *f)
{
    ack(f, "t", "b", 1); /* a is done with it */
}
static void do_reject(struct fixture *f)
{
    fail(f, "t", "a", 8, ATTEMPT_REJECTED);
}
static void do_ack_dead(struct fixture *f)
{
    ack(f, "dlq:t:a", "default", 2);
}
static void do_nack_dead(struct fixture *f)
{
    nack(f, "dlq:t:a", "default", 2, DELAY_BACKOFF);
}
static void do_topic_create(struct fixture *f)
{
    topic_create_groups(f, "v", "x y");
}
static void do_topic_update(struct fixture *f)
{
    topic_update(f, "t", settings(POLICY_max_attempts, 1, -1));
}
static void do_topic_delete(struct fixture *f)
{
    topic_delete(f, "t");
}
static void do_topic_purge(struct fixture *f)
{
    topic_purge(f, "t", NULL);
}
static void do_dlq_topic_purge(struct fixture *f)
{
    topic_purge(f, "dlq:t:a", NULL);
}
static void do_group_create(struct fixture *f)
{
    group_create(f, "t", "c", false);
}
static void do_group_create_of_dlq(struct fixture *f)
{
    group_create(f, "dlq:t:a", "second", false);
}
static void do_group_update(struct fixture *f)
{
    group_update(f, "t", "a", settings(POLICY_max_attempts, 1, -1));
}
static void do_group_delete(struct fixture *f)
{
    group_delete(f, "t", "a");
}
static void do_group_pause(struct fixture *f)
{
    group_pause(f, "t", "a", true);
}
static void do_dlq_redrive(struct fixture *f)
{
    redrive_ids(f, "t", "a", "t/1 dlq:t:a/3");
}
static void do_dlq_move(struct fixture *f)
{
    struct dead_command c = {.topic = text("t"), .group = text("a"), .count = 2, .to = text("u")};
    job_cancel(f, 2);
    redrive_as(f, &c);
}
static void do_take_up(struct fixture *f)
{
    struct resolution back = {.seq = 8,
                              .token = fixture_token(f, fixture_group(f, "t", "a")->r.id, 8),
                              .outcome = ATTEMPT_RELEASED};
    resolve(f, "t", "a", back);
    take_up(f, "t", "a", 8, back.token);
}
static void do_dlq_purge(struct fixture *f)
{
    dlq_purge_ids(f, "t", "a", "t/4");
}

static void do_attend(struct fixture *f)
{
    attend(f, "t", "a", cause_of(f, "t", "a", 0), "t/3");
}

static void do_cause_update(struct fixture *f)
{
    cause_update(f, "t", "a", cause_of(f, "t", "a", 0), CAUSE_MUTED);
}

static void do_edit(struct fixture *f)
{
    edit(f, "t", "a", "t/3", 0, "mended");
}

/* With an edit before, which goes. */
static void do_edit_again(struct fixture *f)
{
    do_edit(f);
    edit(f, "t", "a", "t/3", f->count, "mended again");
}

static void do_edit_undo(struct fixture *f)
{
    do_edit(f);
    edit(f, "t", "a", "t/3", f->count, NULL);
}

static void do_purge_edited(struct fixture *f)
{
    do_edit(f);
    dlq_purge(f, "t", "a", UINT64_MAX);
    do_tick(f);
}

static void do_rule_set(struct fixture *f)
{
    const struct rule_command discard = {
        .topic = text("t"), .group = text("a"), .define = true, .action = RULE_DISCARD};
    rule_set(f, &discard);
}

/* And a tick acts. */
static void do_ruled_death(struct fixture *f)
{
    do_rule_set(f);
    do_reject(f);
    do_tick(f);
}

static void do_rule_delete(struct fixture *f)
{
    do_rule_set(f);
    rule_delete(f, "t", "a", 10);
}

static void do_clock(struct fixture *f)
{
    clock_set(f, T0 / 2);
}

static void do_job_cancel(struct fixture *f)
{
    job_cancel(f, 2);
}

static void do_job_pause(struct fixture *f)
{
    job_pause(f, 2);
}

static void do_job_resume(struct fixture *f)
{
    job_pause(f, 2);
    job_resume(f, 2);
}

static void do_build_seen(struct fixture *f)
{
    struct dead_command c = {.topic = text("t"), .group = text("a"), .count = 1, .held = true};
    job_cancel(f, 2);
    redrive_as(f, &c);
    build_seen(f, "t", "a", "mended");
}

/* As if what it hands out had been damaged. */
static void do_corrupt(struct fixture *f)
{
    assign(f, "t", "a", 1);
    uint32_t group = fixture_group(f, "t", "a")->r.id;
    uint64_t seq = f->handed_seqs[0];
    fixture_run(f, (struct command){.kind = COMMAND_CORRUPT,
                                    .corrupt = {group, seq, fixture_token(f, group, seq), 0, false}});
}

/* Known elsewhere to be damaged, and out here. */
static void do_damaged(struct fixture *f)
{
    uint32_t topic = ledger_topic(f->l, text("t"))->r.id;
    assign(f, "t", "a", 1);
    fixture_run(f, (struct command){.kind = COMMAND_DAMAGED, .damaged = {topic, f->handed_seqs[0]}});
}

static void do_breaker_reset(struct fixture *f)
{
    assign(f, "t", "a", 1);
    nack(f, "t", "a", f->handed_seqs[0], 5000);
    fixture_run(f, (struct command){.kind = COMMAND_BREAKER_RESET,
                                    .group = {.topic = text("t"), .group = text("a")}});
}

static void do_refusal(struct fixture *f)
{
    const struct actor by = {.request = AUDIT_REFUSED | 61,
                             .client = text("c"),
                             .asked = text("DLQ_LIST needs dlq-look"),
                             .user = text("u")};
    fixture_run(
        f, (struct command){.kind = COMMAND_REFUSAL, .by = &by, .refusal = {.topic = text("t"), .count = 3}});
}

static void do_role_set(struct fixture *f)
{
    const struct grant all = {text("t*"), RIGHTS_ALL};
    fixture_run(f, (struct command){.kind = COMMAND_ROLE_SET,
                                    .role = {.name = text("triage"), .grants = &all, .grants_count = 1}});
}

static void do_role_set_again(struct fixture *f)
{
    do_role_set(f);
    do_role_set(f);
}

static void do_role_delete(struct fixture *f)
{
    do_role_set(f);
    fixture_run(f, (struct command){.kind = COMMAND_ROLE_DELETE, .identity.name = text("triage")});
}

static void do_user_set(struct fixture *f)
{
    const struct slice role = text("administrator");
    fixture_run(f, (struct command){
                       .kind = COMMAND_USER_SET,
                       .user = {.name = text("ann"), .given = USER_ROLES, .roles = &role, .roles_count = 1}});
}

static void do_token_add(struct fixture *f)
{
    const uint8_t hash[TOKEN_HASH_BYTES] = {7};
    do_user_set(f);
    fixture_run(
        f, (struct command){.kind = COMMAND_TOKEN_ADD,
                            .token = {.user = text("ann"), .hash = {hash, sizeof hash}, .expires_ms = 1}});
}

static void do_user_set_again(struct fixture *f)
{
    do_token_add(f);
    do_user_set(f);
}

static void do_user_delete(struct fixture *f)
{
    const uint8_t hash[TOKEN_HASH_BYTES] = {7};
    fixture_run(f, (struct command){.kind = COMMAND_USER_SET, .user.name = text("bob")});
    for (int i = 0; i < 2; i++) {
        fixture_run(f, (struct command){.kind = COMMAND_TOKEN_ADD,
                                        .token = {.user = text("bob"), .hash = {hash, sizeof hash}}});
    }
    fixture_run(f, (struct command){.kind = COMMAND_USER_DELETE, .identity.name = text("bob")});
}

static void do_token_revoke(struct fixture *f)
{
    do_token_add(f);
    fixture_run(f, (struct command){.kind = COMMAND_TOKEN_REVOKE, .token_name = {.id = f->count}});
}

/* Its time is over. */
static void do_token_end(struct fixture *f)
{
    do_token_add(f);
    do_tick(f);
}

const struct scene_doing scene_doings[] = {
    {COMMAND_RECOVER, do_recover},
    {COMMAND_LIMITS, do_limits},
    {COMMAND_TICK, do_tick},
    {COMMAND_TICK, do_tick_soon},
    {COMMAND_PUBLISH, do_publish},
    {COMMAND_ASSIGN, do_assign},
    {COMMAND_ASSIGN, do_assign_suspects},
    {COMMAND_ASSIGN, do_assign_dead},
    {COMMAND_RESOLVE, do_resolve},
    {COMMAND_RESOLVE, do_ack},
    {COMMAND_RESOLVE, do_last_ack},
    {COMMAND_RESOLVE, do_reject},
    {COMMAND_RESOLVE, do_ack_dead},
    {COMMAND_RESOLVE, do_nack_dead},
    {COMMAND_TOPIC_CREATE, do_topic_create},
    {COMMAND_TOPIC_UPDATE, do_topic_update},
    {COMMAND_TOPIC_DELETE, do_topic_delete},
    {COMMAND_TOPIC_PURGE, do_topic_purge},
    {COMMAND_TOPIC_PURGE, do_dlq_topic_purge},
    {COMMAND_GROUP_CREATE, do_group_create},
    {COMMAND_GROUP_CREATE, do_group_create_of_dlq},
    {COMMAND_GROUP_UPDATE, do_group_update},
    {COMMAND_GROUP_DELETE, do_group_delete},
    {COMMAND_GROUP_PAUSE, do_group_pause},
    {COMMAND_DLQ_REDRIVE, do_dlq_redrive},
    {COMMAND_DLQ_REDRIVE, do_dlq_move},
    {COMMAND_DLQ_PURGE, do_dlq_purge},
    {COMMAND_TAKE_UP, do_take_up},
    {COMMAND_JOB_CANCEL, do_job_cancel},
    {COMMAND_JOB_PAUSE, do_job_pause},
    {COMMAND_JOB_RESUME, do_job_resume},
    {COMMAND_CLOCK, do_clock},
    {COMMAND_CORRUPT, do_corrupt},
    {COMMAND_DLQ_ATTEND, do_attend},
    {COMMAND_CAUSE_UPDATE, do_cause_update},
    {COMMAND_DLQ_EDIT, do_edit},
    {COMMAND_DLQ_EDIT, do_edit_again},
    {COMMAND_DLQ_EDIT, do_edit_undo},
    {COMMAND_TICK, do_purge_edited},
    {COMMAND_BUILD_SEEN, do_build_seen},
    {COMMAND_RULE_SET, do_rule_set},
    {COMMAND_TICK, do_ruled_death},
    {COMMAND_RULE_DELETE, do_rule_delete},
    {COMMAND_BREAKER_RESET, do_breaker_reset},
    {COMMAND_REFUSAL, do_refusal},
    {COMMAND_USER_SET, do_user_set},
    {COMMAND_USER_SET, do_user_set_again},
    {COMMAND_USER_DELETE, do_user_delete},
    {COMMAND_ROLE_SET, do_role_set},
    {COMMAND_ROLE_SET, do_role_set_again},
    {COMMAND_ROLE_DELETE, do_role_delete},
    {COMMAND_TOKEN_ADD, do_token_add},
    {COMMAND_TOKEN_REVOKE, do_token_revoke},
    {COMMAND_TICK, do_token_end},
    {COMMAND_DAMAGED, do_damaged},
};
const size_t scene_doings_count = sizeof scene_doings / sizeof *scene_doings;

/* ---- looking ---- */

static int one_topic(const struct view *v, struct mpack_buffer *to)
{
    struct topic *t = ledger_topic(v->ledger, text("t"));
    return t ? view_topic(v, t, to) : 0;
}
static int all_topics(const struct view *v, struct mpack_buffer *to)
{
    return view_topics(v, text(""), 10, to);
}
static int a_peek(const struct view *v, struct mpack_buffer *to)
{
    int err = 0;
    return view_peek(v, ledger_group(v->ledger, text("t"), text("a"), &err), 0, 100, true, to);
}
static int dead_letters(const struct view *v, struct mpack_buffer *to)
{
    int err = 0;
    return view_dead_list(v, ledger_group(v->ledger, text("t"), text("a"), &err), 0, 10, NULL, to);
}
static int a_dead_letter(const struct view *v, struct mpack_buffer *to)
{
    int err = 0;
    return view_dead(v, ledger_group(v->ledger, text("t"), text("a"), &err), text("t/3"), false, to);
}
static int a_cause(const struct view *v, struct mpack_buffer *to)
{
    int err = 0;
    struct group *g = ledger_group(v->ledger, text("t"), text("a"), &err);
    return view_cause(v, g, g->causes_count ? g->causes[0]->fingerprint : 0, to);
}
scene_view_fn *const scene_views[] = {one_topic, all_topics, a_peek, dead_letters, a_dead_letter, a_cause};
const size_t scene_views_count = sizeof scene_views / sizeof *scene_views;
