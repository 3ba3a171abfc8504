/* ledger_fixture: driving a ledger in tests. */
#include "tests/unit/core/ledger_fixture.h"
#include "proto/errors.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the trace ---- */

__attribute__((format(printf, 2, 3))) static void line(struct fixture *f, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (f->quiet)
        return;
    int at = snprintf(text, sizeof text, "%6lld ", (long long)f->now_ms);
    va_start(args, format);
    vsnprintf(text + at, sizeof text - (size_t)at, format, args);
    va_end(args);
    size_t size = strlen(text);
    f->trace = realloc(f->trace, f->trace_size + size + 2);
    memcpy(f->trace + f->trace_size, text, size);
    f->trace_size += size;
    f->trace[f->trace_size++] = '\n';
    f->trace[f->trace_size] = 0;
}

void fixture_forget(struct fixture *f)
{
    f->trace_size = 0;
    if (f->trace)
        f->trace[0] = 0;
}

void fixture_expect(struct fixture *f, const char *trace)
{
    const char *got = f->trace ? f->trace : "";
    cr_assert(strcmp(got, trace) == 0, "expected:\n%s\ngot:\n%s", trace, got);
    fixture_forget(f);
}

/* "topic/group" of a group by its id. */
static const char *name_of(struct fixture *f, uint32_t id)
{
    static char name[TOPIC_BYTES_MAX + NAME_BYTES_MAX + 2];
    const struct group *g = catalog_group_by_id(f->l, id);
    snprintf(name, sizeof name, "%s/%s", g ? g->topic->r.name : "?", g ? g->r.name : "?");
    return name;
}

/* ---- results ---- */

static void on_published(struct fixture *f, const struct published_result *p)
{
    f->err = p->err;
    f->why = p->why;
    f->first_seq = p->first_seq;
    f->accepted = p->accepted;
    f->refusal = p->refusal;
    if (p->err) {
        line(f, "publish %s", err_name(p->err));
    } else {
        line(f, "published %llu+%u%s%s", (unsigned long long)p->first_seq, p->accepted,
             p->refusal ? " then " : "", p->refusal ? err_name(p->refusal) : "");
    }
}

static void remember_token(struct fixture *f, uint32_t group, uint64_t seq, uint64_t token)
{
    for (size_t i = f->tokens_count; i-- > 0;) {
        if (f->tokens[i].group == group && f->tokens[i].seq == seq) {
            cr_assert_gt(token, f->tokens[i].token, "tokens of one message only grow");
            f->tokens[i].token = token;
            return;
        }
    }
    if (f->tokens_count == DELIVERIES_MAX) {
        f->tokens_count /= 2;
        memcpy(f->tokens, f->tokens + f->tokens_count, f->tokens_count * sizeof *f->tokens);
    }
    f->tokens[f->tokens_count++] = (struct token){group, seq, token};
}

uint64_t fixture_token(const struct fixture *f, uint32_t group, uint64_t seq)
{
    for (size_t i = f->tokens_count; i-- > 0;) {
        if (f->tokens[i].group == group && f->tokens[i].seq == seq)
            return f->tokens[i].token;
    }
    return 0;
}

static void on_handed_out(struct fixture *f, struct store_txn *t, uint32_t group, const struct handout *h)
{
    const struct view v = {.ledger = f->l, .txn = t};
    remember_token(f, group, h->seq, h->token);
    if (f->handed < sizeof f->handed_seqs / sizeof *f->handed_seqs)
        f->handed_seqs[f->handed] = h->seq;
    f->handed++;
    f->last_body.size = f->last_dead.size = 0;
    mpack_write_raw(&f->last_body, h->message.data, h->message.size);
    /* What follows in a batch may have taken it away, or its group. */
    if (h->dead && catalog_group_by_id(f->l, group))
        cr_assert(!view_delivered_dead(&v, group, h, false, &f->last_dead) || f->applied_count > 1);
    f->last_lease_ms = h->lease_ms;
    line(f, "%s hand %llu token %llu attempts %u deliveries %u generation %u", name_of(f, group),
         (unsigned long long)h->seq, (unsigned long long)h->token, h->attempts, h->deliveries, h->generation);
}

static void on_damaged(struct fixture *f, const struct corrupt_command *found)
{
    cr_assert_lt(f->damaged_count, sizeof f->damaged / sizeof *f->damaged);
    f->damaged[f->damaged_count++] = (struct command){.kind = COMMAND_CORRUPT, .corrupt = *found};
    line(f, "%s damaged %llu", name_of(f, found->group), (unsigned long long)found->seq);
}

static void on_taken_up(struct fixture *f, const struct take_up_command *c, uint32_t entry,
                        const struct handout *h)
{
    cr_assert_eq(h->seq, c->entries[entry].seq);
    remember_token(f, c->group, h->seq, h->token);
    line(f, "%s takes up %llu token %llu attempts %u deliveries %u generation %u", name_of(f, c->group),
         (unsigned long long)h->seq, (unsigned long long)h->token, h->attempts, h->deliveries, h->generation);
}

static void on_refused(struct fixture *f, uint32_t entry, int err)
{
    f->stale++;
    line(f, "entry %u %s", entry, err_name(err));
}

static void on_done(struct fixture *f, const struct done_result *d)
{
    f->err = d->err;
    f->why = d->why;
    f->job = d->job;
    f->count = d->count;
    if (d->err)
        line(f, "%s", err_name(d->err));
    else if (d->job)
        line(f, "job %llu of %llu", (unsigned long long)d->job, (unsigned long long)d->count);
    else
        line(f, "ok");
}

static void on_revoked(struct fixture *f, uint32_t group, uint64_t seq)
{
    line(f, "%s revoked %llu", name_of(f, group), (unsigned long long)seq);
}

static void heed(struct fixture *f, struct store_txn *t, const struct command *c, const struct result *r)
{
    switch (r->kind) {
    case RESULT_PUBLISHED:
        on_published(f, &r->published);
        return;
    case RESULT_HANDED_OUT:
        on_handed_out(f, t, c->assign.group, &r->handed_out);
        return;
    case RESULT_ASSIGNED:
        f->assigned += r->assigned;
        return;
    case RESULT_TAKEN_UP:
        on_taken_up(f, &c->take_up, r->taken_up.entry, &r->taken_up.handout);
        return;
    case RESULT_REFUSED:
        on_refused(f, r->refused.entry, r->refused.err);
        return;
    case RESULT_DONE:
        on_done(f, &r->done);
        return;
    case RESULT_READY:
        f->readies++;
        return;
    case RESULT_REVOKED:
        on_revoked(f, r->revoked.group, r->revoked.seq);
        return;
    case RESULT_GROUP_GONE:
        line(f, "%s/%s gone %s", r->group_gone.topic, r->group_gone.name, err_name(r->group_gone.err));
        return;
    case RESULT_DAMAGED:
        on_damaged(f, &r->damaged);
        return;
    case RESULT_ATTENDED:
        f->attended_ms = r->attended_ms;
        f->attended++;
        return;
    case RESULT_CAUSE:
        f->cause = r->cause.fingerprint;
        f->cause_state = r->cause.state;
        f->causes++;
        return;
    case RESULT_OVERDUE:
        f->overdue = r->overdue.count, f->overdue_seq = r->overdue.seq;
        return;
    case RESULT_HELD:
        f->held_jobs++;
        return;
    case RESULT_BREAKER:
        *(r->breaker.open ? &f->opened : &f->closed) += 1;
        return;
    case RESULT_DIED:
    case RESULT_JOB_ENDED:
        return;
    }
}

static void heed_results(struct fixture *f, struct store_txn *t)
{
    size_t count;
    const struct result *results = ledger_results(f->l, &count);
    for (size_t i = 0; i < count; i++)
        heed(f, t, &f->applied[results[i].command], &results[i]);
}

/* ---- life ---- */

static void load(struct fixture *f)
{
    struct store_txn *t;
    char why[512];
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(ledger_new(t, &f->l, why, sizeof why), 0, "%s", why);
    store_abort(t);
}

void fixture_init(struct fixture *f)
{
    fixture_init_on(f, store_memory_open(1ull << 30));
}

void fixture_init_on(struct fixture *f, struct store *store)
{
    *f = (struct fixture){0};
    f->store = store;
    load(f);
    fixture_run(f, (struct command){.kind = COMMAND_LIMITS, .limits = {100, 10, 1 << 20, 3600000, 0, 0}});
    fixture_forget(f);
    if (fixture_begun)
        fixture_begun(f);
}

void fixture_init_held(struct fixture *f, struct policy_change change, uint32_t published, uint32_t held)
{
    fixture_init(f);
    topic_create(f, "t", change);
    publish(f, "t", published);
    assign(f, "t", "default", held);
}

void fixture_done(struct fixture *f)
{
    ledger_audit(f->l, f->store);
    fixture_drop(f);
}

void fixture_drop(struct fixture *f)
{
    ledger_free(f->l);
    store_close(f->store);
    free(f->trace);
    mpack_buffer_done(&f->last_body);
    mpack_buffer_done(&f->last_dead);
}

void fixture_reload(struct fixture *f)
{
    ledger_free(f->l);
    load(f);
    if (!f->careless)
        ledger_audit(f->l, f->store);
}

void fixture_crash(struct fixture *f)
{
    store_memory_crash(f->store);
    fixture_reload(f);
}
void fixture_at(struct fixture *f, int64_t ms)
{
    cr_assert_geq(ms, f->now_ms, "time goes forward");
    f->now_ms = ms;
}

static uint64_t hash_in(struct store_txn *t)
{
    uint64_t hash;
    cr_assert_eq(schema_state_hash(t, &hash), 0);
    return hash;
}

/* As the engine does; what the batch was answered stays as it is. */
static void apply_corrupt_ones(struct fixture *f)
{
    struct command found[sizeof f->damaged / sizeof *f->damaged];
    uint32_t handed = f->handed, assigned = f->assigned, stale = f->stale;
    enum command_kind last = f->applied_last;
    size_t count = f->damaged_count;
    memcpy(found, f->damaged, count * sizeof *found);
    fixture_apply(f, found, count);
    f->handed = handed, f->assigned = assigned, f->stale = stale;
    f->applied_last = last;
    f->changed = true;
}

void fixture_apply(struct fixture *f, const struct command *c, size_t count)
{
    struct batch b = {.index = ledger_index(f->l) + 1,
                      .time_ms = T0 + f->now_ms,
                      .commands = c,
                      .count = count,
                      .room = f->room};
    struct store_txn *t;
    f->applied = c, f->applied_count = count;
    if (count)
        f->applied_last = c[count - 1].kind;
    f->err = f->refusal = 0;
    f->handed = f->assigned = f->stale = f->readies = f->damaged_count = 0;
    if (f->tap)
        f->tap(f->tap_context, &b);
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    uint64_t before = f->careless ? 0 : hash_in(t);
    int err = ledger_apply(f->l, t, &b);
    cr_assert_eq(err, 0, "apply failed: %s\n%s", err_name(err), f->trace ? f->trace : "");
    heed_results(f, t);
    fixture_settle_damage(f, t);
    cr_assert(f->handed + f->damaged_count >= f->assigned && f->handed <= f->assigned);
    f->changed = ledger_changed(f->l);
    if (!f->changed) {
        cr_assert(f->careless || before == hash_in(t), "something was written, but `changed` is not set");
        store_abort(t);
    } else {
        cr_assert_eq(ledger_seal(f->l, t), 0);
        cr_assert_eq(store_commit(t), 0);
    }
    if (!f->careless)
        ledger_audit(f->l, f->store);
    if (f->damaged_count)
        apply_corrupt_ones(f);
}

void fixture_run(struct fixture *f, struct command c)
{
    c.by = c.by ? c.by : f->by;
    fixture_apply(f, &c, 1);
}

/* ---- what is there ---- */

static const char *find(struct fixture *f, const char *topic, const char *group, uint64_t seq,
                        struct attempt_record *ret_row)
{
    static const char *const states[] = {"gone", "ready", "in_flight", "tracked"};
    struct group *g = fixture_group(f, topic, group);
    enum where where;
    *ret_row = (struct attempt_record){0};
    cr_assert_eq(store_begin(f->store, false, &f->l->txn), 0);
    cr_assert_eq(place_find(f->l, g, seq, &where, ret_row), 0);
    store_abort(f->l->txn);
    f->l->txn = NULL;
    if (where != WHERE_TRACKED)
        return states[where];
    if (ret_row->state != ATTEMPT_WAITING)
        return ret_row->state == ATTEMPT_DEAD ? "dead" : "in_flight";
    return ret_row->due_ms <= g->r.due_mark_ms ? "ready" : "delayed";
}

const char *state_of(struct fixture *f, const char *topic, const char *group, uint64_t seq)
{
    struct attempt_record row;
    return find(f, topic, group, seq, &row);
}

void expect_state(struct fixture *f, const char *topic, const char *group, uint64_t seq, const char *state)
{
    cr_assert_str_eq(state_of(f, topic, group, seq), state);
}

struct attempt_record row_of(struct fixture *f, const char *topic, const char *group, uint64_t seq)
{
    struct attempt_record row;
    find(f, topic, group, seq, &row);
    return row;
}

void show(struct fixture *f, const char *topic, const char *group, uint64_t seq)
{
    struct attempt_record row;
    const char *state = find(f, topic, group, seq, &row);
    char due[32] = "";
    if (!strcmp(state, "delayed"))
        snprintf(due, sizeof due, " until %lld", (long long)row.due_ms - T0);
    line(f, "%s/%s %llu %s%s%s attempts %u/%u deliveries %u/%llu generation %u rows %u", topic, group,
         (unsigned long long)seq, state, row.suspect ? " suspect" : "", due, row.attempts, row.attempts_total,
         row.deliveries, (unsigned long long)row.deliveries_total, row.generation, row.rows);
}

void show_counts(struct fixture *f, const char *topic, const char *group)
{
    const struct group_counts *n = &fixture_group(f, topic, group)->r.counts;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"published", n->published}, {"ready", n->ready},         {"in_flight", n->in_flight},
                  {"delayed", n->delayed},     {"dead", n->dead},           {"acked", n->acked},
                  {"expired", n->expired},     {"discarded", n->discarded}, {"purged", n->purged},
                  {"away", n->moved_away},     {"suspects", n->suspects},   {"redriven", n->redriven}};
    char all[256] = "";
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].value) {
            snprintf(all + strlen(all), sizeof all - strlen(all), " %s %llu", counts[i].name,
                     (unsigned long long)counts[i].value);
        }
    }
    line(f, "%s/%s:%s", topic, group, all);
}

uint64_t rows_in(struct fixture *f, enum store_table table)
{
    struct store_txn *t;
    uint64_t count, tables;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(store_count(t, table, &tables, &count), 0);
    store_abort(t);
    return count;
}

uint64_t stored_in(struct fixture *f, const char *topic)
{
    return ledger_topic(f->l, text(topic))->r.stored;
}

void flip_message_byte(struct fixture *f, const char *topic, uint64_t seq, size_t at)
{
    struct key key = key_id_seq(ledger_topic(f->l, text(topic))->r.id, seq);
    struct store_txn *t;
    struct slice value;
    uint8_t copy[4096];
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    cr_assert_eq(store_get(t, TABLE_MESSAGE, key_slice(&key), &value), 0);
    cr_assert_lt(at, value.size);
    cr_assert_leq(value.size, sizeof copy);
    memcpy(copy, value.data, value.size);
    copy[at] ^= 0x40;
    cr_assert_eq(store_put(t, TABLE_MESSAGE, key_slice(&key), (struct slice){copy, value.size}), 0);
    cr_assert_eq(store_commit(t), 0);
}
