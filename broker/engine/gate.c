/* gate: see gate.h. */
#include "broker/engine/gate.h"
#include "broker/core/facts.h"
#include "broker/core/identity.h"
#include "broker/engine/request.h"
#include "broker/engine/state.h"
#include "broker/engine/text.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/names.h"

/* ---- rights ---- */

/* Every topic: what is not a name fits the patterns of nothing but stars. */
static const struct slice every_topic = {"*", 1};

static bool has_expired(const struct engine *e, const struct who *w)
{
    return w->how == WHO_TOKEN && w->expires_ms && w->expires_ms <= e->wall_ms;
}

const struct user *gate_user(const struct engine *e, const struct who *w)
{
    const struct user *u = ledger_user(e->ledger, slice_of(w->user));
    bool good = !has_expired(e, w); /* though no tick has come to it yet */
    return u && u->id == w->id && !u->r.disabled && good ? u : NULL;
}

const char *gate_why_nobody(struct engine *e, const struct who *w)
{
    const char *name = engine_name(e, slice_of(w->user), NAME_BYTES_MAX);
    return has_expired(e, w)
               ? engine_text(e, "token %llu of user %s has expired", (unsigned long long)w->token, name)
               : engine_text(e, "user %s was deleted or disabled", name);
}

/* Of a topic without a name, too: to the ledger, no slice at all is any topic. */
static uint32_t rights_of(const struct engine *e, const struct user *u, struct slice topic)
{
    return ledger_rights(e->ledger, u, topic.data ? topic : (struct slice){"", 0});
}

static uint32_t rights_on(struct session *s, const struct user *u, struct slice topic)
{
    struct gate_memo *m = &s->gate;
    uint64_t now = ledger_identities(s->engine->ledger);
    if (m->seen == now && slice_equal(topic, (struct slice){m->topic, m->size}))
        return m->rights;
    uint32_t rights = rights_of(s->engine, u, topic);
    if (topic.size > sizeof m->topic)
        return rights;
    m->seen = now;
    m->rights = rights;
    m->size = (uint32_t)topic.size;
    slice_copy(m->topic, topic);
    return rights;
}

/* Of the demand; 0: nothing is missing. */
static uint32_t missing(struct session *s, const struct user *u, const struct demand *d)
{
    const struct ledger *l = s->engine->ledger;
    switch (d->on) {
    case ON_TOPIC:
        return demand_missing(d, rights_on(s, u, d->topic));
    case ON_SOME:
        return demand_missing(d, ledger_rights_anywhere(l, u));
    case ON_EVERY:
        return demand_missing(d, ledger_rights(l, u, every_topic));
    case ON_SELF:
    case ON_USERS:
        return ledger_administers(l, u) ? 0 : REFUSED_USERS;
    case ON_NOTHING:
    case ON_JOB: /* what it comes to was added */
        return 0;
    }
    return REFUSED_USERS;
}

bool gate_lets(const struct engine *e, const struct user *u, enum wire_need need, struct slice topic)
{
    struct demands d = {0};
    demands_add(&d, need, topic);
    for (uint32_t i = 0; i < d.count; i++) {
        if (demand_missing(&d.items[i], rights_of(e, u, d.items[i].topic)))
            return false;
    }
    return true;
}

/* ---- refusing ---- */

/* The topic that a right would have to be given on. */
static struct slice given_on(struct slice topic)
{
    struct slice origin, group;
    return name_is_dlq(topic, &origin, &group) ? origin : topic;
}

static const char *say_missing(struct engine *e, const struct session *s, const struct demand *d,
                               uint32_t rights)
{
    static const char *const names[] = RIGHT_NAMES;
    const char *user = engine_name(e, slice_of(s->who.user), NAME_BYTES_MAX);
    if (rights == REFUSED_USERS)
        return engine_text(e, "user %s is no administrator", user);
    const char *right = names[__builtin_ctz(rights)];
    if (d->on == ON_TOPIC) {
        return engine_text(e, "user %s has no right `%s` on topic %s", user, right,
                           engine_name(e, given_on(d->topic), TOPIC_BYTES_MAX));
    }
    return engine_text(e, "user %s has no right `%s` on %s", user, right,
                       d->on == ON_SOME ? "any topic" : "every topic, by a grant of `*`");
}

/* A copy that lives as long as the turn. */
static struct slice keep(struct engine *e, struct slice s)
{
    char *copy = arena_room(&e->arena, s.size + 1);
    if (copy)
        slice_copy(copy, s);
    return (struct slice){copy, copy ? s.size : 0};
}

static int refuse(struct session *s, struct step *st, const struct demand *d, uint32_t rights,
                  struct slice asked)
{
    st->why = say_missing(s->engine, s, d, rights);
    struct refusing what = {.right = rights == REFUSED_USERS ? RIGHTS : (unsigned)__builtin_ctz(rights),
                            .asked = asked};
    if (d->on == ON_TOPIC)
        what.topic = keep(s->engine, given_on(d->topic));
    st->refusing = what; /* in the place of the fields, which `d` may point into */
    return SHUNT_FORBIDDEN;
}

static struct slice asked(struct engine *e, const struct step *st, const union request_fields *fields)
{
    char *text = arena_room(&e->arena, AUDIT_ASKED_BYTES_MAX);
    return (struct slice){text,
                          text ? request_asked(st->request->op, fields, text, AUDIT_ASKED_BYTES_MAX) : 0};
}

/* ---- what depends on what is stored ---- */

/* What the request that begins such a job needs, and looking at it. */
static const struct {
    enum wire_need look, act;
} jobs[] = {[JOB_REDRIVE] = {NEED_DLQ_LOOK, NEED_DLQ_REDRIVE},
            [JOB_PURGE_DLQ] = {NEED_DLQ_LOOK, NEED_DLQ_PURGE},
            [JOB_PURGE] = {NEED_LOOK, NEED_ADMIN},
            [JOB_DROP] = {NEED_LOOK, NEED_ADMIN},
            [JOB_CAUSES] = {NEED_ADMIN_EVERYWHERE, NEED_ADMIN_EVERYWHERE}};

static uint64_t job_of(unsigned op, const union request_fields *f)
{
    return op == OP_JOB_SHOW     ? f->job_show.job
           : op == OP_JOB_PAUSE  ? f->job_pause.job
           : op == OP_JOB_RESUME ? f->job_resume.job
                                 : f->job_cancel.job;
}

/* False: it is not there, or nobody who asks is to know of it. */
static bool add_of_job(struct session *s, const struct user *u, const struct step *st,
                       const union request_fields *fields, struct demands *to)
{
    struct job_facts job;
    if (!ledger_job_facts(s->engine->ledger, job_of(st->request->op, fields), &job))
        return false;
    to->count = 0;
    demands_add(to, jobs[job.kind].look, job.topic);
    if (missing(s, u, &to->items[0]))
        return false;
    if (st->request->need == NEED_JOB)
        demands_add(to, jobs[job.kind].act, job.topic);
    if (st->request->need == NEED_JOB && job.to.size)
        demands_add(to, NEED_PUBLISH, job.to);
    return true;
}

/* A rule that is only turned on or off does what it was set to. */
static void add_of_rule(const struct session *s, const struct step *st, const union request_fields *fields,
                        struct demands *to)
{
    struct rule_facts rule;
    if (fields->rule_set.options.action.size ||
        !ledger_rule_facts(s->engine->ledger, st->topic, st->group, (uint32_t)fields->rule_set.rule, &rule))
        return;
    if (rule.action == RULE_DISCARD)
        demands_add(to, NEED_DLQ_PURGE, st->topic);
    demands_add_target(to, st->topic, rule.to);
}

/* ---- about oneself ---- */

/* Everybody may change the password of his own, and no more of what a user is; and have tokens. A request about tokens that names
 * nobody is about the one who asks. */
static bool is_about_self(const struct session *s, unsigned op, const union request_fields *f)
{
    struct slice user;
    switch (op) {
    case OP_USER_SET:
        user = f->user_set.user;
        if (f->user_set.settings.certificates.bytes.data || f->user_set.settings.roles.bytes.data ||
            f->user_set.settings.grants.bytes.data || f->user_set.settings.state.data)
            return false;
        break;
    case OP_TOKEN_CREATE:
        user = f->token_create.user;
        break;
    case OP_TOKEN_LIST:
        user = f->token_list.user;
        break;
    case OP_TOKEN_REVOKE:
        user = f->token_revoke.user;
        break;
    default:
        return false;
    }
    return (!user.size && op != OP_USER_SET) || slice_is(user, s->who.user);
}

/* A token that came into wrong hands must end when it is revoked or expires. */
static bool would_outlive_token(const struct session *s, unsigned op)
{
    return s->who.how == WHO_TOKEN && (op == OP_USER_SET || op == OP_TOKEN_CREATE);
}

/* ---- asking ---- */

static int gone(struct session *s, struct step *st)
{
    st->why = gate_why_nobody(s->engine, &s->who);
    return SHUNT_UNAUTHENTICATED;
}

int gate_ask(struct session *s, struct step *st, const union request_fields *fields)
{
    enum wire_need need = st->request->need;
    struct demands d;
    demands_of(need, st->request->op, st->topic, fields, &d);
    if (!d.count)
        return 0;
    const struct user *u = gate_user(s->engine, &s->who);
    if (!u)
        return gone(s, st);
    if ((need == NEED_JOB || need == NEED_JOB_LOOK) && !add_of_job(s, u, st, fields, &d)) {
        st->why = engine_no_job(s->engine, job_of(st->request->op, fields));
        return SHUNT_NOT_FOUND;
    }
    if (need == NEED_SELF_OR_USERS && is_about_self(s, st->request->op, fields)) {
        if (!would_outlive_token(s, st->request->op) || !missing(s, u, &d.items[0]))
            return 0;
        (void)refuse(s, st, &d.items[0], REFUSED_USERS, asked(s->engine, st, fields));
        st->why =
            engine_text(s->engine,
                        "user %s logged in by a token, which makes no tokens and sets no password: log in "
                        "by password or certificate",
                        engine_name(s->engine, slice_of(s->who.user), NAME_BYTES_MAX));
        return SHUNT_FORBIDDEN;
    }
    if (need == NEED_DLQ_RULE)
        add_of_rule(s, st, fields, &d);
    for (uint32_t i = 0; i < d.count; i++) {
        uint32_t rights = missing(s, u, &d.items[i]);
        if (rights)
            return refuse(s, st, &d.items[i], rights, asked(s->engine, st, fields));
    }
    return 0;
}

int gate_ask_more(struct session *s, struct step *st, enum wire_need need)
{
    struct demands d = {0};
    const struct user *u = gate_user(s->engine, &s->who);
    if (!u)
        return gone(s, st);
    demands_add(&d, need, st->topic);
    uint32_t rights = d.count ? missing(s, u, &d.items[0]) : 0;
    struct slice was_asked = st->command.by ? st->command.by->asked : (struct slice){0};
    return rights ? refuse(s, st, &d.items[0], rights, was_asked) : 0;
}

/* ---- looking ---- */

static bool sees(const void *viewer, struct slice topic, bool dead)
{
    const struct session *s = viewer;
    const struct user *u = gate_user(s->engine, &s->who);
    if (!topic.size) /* of no topic, or of all of them */
        return u && !(RIGHT(ADMIN) & ~ledger_rights(s->engine->ledger, u, every_topic));
    return u && gate_lets(s->engine, u, dead ? NEED_DLQ_LOOK : NEED_LOOK, topic);
}

struct view gate_view(struct session *s)
{
    struct view v = transaction_view(s->engine);
    if (who_is_asked(&s->who)) {
        v.sees = sees;
        v.viewer = s;
    }
    return v;
}

static bool has_everywhere(const struct session *s, uint32_t rights)
{
    if (!who_is_asked(&s->who))
        return true;
    const struct user *u = gate_user(s->engine, &s->who);
    return u && !(rights & ~ledger_rights(s->engine->ledger, u, every_topic));
}

bool gate_sees_all(const struct session *s)
{
    return has_everywhere(s, RIGHT(LOOK) | RIGHT(DLQ_LOOK));
}

bool gate_sees_clients(const struct session *s)
{
    return has_everywhere(s, RIGHT(ADMIN));
}
