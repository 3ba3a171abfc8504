/* audit: the log of what operators did. A command that brings its actor and succeeds leaves a row, in the transaction in
 * which it was applied; one that was refused changed nothing and leaves none. What was refused for want of a right never became a
 * command: REFUSAL notes so many of them in one row.
 *
 * Rows are numbered without a gap, and leave from the oldest on: when they have been kept long enough (by ticks), and when
 * all together take too much (the newest stays whatever it takes). In a store without room the log does not grow beyond
 * a little: a new row then takes the place of the oldest ones, so that the act itself can go on.
 */
#include "base/check.h"
#include "base/utf8.h"
#include "broker/core/state.h"

#include <stdlib.h>

#define AUDIT_TICK_ROWS      256          /* that leave in one tick */
#define AUDIT_FULL_BYTES_MAX (64u * 1024) /* up to which the log grows in a store without room */

/* ---- leaving ---- */

static uint64_t oldest(const struct ledger *l)
{
    return l->meta.audit_next - l->meta.audit_rows;
}

static int forget_oldest(struct ledger *l)
{
    struct key key = key_audit(oldest(l));
    size_t size;
    int err = ledger_del(l, TABLE_AUDIT, key_slice(&key), &size);
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    l->meta.audit_rows--;
    l->meta.audit_bytes -= key.size + size;
    l->changed = true;
    return 0;
}

/* Of the oldest row that is left. */
static int look_at_oldest(struct ledger *l)
{
    struct key key = key_audit(oldest(l));
    struct audit_record r;
    struct slice value;
    if (!l->meta.audit_rows)
        return 0;
    int err = store_get(l->txn, TABLE_AUDIT, key_slice(&key), &value);
    if (!err)
        err = audit_decode(key_slice(&key), value, &r);
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    l->audit_oldest_ms = r.time_ms;
    return 0;
}

/* Whether the oldest is to make room. */
static bool is_above(const struct meta_record *m, uint64_t bytes_max)
{
    return m->audit_rows > 1 && m->audit_bytes > bytes_max;
}

static uint64_t bytes_max(const struct meta_record *m)
{
    return m->audit_bytes_max ? m->audit_bytes_max : UINT64_MAX;
}

int64_t audit_at(const struct ledger *l)
{
    const struct meta_record *m = &l->meta;
    if (is_above(m, bytes_max(m)))
        return l->now_ms;
    return m->audit_rows && m->audit_keep_ms ? l->audit_oldest_ms + m->audit_keep_ms : NEVER;
}

int audit_tick(struct ledger *l)
{
    int err = 0;
    for (unsigned rows = 0;
         !err && rows < AUDIT_TICK_ROWS && audit_at(l) <= l->now_ms && ledger_has_room(l, COST_AUDIT_BYTES);
         rows++) {
        err = forget_oldest(l);
        if (!err)
            err = look_at_oldest(l);
    }
    return err;
}

/* ---- coming ---- */

static struct slice cut(struct slice s, size_t max)
{
    return (struct slice){s.data, utf8_prefix(s.data, s.size, max)};
}

/* What the command that was applied last was answered; NULL: it tells of no end. */
static const struct done_result *answer_of(const struct ledger *l)
{
    const struct results *r = &l->results;
    for (size_t i = r->count; i-- > 0 && r->items[i].command == l->command;) {
        if (r->items[i].kind == RESULT_DONE)
            return &r->items[i].done;
    }
    return NULL;
}

/* The names of the job's topic and group, if it is still known. Copied into `j`. */
static int job_names(struct ledger *l, uint64_t id, struct job_record *j, struct command_names *names)
{
    struct key key = key_job(id);
    struct slice value;
    int err = store_get(l->txn, TABLE_JOB, key_slice(&key), &value);
    if (!err)
        err = job_decode(key_slice(&key), value, j);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    names->topic = slice_of(j->topic_name);
    names->group = slice_of(j->group_name);
    return 0;
}

static int add(struct ledger *l, const struct actor *by, const struct command_names *names,
               const struct done_result *done)
{
    struct meta_record *m = &l->meta;
    struct key key = key_audit(m->audit_next);
    const struct audit_record r = {.time_ms = l->now_ms,
                                   .request = by->request,
                                   .job = done->job ? done->job : names->job,
                                   .count = done->count,
                                   .topic = cut(names->topic, TOPIC_BYTES_MAX),
                                   .group = cut(names->group, NAME_BYTES_MAX),
                                   .client = cut(by->client, CLIENT_NAME_BYTES_MAX),
                                   .host = cut(by->host, CLIENT_NAME_BYTES_MAX),
                                   .peer = cut(by->peer, AUDIT_PEER_BYTES_MAX),
                                   .reason = cut(by->reason, AUDIT_REASON_BYTES_MAX),
                                   .asked = cut(by->asked, AUDIT_ASKED_BYTES_MAX),
                                   .user = cut(by->user, NAME_BYTES_MAX)};
    size_t size = audit_encode(l->record, key_slice(&key), &r);
    check(key.size + size <= AUDIT_ROW_BYTES_MAX);
    int err = ledger_put(l, TABLE_AUDIT, key_slice(&key), (struct slice){l->record, size});
    if (!m->audit_rows)
        l->audit_oldest_ms = l->now_ms;
    m->audit_next++;
    m->audit_rows++;
    m->audit_bytes += key.size + size;
    l->changed = true;
    return err;
}

/* Up to which the log may grow by one more row. */
static uint64_t allowed(const struct ledger *l)
{
    const struct meta_record *m = &l->meta;
    uint64_t most = bytes_max(m);
    if (!ledger_is_full(l))
        return most;
    uint64_t now = m->audit_bytes > AUDIT_FULL_BYTES_MAX ? m->audit_bytes : AUDIT_FULL_BYTES_MAX;
    return most < now ? most : now;
}

int audit_note(struct ledger *l, const struct command *c)
{
    const struct done_result *done = answer_of(l);
    struct command_names names = command_names(c);
    struct job_record *job = NULL;
    uint64_t most = allowed(l);
    int err = 0;
    if (!done || done->err)
        return 0;
    if (names.job) {
        job = malloc(sizeof *job);
        err = job ? job_names(l, names.job, job, &names) : SHUNT_NO_MEMORY;
    }
    if (!err)
        err = add(l, c->by, &names, done);
    free(job);
    if (err || !is_above(&l->meta, most))
        return err;
    for (unsigned rows = 0; !err && rows < COST_AUDIT_ROWS && is_above(&l->meta, most); rows++)
        err = forget_oldest(l);
    return err ? err : look_at_oldest(l);
}

int apply_refusal(struct ledger *l, const struct refusal_command *c)
{
    ledger_tell_done(l, 0, NULL, 0, c->count);
    return 0;
}

/* ---- loading ---- */

int audit_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    int err = look_at_oldest(l);
    if (err == SHUNT_CORRUPT)
        ledger_say(ret_why, why_bytes, "a row of the audit table cannot be read");
    return err;
}
