/* ledger_traffic: random commands. */
#include "tests/unit/core/ledger_traffic.h"
#include "broker/core/cause.h"

#include <stdio.h>
#include <string.h>

void traffic_init(struct traffic *t, struct fixture *f, uint64_t seed)
{
    *t = (struct traffic){.f = f, .random = seed * 0x9e3779b97f4a7c15ull + 1};
}

void traffic_done(struct traffic *t)
{
    for (size_t i = 0; i < TRAFFIC_COMMANDS_MAX; i++)
        mpack_buffer_done(&t->messages[i]);
}

uint64_t traffic_random(struct traffic *t, uint64_t bound)
{
    /* xorshift64* (Vigna 2016) */
    t->random ^= t->random >> 12;
    t->random ^= t->random << 25;
    t->random ^= t->random >> 27;
    return (t->random * 0x2545f4914f6cdd1dull >> 16) % bound;
}

static bool chance(struct traffic *t, unsigned percent)
{
    return traffic_random(t, 100) < percent;
}

static const char *pick_topic(struct traffic *t)
{
    static const char *const names[] = {"a", "b", "a", "b", "c", "dlq:a:default", "dlq:b:x", "none"};
    return names[traffic_random(t, t->plain ? 4 : 8)];
}

static const char *pick_group(struct traffic *t)
{
    static const char *const names[] = {"default", "default", "x", "y", "none"};
    return names[traffic_random(t, t->plain ? 4 : 5)];
}

/* Any group that commands may use, those of DLQs too; NULL if there is none. */
static struct group *pick_live_group(struct traffic *t)
{
    const struct ledger *l = t->f->l;
    for (int tries = 0; l->groups_count && tries < 20; tries++) {
        struct group *g = l->groups[traffic_random(t, l->groups_count)];
        if (!g->r.dropped)
            return g;
    }
    return NULL;
}

/* ---- messages ---- */

static void make_publish(struct traffic *t, size_t at, struct command *c)
{
    struct mpack_buffer *messages = &t->messages[at];
    struct publish_command *p = &c->publish;
    c->kind = COMMAND_PUBLISH;
    *p = (struct publish_command){.topic = text(pick_topic(t)), .count = 1 + (uint32_t)traffic_random(t, 4)};
    messages->size = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        write_message(messages, &"some body"[traffic_random(t, 9)],
                      chance(t, 15) ? (int64_t)traffic_random(t, 500) : 0,
                      chance(t, 12) ? 1 + (int64_t)traffic_random(t, 4000) : 0);
    }
    p->messages = (struct slice){messages->data, messages->size};
    if (!t->plain && chance(t, 30)) {
        p->producer = text(chance(t, 50) ? "producer-0000001" : "producer-0000002");
        p->sequence = 1 + traffic_random(t, 400);
        p->forget_below = chance(t, 10) ? traffic_random(t, 100) : 0;
        p->more = chance(t, 20); /* and whether anything follows, chance says */
    }
}

static void make_assign(struct traffic *t, struct command *c)
{
    const struct group *g = pick_live_group(t);
    c->kind = COMMAND_ASSIGN;
    c->assign = (struct assign_command){.group = g ? g->r.id : 99999,
                                        .lane = chance(t, 25) ? LANE_SUSPECT : LANE_NORMAL,
                                        .messages = 1 + (uint32_t)traffic_random(t, 6),
                                        .bytes = chance(t, 80) ? 1000000 : traffic_random(t, 40),
                                        .oversize_first = chance(t, 50)};
}

/* A delivery, most often one of the latest. */
static const struct token *pick_token(struct traffic *t)
{
    size_t count = t->f->tokens_count;
    return &t->f->tokens[count - 1 - traffic_random(t, count > 60 && chance(t, 90) ? 60 : count)];
}

static void make_resolution(struct traffic *t, const struct group *g, struct resolution *r)
{
    static const char *const words[] = {"", "E", "an error", "\xff\x01 not clean"};
    *r = (struct resolution){.acked = chance(t, 35), .delay_ms = DELAY_BACKOFF};
    for (int tries = 0; !r->seq && t->f->tokens_count && tries < 40; tries++) {
        const struct token *k = pick_token(t);
        if (k->group != g->r.id)
            continue;
        r->seq = k->seq;
        r->token = chance(t, 95) ? k->token : k->token - 1;
    }
    static const enum attempt_outcome outcomes[] = {
        ATTEMPT_NACKED,        ATTEMPT_NACKED,        ATTEMPT_REJECTED,  ATTEMPT_RELEASED,
        ATTEMPT_LEASE_EXPIRED, ATTEMPT_UNSTARTED,     ATTEMPT_SUSPECTED, ATTEMPT_DISCONNECTED,
        ATTEMPT_SUSPECTED,     ATTEMPT_BROKER_RESTART};
    r->outcome = outcomes[traffic_random(t, 10)];
    if (chance(t, 40))
        r->delay_ms = (int64_t)traffic_random(t, 3) * 100;
    r->leased_ms = T0 + t->f->now_ms;
    r->error_type = text(words[traffic_random(t, 4)]);
    r->error_message = text(words[traffic_random(t, 4)]);
    r->error_stack = text(words[traffic_random(t, 4)]);
}

static void make_resolve(struct traffic *t, size_t at, struct command *c)
{
    const struct group *g =
        t->f->tokens_count ? catalog_live_group(t->f->l, pick_token(t)->group) : pick_live_group(t);
    uint32_t count = 1 + (uint32_t)traffic_random(t, 8);
    if (!g) {
        c->kind = COMMAND_TICK;
        return;
    }
    c->kind = COMMAND_RESOLVE;
    for (uint32_t i = 0; i < count; i++)
        make_resolution(t, g, &t->entries[at][i]);
    c->resolve = (struct resolve_command){.group = g->r.id,
                                          .by = {text("client"), text("host"), text("")},
                                          .entries = t->entries[at],
                                          .count = count};
}

/* ---- the rest ---- */

static struct policy_change make_change(struct traffic *t, bool of_topic)
{
    struct policy_change c = {0};
    if (chance(t, 90)) {
        c.set.given |= 1u << POLICY_max_attempts;
        c.set.value[POLICY_max_attempts] = 1 + (int64_t)traffic_random(t, 4);
    }
    if (chance(t, 40)) {
        c.set.given |= 1u << POLICY_backoff_min_ms | 1u << POLICY_backoff_max_ms;
        c.set.value[POLICY_backoff_min_ms] = 1 + (int64_t)traffic_random(t, 50);
        c.set.value[POLICY_backoff_max_ms] = (int64_t)traffic_random(t, 500); /* 0 is out of range */
    }
    if (chance(t, 20)) {
        c.set.given |= 1u << POLICY_expired;
        c.set.value[POLICY_expired] = chance(t, 50);
    }
    if (chance(t, 20))
        c.reset = (uint32_t)traffic_random(t, 1u << (of_topic ? POLICY_COUNT : POLICY_ttl_ms));
    if (!t->plain && chance(t, 30)) {
        c.set.given |= 1u << POLICY_dlq_retention_ms;
        c.set.value[POLICY_dlq_retention_ms] = (int64_t)traffic_random(t, 4000);
    }
    if (!t->plain && chance(t, 30)) {
        c.set.given |= 1u << POLICY_dlq_slo_ms;
        c.set.value[POLICY_dlq_slo_ms] = (int64_t)traffic_random(t, 4000);
    }
    if (chance(t, 30)) {
        c.set.given |= 1u << POLICY_history_after_ms;
        c.set.value[POLICY_history_after_ms] = (int64_t)traffic_random(t, 3) * 1500;
    }
    if (t->plain) { /* the model knows of no breaker */
        c.set.given |= 1u << POLICY_breaker;
    } else if (chance(t, 60)) { /* one that opens now and then */
        c.set.given |= 1u << POLICY_breaker_window | 1u << POLICY_breaker_threshold |
                       1u << POLICY_breaker_pause_min_ms | 1u << POLICY_breaker_pause_max_ms;
        c.set.value[POLICY_breaker_window] = 5 + (int64_t)traffic_random(t, 4);
        c.set.value[POLICY_breaker_threshold] = 50 + (int64_t)traffic_random(t, 50);
        c.set.value[POLICY_breaker_pause_min_ms] = 10 + (int64_t)traffic_random(t, 90);
        c.set.value[POLICY_breaker_pause_max_ms] = 50 + (int64_t)traffic_random(t, 900);
    }
    if (!t->plain && of_topic && chance(t, 20)) {
        c.set.given |= 1u << POLICY_ttl_ms | 1u << POLICY_max_messages;
        c.set.value[POLICY_ttl_ms] = (int64_t)traffic_random(t, 3000);
        c.set.value[POLICY_max_messages] = (int64_t)traffic_random(t, 60);
    }
    return c;
}

static void make_topic(struct traffic *t, struct command *c)
{
    static const struct slice two[] = {{"default", 7}, {"x", 1}};
    c->kind = chance(t, 60) ? COMMAND_TOPIC_CREATE : COMMAND_TOPIC_UPDATE;
    if (!t->plain && chance(t, 10))
        c->kind = COMMAND_TOPIC_DELETE;
    c->topic = (struct topic_command){.topic = text(pick_topic(t)), .change = make_change(t, true)};
    if (c->kind == COMMAND_TOPIC_CREATE && chance(t, 50)) {
        c->topic.groups = two;
        c->topic.groups_count = 2;
    }
}

static void make_group(struct traffic *t, struct command *c)
{
    static const enum command_kind kinds[] = {COMMAND_GROUP_CREATE, COMMAND_GROUP_CREATE,
                                              COMMAND_GROUP_UPDATE, COMMAND_GROUP_DELETE,
                                              COMMAND_GROUP_PAUSE,  COMMAND_GROUP_PAUSE};
    c->kind = kinds[traffic_random(t, 6)];
    c->group = (struct group_command){.topic = text(pick_topic(t)),
                                      .group = text(pick_group(t)),
                                      .change = make_change(t, false),
                                      .from_now = chance(t, 40),
                                      .paused = chance(t, 30)};
}

/* Three letters, by number or by the origin's name. */
static void pick_ids(struct traffic *t, size_t at)
{
    for (uint32_t i = 0; i < 3; i++) {
        snprintf(t->id_text[at][i], sizeof t->id_text[at][i], "%s%llu", chance(t, 50) ? "" : "a/",
                 (unsigned long long)traffic_random(t, 60));
        t->ids[at][i] = text(t->id_text[at][i]);
    }
}

static void make_dead(struct traffic *t, size_t at, struct command *c)
{
    c->kind = chance(t, 70) ? COMMAND_DLQ_REDRIVE : COMMAND_DLQ_PURGE;
    c->dead = (struct dead_command){.topic = text(pick_topic(t)), .group = text(pick_group(t))};
    c->dead.count = chance(t, 50) ? UINT64_MAX : traffic_random(t, 4);
    if (t->plain)
        return;
    if (chance(t, 30) && c->kind == COMMAND_DLQ_REDRIVE)
        c->dead.rate = 1 + (uint32_t)traffic_random(t, 20);
    if (chance(t, 30))
        c->dead.canary = 1 + (uint32_t)traffic_random(t, 3);
    c->dead.has_max_fail = chance(t, 30);
    c->dead.max_fail = (uint32_t)traffic_random(t, 1001);
    if (chance(t, 30))
        c->dead.spread_ms = (int64_t)traffic_random(t, 2000);
    c->dead.filter.has_reason = chance(t, 20);
    c->dead.filter.reason = chance(t, 50) ? DEAD_REJECTED : DEAD_MAX_ATTEMPTS;
    if (chance(t, 60))
        return;
    c->dead.ids_count = 1 + (uint32_t)traffic_random(t, 3);
    c->dead.ids = t->ids[at];
    pick_ids(t, at);
}

/* Of the group, some number that may be one. */
static uint64_t pick_cause(struct traffic *t, const char *topic, const char *group)
{
    int err;
    const struct group *g = ledger_group(t->f->l, text(topic), text(group), &err);
    return g && g->causes_count ? g->causes[traffic_random(t, g->causes_count)]->fingerprint : 7;
}

/* Somebody looks at letters or at a cause, or decides about one. */
static void make_look(struct traffic *t, size_t at, struct command *c)
{
    const char *topic = pick_topic(t), *group = pick_group(t);
    uint64_t cause = pick_cause(t, topic, group);
    if (chance(t, 50)) {
        *c = (struct command){.kind = COMMAND_CAUSE_UPDATE,
                              .cause = {.topic = text(topic),
                                        .group = text(group),
                                        .fingerprint = cause,
                                        .has_state = true,
                                        .state = (enum cause_state)traffic_random(t, CAUSE_STATES)}};
        return;
    }
    *c = (struct command){.kind = COMMAND_DLQ_ATTEND,
                          .attend = {.topic = text(topic), .group = text(group), .ids = t->ids[at]}};
    if (chance(t, 50))
        c->attend.cause = cause;
    pick_ids(t, at);
    c->attend.ids_count = (uint32_t)traffic_random(t, 4);
}

/* Somebody edits a letter, or takes that back: as it was published, or as one of the latest edits left it. */
static void make_edit(struct traffic *t, size_t at, struct command *c)
{
    static const char *const bodies[] = {"", "mended", "mended, and longer than what was published at first"};
    const char *topic = "", *group = "";
    const struct group *g = NULL;
    for (int err, tries = 0; tries < 20 && !(g && g->dlq && g->r.counts.dead); tries++) {
        topic = pick_topic(t), group = pick_group(t);
        g = ledger_group(t->f->l, text(topic), text(group), &err);
    }
    snprintf(t->id_text[at][0], sizeof t->id_text[at][0], "%llu",
             (unsigned long long)traffic_random(t, g && g->dlq ? g->dlq->r.head + 1 : 9));
    *c = (struct command){
        .kind = COMMAND_DLQ_EDIT,
        .edit = {.topic = text(topic),
                 .group = text(group),
                 .id = text(t->id_text[at][0]),
                 .seen = chance(t, 60) ? 0 : t->f->l->meta.job_next - 1 - traffic_random(t, 4),
                 .undo = chance(t, 15),
                 .body = text(bodies[traffic_random(t, 3)]),
                 .fields = 1,
                 .published_ms = T0}};
}

/* What operators ask for comes with one, most times. */
static const struct actor *pick_actor(struct traffic *t)
{
    static const struct actor actors[] = {
        {.request = 62, .client = {"ann", 3}, .host = {"h", 1}, .peer = {"127.0.0.1:5", 11}},
        {.request = 34, .reason = {"because", 7}, .asked = {"count=3", 7}},
    };
    return chance(t, 80) ? &actors[traffic_random(t, 2)] : NULL;
}

static void make_rule(struct traffic *t, struct command *c)
{
    c->kind = chance(t, 85) ? COMMAND_RULE_SET : COMMAND_RULE_DELETE;
    c->rule = (struct rule_command){.topic = text(pick_topic(t)),
                                    .group = text(pick_group(t)),
                                    .number = (uint32_t)traffic_random(t, 4),
                                    .define = chance(t, 80),
                                    .action = (enum rule_action)traffic_random(t, RULE_ACTIONS),
                                    .times = 1 + (uint32_t)traffic_random(t, 3),
                                    .wait_ms = 1 + (int64_t)traffic_random(t, 300),
                                    .wait_max_ms = 300,
                                    .disabled = chance(t, 20)};
    c->rule.filter.has_reason = chance(t, 50);
    c->rule.filter.reason = chance(t, 50) ? DEAD_REJECTED : DEAD_MAX_ATTEMPTS;
    if (chance(t, 30))
        c->rule.filter.match = text("a");
    if (chance(t, 20))
        c->rule.filter.cause = pick_cause(t, pick_topic(t), pick_group(t));
}

/* What it points to are constants: it lives until the batch was applied. */
static void make_identity(struct traffic *t, struct command *c)
{
    static const char *const names[] = {"ann", "bob", "triage"};
    static const uint8_t hash[TOKEN_HASH_BYTES] = {1};
    static const struct slice roles[] = {{"administrator", 13}, {"triage", 6}};
    static const struct grant grants[] = {{{"a*", 2}, 1}, {{"*", 1}, RIGHTS_ALL}};
    const struct slice name = text(names[traffic_random(t, 3)]);
    const struct grant *grant = &grants[traffic_random(t, 2)];
    switch (traffic_random(t, 7)) {
    case 0:
        *c = (struct command){.kind = COMMAND_USER_DELETE, .identity.name = name};
        break;
    case 1:
        *c = (struct command){.kind = COMMAND_ROLE_DELETE, .identity.name = name};
        break;
    case 2:
        *c = (struct command){.kind = COMMAND_ROLE_SET,
                              .role = {.name = name, .grants = grant, .grants_count = 1}};
        break;
    case 3:
        *c = (struct command){.kind = COMMAND_TOKEN_REVOKE, .token_name.id = traffic_random(t, 200)};
        break;
    case 4:
        *c = (struct command){.kind = COMMAND_TOKEN_ADD,
                              .token = {.user = name,
                                        .hash = {hash, sizeof hash},
                                        .expires_ms = chance(t, 50) ? t->f->now_ms + T0 + 2000 : 0}};
        break;
    default:
        *c = (struct command){.kind = COMMAND_USER_SET,
                              .user = {.name = name,
                                       .given = (uint32_t)traffic_random(t, USER_FIELDS_ALL + 1),
                                       .password = text("a verifier"),
                                       .roles = &roles[traffic_random(t, 2)],
                                       .roles_count = 1,
                                       .grants = grant,
                                       .grants_count = 1,
                                       .disabled = chance(t, 20)}};
        break;
    }
}

static void make_command(struct traffic *t, size_t at, struct command *c)
{
    uint64_t dice = traffic_random(t, 1000);
    if (dice < 250) {
        make_publish(t, at, c);
    } else if (dice < 500) {
        make_assign(t, c);
    } else if (dice < 750) {
        make_resolve(t, at, c);
    } else if (dice < 900) {
        c->kind = COMMAND_TICK;
    } else if (dice < 920) {
        make_topic(t, c);
    } else if (dice < 950) {
        make_group(t, c);
    } else if (dice < 980) {
        if (!t->plain && chance(t, 40))
            make_look(t, at, c);
        else if (!t->plain && chance(t, 40))
            make_rule(t, c);
        else if (!t->plain && chance(t, 40))
            make_edit(t, at, c);
        else if (!t->plain && chance(t, 40))
            make_identity(t, c);
        else
            make_dead(t, at, c);
    } else if (dice < 990) {
        *c = (struct command){.kind = COMMAND_TOPIC_PURGE,
                              .purge = {text(pick_topic(t)), text(chance(t, 50) ? pick_group(t) : "")}};
    } else if (dice < 993 && !t->plain) {
        static const enum command_kind kinds[] = {COMMAND_JOB_CANCEL, COMMAND_JOB_PAUSE, COMMAND_JOB_RESUME};
        *c = (struct command){.kind = kinds[traffic_random(t, 3)], .job.id = traffic_random(t, 40)};
    } else if (dice < 995 && !t->plain) {
        *c = (struct command){.kind = COMMAND_CLOCK, .clock.machine_ms = (int64_t)traffic_random(t, 100000)};
    } else if (dice < 998 || t->plain) {
        *c = (struct command){.kind = COMMAND_RECOVER,
                              .recover.wait_ms = chance(t, 50) ? 1 + (int64_t)traffic_random(t, 5000) : 0};
    } else {
        *c = (struct command){.kind = COMMAND_LIMITS,
                              .limits = {2 + traffic_random(t, 3), 4, 1 << 20, 50000,
                                         (int64_t)traffic_random(t, 20000), traffic_random(t, 2000)}};
    }
    if (dice >= 900 && dice < 995)
        c->by = pick_actor(t);
}

size_t traffic_next(struct traffic *t)
{
    size_t count = 1 + traffic_random(t, TRAFFIC_COMMANDS_MAX);
    if (chance(t, 70))
        t->f->now_ms += (int64_t)traffic_random(t, chance(t, 5) ? 3000 : 60);
    for (size_t i = 0; i < count; i++) {
        t->commands[i] = (struct command){0};
        make_command(t, i, &t->commands[i]);
    }
    return count;
}
