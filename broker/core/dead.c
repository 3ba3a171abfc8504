/* dead: into the DLQ and out of it.
 *
 * A dead letter stays where it was published: its body in `message`, its attempts in `attempt` and `history`
 * of the failing group. The DLQ holds a reference, so that a divert and a redrive move no bytes. It exists
 * from the group's first day.
 */
#include "base/check.h"
#include "broker/core/breaker.h"
#include "broker/core/cause.h"
#include "broker/core/group_queue.h"
#include "broker/core/history.h"
#include "broker/core/job.h"
#include "broker/core/rule.h"
#include "proto/names.h"

#include <string.h>

int64_t dead_leaves_at(const struct group *g, int64_t died_ms)
{
    int64_t retention_ms = group_setting(g, POLICY_dlq_retention_ms);
    if (!retention_ms)
        return NEVER;
    return whole_second(died_ms + retention_ms);
}

static int append_reference(struct ledger *l, struct group *g, const struct dead_record *dead,
                            struct cause *cause, uint64_t *ret_dead_seq)
{
    struct topic *dlq = g->dlq;
    uint8_t bytes[DEAD_ROW_BYTES_MAX];
    uint64_t dead_seq = dlq->r.head++;
    struct key key = key_id_seq(dlq->r.id, dead_seq);
    size_t size = dead_encode(bytes, key_slice(&key), dead);
    dlq->r.published++;
    dlq->r.stored++;
    dlq->r.stored_bytes += size;
    ledger_dirty_topic(l, dlq);
    for (size_t i = 0; i < dlq->groups_count; i++) {
        struct group *reader = dlq->groups[i];
        reader->r.counts.published++;
        reader->r.counts.ready++;
        ledger_dirty_group(l, reader);
        ledger_tell_ready(l, reader);
    }
    *ret_dead_seq = dead_seq;
    if (cause_letter_came(cause, dead, dead_seq))
        unattended_add(l, g, dead->died_ms);
    else
        unattended_pass(l, g, dead_seq, dead->died_ms);
    return ledger_put(l, TABLE_DEAD, key_slice(&key), (struct slice){bytes, size});
}

static int count_bytes(struct ledger *l, struct group *g)
{
    struct store_cursor *cursor;
    struct key from = key_id_seq(g->dlq->r.id, 0);
    struct slice key, value;
    uint32_t id;
    uint64_t seq, bytes, sum = 0;
    int err = store_cursor_open(l->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    while (!err && key_read_id_seq(key, &id, &seq) && id == g->dlq->r.id) {
        struct dead_record dead;
        err = dead_decode(key, value, &dead);
        if (!err)
            err = message_bytes(l, g->topic, dead.origin_seq, &bytes);
        if (!err) {
            sum += bytes;
            err = store_cursor_next(cursor, &key, &value);
        }
    }
    store_cursor_close(cursor);
    g->r.dead_bytes = sum;
    return err == SHUNT_NOT_FOUND || err == SHUNT_CORRUPT ? 0
                                                          : err; /* what is damaged is told of elsewhere */
}

int dead_count_old(struct ledger *l)
{
    int err = 0;
    for (size_t i = 0; !err && i < l->groups_count; i++) {
        struct group *g = l->groups[i];
        if (g->r.dead_bytes_old && g->dlq && g->r.counts.dead)
            err = count_bytes(l, g);
    }
    return err;
}

int dead_rewrite(struct ledger *l, struct topic *dlq, uint64_t dead_seq, size_t bytes,
                 const struct dead_record *dead, uint8_t to[DEAD_ROW_BYTES_MAX])
{
    struct key key = key_id_seq(dlq->r.id, dead_seq);
    size_t size = dead_encode(to, key_slice(&key), dead);
    dlq->r.stored_bytes += size - bytes;
    ledger_dirty_topic(l, dlq);
    return ledger_put(l, TABLE_DEAD, key_slice(&key), (struct slice){to, size});
}

int dead_divert(struct ledger *l, struct group *g, uint64_t seq, struct attempt_record *row,
                enum dead_reason reason, const struct history_record *last)
{
    struct history_record found = {0};
    struct dead_record dead = {.origin_group = g->r.id,
                               .origin_seq = seq,
                               .reason = reason,
                               .died_ms = l->now_ms,
                               .edit = row->edit};
    struct cause *cause = NULL;
    uint64_t dead_seq, bytes = 0;
    int err = message_bytes(l, g->topic, seq, &bytes);
    check(!g->origin && g->dlq);
    g->r.dead_bytes += bytes;
    /* The time to live stands still while it is dead. */
    if (!err && row->has_expiry)
        err = expiry_delete(l, g, seq, row->expires_ms);
    row->has_expiry = false;
    if (row->deadline_ms)
        row->expires_ms = row->ttl_ends_ms;
    row->ttl_left_ms = row->expires_ms > l->now_ms ? row->expires_ms - l->now_ms : 0;
    if (!err && !last && row->rows)
        err = history_last(l, g, seq, &found);
    if (!err)
        err = cause_count(l, g, seq, reason, l->now_ms, last ? last : &found, &cause);
    if (!err)
        err = redrive_died(l, g, seq, row, cause->fingerprint);
    if (err)
        return err;
    dead.cause = cause->fingerprint;
    if (g->rules_count)
        err = rules_decide(l, g, row, &dead);
    if (!err)
        err = append_reference(l, g, &dead, cause, &dead_seq);
    if (!err && dead.rule)
        err = rule_wait(l, g, &dead, dead_seq);
    if (err)
        return err;
    g->r.counts.dead_lettered[reason]++;
    group_queue_at(l, QUEUE_RETENTION, g, dead_leaves_at(g, l->now_ms));
    struct result *died = result_add(l, RESULT_DIED);
    died->died.group = g->r.id;
    died->died.reason = reason;
    died->died.seq = seq;
    err = place_dead(l, g, seq, row, dead_seq);
    if (!err && g->watched)
        breaker_parted(l, g);
    return err;
}

int expire_message(struct ledger *l, struct group *g, uint64_t seq, enum where where,
                   struct attempt_record *row)
{
    struct history_record h = {.outcome = ATTEMPT_TTL_EXPIRED};
    enum dead_reason reason = DEAD_TTL_EXPIRED;
    bool tracked = where == WHERE_TRACKED;
    int err = place_leave(l, g, seq, where, row);
    if (err)
        return err;
    if (group_setting(g, POLICY_expired) == 1)
        return place_done(l, g, seq, tracked ? row : NULL, DONE_DISCARDED, NULL);
    if (!tracked)
        err = place_track(l, g, seq, where, row);
    if (!err && row->deadline_ms && row->deadline_ms <= l->now_ms) {
        h.outcome = ATTEMPT_DEADLINE_EXCEEDED;
        reason = DEAD_DEADLINE_EXCEEDED;
    }
    if (!err)
        err = history_add(l, g, seq, row, &h);
    return err ? err : dead_divert(l, g, seq, row, reason, NULL);
}

/* ---- out ---- */

static int dead_is_needed(struct ledger *l, const struct topic *dlq, uint64_t dead_seq, bool *ret)
{
    int err = 0;
    *ret = false;
    for (size_t i = 0; !err && !*ret && i < dlq->groups_count; i++)
        err = place_needs(l, dlq->groups[i], dead_seq, ret);
    return err;
}

int dead_remove(struct ledger *l, struct topic *dlq, uint64_t dead_seq, enum done_how how, bool *ret_found)
{
    struct key key = key_id_seq(dlq->r.id, dead_seq);
    struct slice value;
    int err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
    *ret_found = !err;
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    /* The last group that lets go of it settles it. One that only a deleted group still needed, whose job has
     * not come to it yet, is settled here. */
    bool needed = false;
    err = dead_is_needed(l, dlq, dead_seq, &needed);
    if (!err && !needed)
        return dead_settle(l, dlq, dead_seq, how);
    for (size_t i = 0; !err && i < dlq->groups_count; i++)
        err = place_forget(l, dlq->groups[i], dead_seq, how);
    return err;
}

int dead_lookup(struct ledger *l, const struct group *g, struct slice id, uint64_t *ret_dead_seq)
{
    struct slice topic;
    uint64_t seq;
    char bare[32];
    *ret_dead_seq = 0;
    check(g->dlq);
    if (id.size && id.size < sizeof bare - 2 && !memchr(id.data, '/', id.size)) {
        bare[0] = 'x';
        bare[1] = '/';
        memcpy(bare + 2, id.data, id.size);
        if (name_parse_id((struct slice){bare, id.size + 2}, &topic, &seq))
            *ret_dead_seq = seq;
        return 0;
    }
    if (!name_parse_id(id, &topic, &seq))
        return 0;
    const struct topic *t = ledger_topic(l, topic);
    if (t == g->dlq)
        *ret_dead_seq = seq;
    if (!t || t != g->topic)
        return 0;
    enum where where;
    struct attempt_record row;
    int err = place_find(l, g, seq, &where, &row);
    if (!err && where == WHERE_TRACKED && row.state == ATTEMPT_DEAD)
        *ret_dead_seq = row.dead_seq;
    return err;
}
