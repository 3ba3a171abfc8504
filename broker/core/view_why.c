/* view_why: where a message is for each group of its topic, how it came there, and what comes next. Touches nothing.
 *
 * All of it is in the rows: the attempt row says where, the history what happened, the settings what is in force and
 * which of them supplied it. Only who holds the message now is the dispatcher's to know. */
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/fingerprint.h"
#include "broker/core/history.h"
#include "broker/core/job.h"
#include "broker/core/order.h"
#include "broker/core/past.h"
#include "broker/core/rule.h"
#include "broker/core/view_put.h"

/* What there is to tell of one group. */
struct story {
    struct ledger *l;
    const struct view *v;
    struct group *g;
    uint64_t seq;
    const struct loaded_message *m;
    enum where where;
    struct attempt_record row; /* zero unless it has one */
    bool kept;                 /* it is done, and … */
    struct ended_record ended; /* … this is how */
    bool held;
    struct view_holder holder;
    uint64_t waits_for;              /* ready, and another one of its key comes first; 0: none does */
    enum where waits_where;          /* … that is there, … */
    struct attempt_record waits_row; /* … with this row */
};

/* ---- where it is ---- */

/* The table of states: each with what comes next, unless something keeps it from that. */
enum state {
    STATE_READY,
    STATE_IN_FLIGHT,
    STATE_DELAYED,
    STATE_DEAD,
    STATE_DONE,
    STATE_NOT_YET, /* no message of this number was published */
    STATE_BEFORE,  /* it was published before the group was made */
};
static const struct {
    const char *name, *next;
} states[] = {
    [STATE_READY] = {"ready", "hand_out"}, [STATE_IN_FLIGHT] = {"in_flight", "answer"},
    [STATE_DELAYED] = {"delayed", "due"},  [STATE_DEAD] = {"dead", "triage"},
    [STATE_DONE] = {"done", NULL},         [STATE_NOT_YET] = {"not_yet", NULL},
    [STATE_BEFORE] = {"before", NULL},
};

static enum state state_at(const struct group *g, uint64_t seq, enum where where,
                           const struct attempt_record *row)
{
    switch (where) {
    case WHERE_FRESH:
        return STATE_READY;
    case WHERE_FLIGHT:
        return STATE_IN_FLIGHT;
    case WHERE_TRACKED:
        if (row->state == ATTEMPT_WAITING)
            return row->due_ms > g->r.due_mark_ms ? STATE_DELAYED : STATE_READY;
        return row->state == ATTEMPT_DEAD ? STATE_DEAD : STATE_IN_FLIGHT;
    case WHERE_GONE:
        break;
    }
    return seq >= g->topic->r.head ? STATE_NOT_YET : seq < g->r.start ? STATE_BEFORE : STATE_DONE;
}

static enum state state_of(const struct story *s)
{
    return state_at(s->g, s->seq, s->where, &s->row);
}

static enum state state_before(const struct story *s)
{
    return state_at(s->g, s->waits_for, s->waits_where, &s->waits_row);
}

/* What keeps a ready message from being handed out, or that nothing does. */
static const char *next_of_ready(const struct story *s, uint64_t consumers)
{
    if (s->g->r.paused)
        return "resume";
    if (s->g->breaker && s->g->breaker->r.state != BREAKER_CLOSED)
        return "breaker";
    if (s->l->room.fullness >= STORE_HELD)
        return "room";
    if (s->waits_for && state_before(s) == STATE_DEAD)
        return "key";
    if (!consumers)
        return "consumer";
    if (s->waits_for)
        return "key";
    return s->row.suspect ? "alone" : states[STATE_READY].next;
}

static int64_t since(const struct story *s, enum state state, const struct dead_record *dead)
{
    switch (state) {
    case STATE_READY:
    case STATE_DELAYED:
        return s->row.since_ms && state == STATE_READY ? s->row.since_ms : message_since_ms(&s->m->head);
    case STATE_IN_FLIGHT:
        return s->held ? s->holder.leased_ms : 0;
    case STATE_DEAD:
        return dead->died_ms;
    case STATE_DONE:
        return s->ended.ended_ms;
    case STATE_NOT_YET:
    case STATE_BEFORE:
        break;
    }
    return 0;
}

/* When that ends, if time ends it. */
static int64_t until(const struct story *s, enum state state, const struct dead_record *dead)
{
    int64_t leaves_ms = state == STATE_DEAD ? dead_leaves_at(s->g, dead->died_ms) : NEVER;
    if (state == STATE_IN_FLIGHT)
        return s->held ? s->holder.until_ms : 0;
    if (state == STATE_DELAYED)
        return s->row.due_ms;
    if (state == STATE_DONE && s->kept)
        leaves_ms = past_leaves_at(s->g, s->ended.ended_ms);
    return leaves_ms == NEVER ? 0 : leaves_ms;
}

/* ---- its parts ---- */

static void put_word(struct mpack_buffer *to, const char *key, const char *word)
{
    put_key(to, key);
    if (word)
        mpack_write_cstr(to, word);
    else
        mpack_write_nil(to);
}

static void put_flag(struct mpack_buffer *to, const char *key, bool value)
{
    put_key(to, key);
    mpack_write_bool(to, value);
}

static void put_counts(struct mpack_buffer *to, const struct story *s)
{
    bool flight = s->where == WHERE_FLIGHT;
    bool kept = s->kept;
    put_uint(to, "attempts", kept ? s->ended.attempts : s->row.attempts);
    put_uint(to, "attempts_total", kept ? s->ended.attempts_total : s->row.attempts_total);
    put_uint(to, "deliveries", kept ? s->ended.deliveries : flight + s->row.deliveries);
    put_uint(to, "deliveries_total", kept ? s->ended.deliveries_total : flight + s->row.deliveries_total);
    put_uint(to, "generation", kept ? s->ended.generation : s->row.generation);
}

static void put_holder(struct mpack_buffer *to, const struct story *s)
{
    const struct view_holder *h = &s->holder;
    put_key(to, "holder");
    if (!s->held) {
        mpack_write_nil(to);
        return;
    }
    mpack_write_map(to, 8);
    put_slice(to, "consumer", slice_of(h->client));
    put_slice(to, "host", slice_of(h->host));
    put_slice(to, "build", slice_of(h->build));
    put_slice(to, "peer", slice_of(h->peer));
    put_time(s->l, to, "leased", h->leased_ms);
    put_time(s->l, to, "started", h->started_ms);
    put_time(s->l, to, "until", h->until_ms);
    put_flag(to, "silent", h->silent);
}

static void put_death(struct mpack_buffer *to, const struct story *s, const struct dead_record *dead,
                      uint64_t dead_seq, bool attended)
{
    static const char *const reasons[] = DEAD_REASON_NAMES;
    static const char *const cause_states[] = CAUSE_STATE_NAMES;
    char digits[FINGERPRINT_DIGITS + 1];
    put_key(to, "death");
    if (!dead->died_ms) {
        mpack_write_nil(to);
        return;
    }
    const struct cause *cause = dead->cause ? cause_find(s->g, dead->cause) : NULL;
    fingerprint_write(digits, dead->cause);
    mpack_write_map(to, 10);
    put_name(to, "id", s->g->dlq->r.name, dead_seq);
    put_time(s->l, to, "died", dead->died_ms);
    put_word(to, "reason", reasons[dead->reason]);
    put_word(to, "cause", dead->cause ? digits : NULL);
    put_word(to, "cause_state", cause ? cause_states[cause->r.state] : NULL);
    put_slice(to, "cause_title", cause ? slice_of(cause->r.title) : (struct slice){0});
    put_flag(to, "attended", attended);
    put_acting(s->l, to, s->g, dead);
}

/* How it ended, as far as that is kept. */
static void put_end(struct mpack_buffer *to, const struct story *s)
{
    static const char *const hows[DONE_HOWS] = {"acked",  "expired",  "discarded",
                                                "purged", "redriven", "moved"};
    put_key(to, "end");
    if (!s->kept) {
        mpack_write_nil(to);
        return;
    }
    mpack_write_map(to, 6);
    put_word(to, "how", hows[s->ended.how]);
    put_slice(to, "moved_to", s->ended.moved_to);
    put_slice(to, "consumer", s->ended.client);
    put_slice(to, "host", s->ended.host);
    put_slice(to, "build", s->ended.build);
    put_id(to, "rule", s->ended.rule);
}

/* The redrive that brought it back last, and what it was told of it. What it chose by is known while the job is. */
static void put_redrive(struct mpack_buffer *to, const struct story *s)
{
    static const char *const outcomes[] = REDRIVE_OUTCOME_NAMES;
    uint64_t id = s->kept ? s->ended.job : s->row.job;
    const struct job *job = id ? job_find(s->l, id) : NULL;
    const struct rule *rule = id && !job ? rule_of_id(s->g, id) : NULL;
    put_key(to, "redrive");
    if (!id) {
        mpack_write_nil(to);
        return;
    }
    mpack_write_map(to, 4);
    put_uint(to, "job", id);
    put_id(to, "rule", rule ? rule->number : 0);
    put_word(to, "outcome", outcomes[s->kept ? s->ended.outcome : s->row.outcome]);
    if (job || rule)
        put_filter(to, job ? &job->r.filter : &rule->r.filter);
    else
        put_word(to, "filter", NULL);
}

/* The settings in force, and whose each is. */
static void put_limits(struct mpack_buffer *to, const struct group *g)
{
    put_key(to, "limits");
    mpack_write_array(to, POLICY_COUNT);
    for (unsigned i = 0; i < POLICY_COUNT; i++) {
        bool own = g->r.policy.given >> i & 1, topic = g->topic->r.policy.given >> i & 1;
        mpack_write_map(to, 3);
        put_word(to, "setting", policy_rows[i].field);
        put_key(to, "value");
        mpack_write_int(to, group_setting(g, (enum policy_field)i));
        put_word(to, "source", own ? "group" : topic ? "topic" : "default");
    }
}

/* The message of its key that comes before it. */
static void put_waits_for(struct mpack_buffer *to, const struct story *s)
{
    put_key(to, "waits_for");
    if (!s->waits_for) {
        mpack_write_nil(to);
        return;
    }
    enum state state = state_before(s);
    struct slice key = view_parse(s->m->message).key;
    mpack_write_map(to, 4);
    put_name(to, "message", s->g->topic->r.name, s->waits_for);
    put_word(to, "state", states[state].name);
    if (state == STATE_DEAD)
        put_name(to, "letter", s->g->dlq->r.name, s->waits_row.dead_seq);
    else
        put_word(to, "letter", NULL);
    put_key(to, "key");
    mpack_write_bin(to, key.data, key.size);
}

/* ---- one group ---- */

static int load_before(struct story *s)
{
    uint64_t key = s->where == WHERE_TRACKED && s->row.key ? s->row.key : order_key(s->m->message);
    int err = order_waits_for(s->l, s->g, s->seq, key, &s->waits_for);
    if (!err && s->waits_for)
        err = place_find(s->l, s->g, s->waits_for, &s->waits_where, &s->waits_row);
    return err;
}

static int load_ended(struct story *s)
{
    struct key key = key_history(s->g->r.id, s->seq, HISTORY_ROW_END);
    struct slice value;
    int err = store_get(s->v->txn, TABLE_HISTORY, key_slice(&key), &value);
    ledger_looked(s->l, 0);
    s->kept = !err;
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    return ended_decode(key_slice(&key), value, &s->ended);
}

/* Of the letter that it is, or was when it ended. */
static int load_death(const struct story *s, struct dead_record *ret, uint64_t *ret_seq, bool *ret_attended)
{
    struct slice value;
    *ret =
        (struct dead_record){.died_ms = s->ended.died_ms, .reason = s->ended.reason, .cause = s->ended.cause};
    *ret_seq = s->ended.dead_seq;
    *ret_attended = s->ended.attended;
    if (s->where != WHERE_TRACKED || s->row.state != ATTEMPT_DEAD)
        return 0;
    *ret_seq = s->row.dead_seq;
    struct key key = key_id_seq(s->g->dlq->r.id, *ret_seq);
    int err = store_get(s->v->txn, TABLE_DEAD, key_slice(&key), &value);
    if (!err)
        err = dead_decode(key_slice(&key), value, ret);
    *ret_attended = !err && cause_attended(s->g, ret, *ret_seq);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
}

static int load(struct story *s)
{
    int err = place_find(s->l, s->g, s->seq, &s->where, &s->row);
    ledger_looked(s->l, 0);
    enum state state = err ? STATE_DONE : state_of(s);
    if (!err && state == STATE_DONE)
        err = load_ended(s);
    if (!err && state == STATE_READY)
        err = load_before(s);
    if (!err && state == STATE_IN_FLIGHT && s->v->holder)
        s->held = s->v->holder(s->v->context, s->g->r.id, s->seq, &s->holder);
    return err;
}

static int put_group(struct story *s, struct mpack_buffer *to)
{
    struct dead_record dead;
    uint64_t dead_seq;
    bool attended;
    int err = load(s);
    if (!err)
        err = load_death(s, &dead, &dead_seq, &attended);
    if (err)
        return err;
    enum state state = state_of(s);
    uint64_t consumers = s->v->members ? s->v->members(s->v->context, s->g->r.id) : 0;
    bool tracked = s->where == WHERE_TRACKED, over = state == STATE_DEAD || state >= STATE_DONE;
    int64_t expires_ms = tracked ? s->row.expires_ms : s->m->head.expires_ms;
    int64_t deadline_ms = tracked ? s->row.deadline_ms : s->m->head.deadline_ms;
    mpack_write_map(to, 24);
    put_slice(to, "group", slice_of(s->g->r.name));
    put_word(to, "state", states[state].name);
    put_time(s->l, to, "since", since(s, state, &dead));
    put_time(s->l, to, "until", until(s, state, &dead));
    put_word(to, "next",
             state == STATE_READY                              ? next_of_ready(s, consumers)
             : state == STATE_DEAD && rule_acting(s->g, &dead) ? "rule"
                                                               : states[state].next);
    put_counts(to, s);
    put_time(s->l, to, "expires", over ? 0 : expires_ms);
    put_time(s->l, to, "deadline", over ? 0 : deadline_ms);
    put_flag(to, "suspect", s->row.suspect);
    put_flag(to, "paused", s->g->r.paused);
    put_uint(to, "consumers", consumers);
    put_uint(to, "ready", s->g->r.counts.ready);
    put_holder(to, s);
    put_waits_for(to, s);
    put_death(to, s, &dead, dead_seq, attended);
    put_end(to, s);
    put_redrive(to, s);
    put_limits(to, s->g);
    err = put_edited(s->l, to, s->g, s->seq, s->row.edit);
    if (err)
        return err;
    return put_history(s->l, to, s->g, s->seq, message_ttl_ms(&s->m->head));
}

/* ---- all ---- */

/* The message behind a dead letter: in its topic, for the group that failed it. */
static int resolve(const struct view *v, struct topic **topic, uint64_t *seq, struct group **only)
{
    struct key key = key_id_seq((*topic)->r.id, *seq);
    struct slice value;
    struct dead_record dead;
    if (!(*topic)->r.origin_group)
        return 0;
    int err = store_get(v->txn, TABLE_DEAD, key_slice(&key), &value);
    if (!err)
        err = dead_decode(key_slice(&key), value, &dead);
    if (err)
        return err;
    *only = catalog_group_by_id(v->ledger, dead.origin_group);
    if (!*only)
        return SHUNT_CORRUPT;
    *topic = (*only)->topic;
    *seq = dead.origin_seq;
    return 0;
}

int view_why(const struct view *v, struct topic *t, uint64_t seq, struct group *only, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct loaded_message m;
    size_t begin = to->size, i = 0;
    uint32_t count = 0;
    l->txn = v->txn;
    int err = resolve(v, &t, &seq, &only);
    if (!err)
        err = message_load(l, t, seq, false, &m);
    if (err)
        return err;
    ledger_looked(l, m.bytes);
    mpack_write_map(to, 10);
    put_name(to, "message", t->r.name, seq);
    put_slice(to, "topic", slice_of(t->r.name));
    put_uint(to, "seq", seq);
    put_time(l, to, "now", l->now_ms);
    put_flag(to, "stored", m.bytes > 0);
    put_key(to, "groups");
    size_t array = mpack_write_array_open(to);
    int64_t published_ms = m.head.published_ms;
    for (; !err && i < t->groups_count && to->size - begin < PAGE_BYTES_MAX; i++) {
        struct story s = {.l = l, .v = v, .g = t->groups[i], .seq = seq, .m = &m};
        if (only && s.g != only)
            continue;
        err = put_group(&s, to);
        count++;
        if (s.kept)
            published_ms = s.ended.published_ms;
    }
    mpack_patch_array(to, array, count);
    put_flag(to, "more", !only && i < t->groups_count);
    put_time(l, to, "published", published_ms);
    put_time(l, to, "due", m.head.due_ms);
    put_time(l, to, "deadline", m.head.deadline_ms);
    return !err && to->failed ? SHUNT_NO_MEMORY : err;
}
