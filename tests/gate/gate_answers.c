/* gate_answers: asks the gate what it is told to on standard input, for a model in another language to compare with (gate_model.py).
 *
 *     role NAME [PATTERN RIGHTS]…            set a role; RIGHTS as a number of bits
 *     user NAME ROLES [PATTERN RIGHTS]…      set a user; ROLES as `a,b`, or `-`
 *     job TOPIC                              there is one more job, which deletes the topic
 *     ask USER REQUEST TOPIC GROUP NUMBER ACTION TO|WHOM     NUMBER of a job: in the order of `job`, from 1 on; `-`: left out
 *
 * Answers each `ask` with one line: `ok`, `not_found`, or `forbidden` and the sentence. The users, roles and the gate are those of a
 * server; nothing that is asked for is done, so no answer depends on the ones before.
 */
#include "broker/core/facts.h"
#include "broker/core/identity.h"
#include "broker/engine/gate.h"
#include "broker/engine/request.h"
#include "broker/engine/session.h"
#include "broker/engine/state.h"
#include "broker/engine/turn.h"
#include "broker/store/store_memory.h"
#include "proto/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_MS  1700000000000
#define WORDS_MAX 160
#define JOBS      16
#define USERS     64

struct rig {
    struct engine *engine;
    struct flow_totals totals;
    struct link *links[USERS]; /* a connection of each user that asked */
    size_t links_count;
    int64_t now_ms;
    uint64_t jobs[JOBS];
    size_t jobs_count;
};

static _Noreturn void fail(const char *what, const char *detail)
{
    (void)fprintf(stderr, "gate_answers: %s: %s\n", what, detail);
    exit(2);
}

static void ignore(void *context)
{
    (void)context;
}

static void die(void *context, int err, const char *text)
{
    (void)context, (void)err;
    fail("the engine died", text);
}

static void turn(struct rig *r)
{
    r->now_ms++;
    (void)engine_turn(r->engine, BEGIN_MS + r->now_ms, r->now_ms);
}

static void apply(struct rig *r, const struct command *c)
{
    uint64_t before = ledger_index(r->engine->ledger);
    steps_add(r->engine, STEP_COMMAND, NULL)->command = *c;
    turn(r);
    if (ledger_index(r->engine->ledger) == before)
        fail("a command changed nothing", command_name(c->kind));
}

static uint32_t read_grants(char **words, size_t count, struct grant *to)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        to[i / 2] = (struct grant){slice_of(words[i]), (uint32_t)strtoul(words[i + 1], NULL, 10)};
    return (uint32_t)(count / 2);
}

static void set_role(struct rig *r, char **words, size_t count)
{
    struct grant grants[GRANTS_MAX];
    uint32_t n = read_grants(words + 1, count - 1, grants);
    apply(r, &(struct command){.kind = COMMAND_ROLE_SET,
                               .role = {.name = slice_of(words[0]), .grants = grants, .grants_count = n}});
}

static void set_user(struct rig *r, char **words, size_t count)
{
    struct grant grants[GRANTS_MAX];
    struct slice roles[USER_ROLES_MAX];
    uint32_t n = read_grants(words + 2, count - 2, grants), roles_count = 0;
    for (char *role = strtok(words[1], ","); role && strcmp(role, "-") != 0; role = strtok(NULL, ","))
        roles[roles_count++] = slice_of(role);
    apply(r, &(struct command){.kind = COMMAND_USER_SET,
                               .user = {.name = slice_of(words[0]),
                                        .given = USER_ROLES | USER_GRANTS,
                                        .roles = roles,
                                        .roles_count = roles_count,
                                        .grants = grants,
                                        .grants_count = n}});
}

/* The deletion of a topic, which stays known when it is over. */
static void begin_job(struct rig *r, const char *name)
{
    struct job_facts facts;
    struct slice topic = slice_of(name);
    apply(r, &(struct command){.kind = COMMAND_TOPIC_CREATE, .topic.topic = topic});
    apply(r, &(struct command){.kind = COMMAND_TOPIC_DELETE, .topic.topic = topic});
    uint64_t id = r->jobs_count ? r->jobs[r->jobs_count - 1] + 1 : 1;
    for (unsigned i = 0; i < 100 && !ledger_job_facts(r->engine->ledger, id, &facts); i++)
        id++;
    if (!ledger_job_facts(r->engine->ledger, id, &facts) || !slice_equal(facts.topic, topic) ||
        r->jobs_count == JOBS)
        fail("no job on", name);
    r->jobs[r->jobs_count++] = id;
}

/* ---- a request ---- */

/* The names of each request, where its struct has them; all else is as if left out. */
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    static void name_##name(struct name##_request *q, struct slice topic, struct slice group)                \
    {                                                                                                        \
        (void)q, (void)topic, (void)group;
#define TOPIC(name)          q->name = topic;
#define GROUP(name)          q->name = group;
#define OPTIONAL_GROUP(name) q->name = group;
#define FIELD(kind, name)
#define END }
#include "proto/request.def"

static const struct {
    const char *name;
    unsigned op;
} requests[] = {
#define REQUEST(NAME, name, number, right, effect, answer) {#NAME, number},
#include "proto/request.def"
};

static bool fill_names(unsigned op, union request_fields *f, struct slice topic, struct slice group)
{
    switch (op) {
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    case OP_##NAME:                                                                                          \
        name_##name(&f->name, topic, group);                                                                 \
        return true;
#include "proto/request.def"
    default:
        return false;
    }
}

static unsigned find_request(const char *name)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (strcmp(requests[i].name, name) == 0)
            return requests[i].op;
    }
    fail("no request is called so", name);
}

static struct slice given(const char *word)
{
    return strcmp(word, "-") == 0 ? (struct slice){0} : slice_of(word);
}

static void fill_others(const struct rig *r, unsigned op, union request_fields *f, char **words)
{
    uint64_t given_number = strtoull(words[4], NULL, 10);
    uint64_t number = given_number && given_number <= r->jobs_count ? r->jobs[given_number - 1] : UINT32_MAX;
    if (op == OP_JOB_SHOW)
        f->job_show.job = number;
    if (op == OP_JOB_CANCEL)
        f->job_cancel.job = number;
    if (op == OP_JOB_PAUSE)
        f->job_pause.job = number;
    if (op == OP_JOB_RESUME)
        f->job_resume.job = number;
    if (op == OP_DLQ_REDRIVE)
        f->dlq_redrive.options.to = given(words[6]);
    if (op == OP_USER_SET) { /* of a password, or of more */
        f->user_set.user = given(words[6]);
        f->user_set.settings.password = slice_of("verifier");
        if (strcmp(words[5], "discard") == 0)
            f->user_set.settings.roles.bytes = slice_of("roles");
    }
    if (op == OP_TOKEN_CREATE)
        f->token_create.user = given(words[6]);
    if (op == OP_TOKEN_LIST)
        f->token_list.user = given(words[6]);
    if (op == OP_TOKEN_REVOKE)
        f->token_revoke.user = given(words[6]);
    if (op == OP_RULE_SET) {
        f->rule_set.rule = given_number;
        f->rule_set.options.action = given(words[5]);
        f->rule_set.options.to = given(words[6]);
    }
}

/* That of the user, as it has been all along: what it remembers stays. */
static struct session *connection_of(struct rig *r, const struct user *u)
{
    for (size_t i = 0; i < r->links_count; i++) {
        struct session *s = r->links[i]->session;
        if (s->who.id == u->id)
            return s;
    }
    if (r->links_count == USERS)
        fail("too many users", u->r.name);
    struct link *link = link_new(r->links_count + 1, &r->totals);
    r->links[r->links_count++] = link;
    struct session *s = session_new(r->engine, link);
    if (!s)
        fail("no connection", "out of memory");
    s->who = (struct who){.how = WHO_PASSWORD, .id = u->id};
    (void)snprintf(s->who.user, sizeof s->who.user, "%s", u->r.name);
    return s;
}

static void ask(struct rig *r, char **words)
{
    const struct user *u = ledger_user(r->engine->ledger, slice_of(words[0]));
    union request_fields fields = {0};
    struct step st = {.topic = given(words[2]), .group = given(words[3])};
    unsigned op = find_request(words[1]);
    if (!u)
        fail("no user is called so", words[0]);
    st.session = connection_of(r, u);
    st.request = request_find(op);
    (void)fill_names(op, &fields, st.topic, st.group);
    fill_others(r, op, &fields, words);
    int err = gate_ask(st.session, &st, &fields);
    if (!err)
        (void)puts("ok");
    else if (err == SHUNT_NOT_FOUND)
        (void)puts("not_found");
    else
        (void)printf("%s %s\n", err == SHUNT_FORBIDDEN ? "forbidden" : "unauthenticated", st.why);
    arena_reset(&r->engine->arena);
}

static void take_line(struct rig *r, char *line)
{
    char *words[WORDS_MAX];
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest); word && count < WORDS_MAX;
         word = strtok_r(NULL, " \n", &rest))
        words[count++] = word;
    if (count >= 2 && strcmp(words[0], "role") == 0)
        set_role(r, words + 1, count - 1);
    else if (count >= 3 && strcmp(words[0], "user") == 0)
        set_user(r, words + 1, count - 1);
    else if (count == 2 && strcmp(words[0], "job") == 0)
        begin_job(r, words[1]);
    else if (count == 8 && strcmp(words[0], "ask") == 0)
        ask(r, words + 1);
    else
        fail("not understood", count ? words[0] : "an empty line");
}

int main(void)
{
    char why[256] = "", line[8192];
    struct rig r = {.now_ms = 1000};
    struct engine_config config = {.limits = {.max_topics = 1000,
                                              .max_groups = 10,
                                              .max_body_bytes = 1000,
                                              .commit_bytes_max = 1 << 20,
                                              .inbox_bytes_max = 1 << 20,
                                              .unsent_bytes_max = 1 << 20,
                                              .dedup_window_ms = 60000},
                                   .totals = &r.totals,
                                   .notify = ignore,
                                   .fatal = die};
    if (engine_new(&config, store_memory_open(1u << 28), &r.engine, why, sizeof why))
        fail("no engine", why);
    turn(&r);
    while (fgets(line, sizeof line, stdin))
        take_line(&r, line);
    engine_free(r.engine);
    for (size_t i = 0; i < r.links_count; i++)
        link_unref(r.links[i]);
    return 0;
}
