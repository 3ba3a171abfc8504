/* triage: somebody looks at dead letters, or decides about their causes; and the causes of letters that an older
 * server left without one. */
#include "base/check.h"
#include "broker/core/cause.h"
#include "broker/core/history.h"
#include "broker/core/job.h"

#include <string.h>

/* ---- somebody has looked ---- */

static int attend_letter(struct ledger *l, struct group *g, struct slice id, bool *ret_found)
{
    uint64_t seq;
    struct slice value;
    struct dead_record dead;
    uint8_t bytes[DEAD_ROW_BYTES_MAX];
    *ret_found = false;
    ledger_looked(l, 0);
    int err = dead_lookup(l, g, id, &seq);
    if (err || !seq)
        return err;
    struct key key = key_id_seq(g->dlq->r.id, seq);
    err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    *ret_found = true;
    err = dead_decode(key_slice(&key), value, &dead);
    if (err || dead.attended)
        return err;
    if (cause_letter_attended(l, g, &dead, seq))
        unattended_end(l, g, &dead, seq, END_LOOKED);
    return dead_rewrite(l, g->dlq, seq, value.size, &dead, bytes);
}

static void attend_cause(struct ledger *l, struct group *g, struct cause *c)
{
    unattended_end_all(l, c);
    c->r.attended_below = g->dlq->r.head;
    c->r.attended_ms = l->now_ms;
    if (c->r.state == CAUSE_NEW || c->r.state == CAUSE_REGRESSED) {
        c->r.state = CAUSE_SEEN;
        c->r.state_ms = l->now_ms;
    }
    cause_dirty(l, c);
}

struct group *triaged_group(struct ledger *l, struct slice topic, struct slice name)
{
    int err = 0;
    struct group *g = ledger_group(l, topic, name, &err);
    if (g && g->dlq)
        return g;
    ledger_tell_done(l, g ? SHUNT_BAD_ARGUMENT : err,
                     g ? "name the topic and group that failed, not the dead-letter queue" : NULL, 0, 0);
    return NULL;
}

int apply_attend(struct ledger *l, const struct attend_command *c)
{
    struct group *g = triaged_group(l, c->topic, c->group);
    struct cause *cause = g && c->cause ? cause_find(g, c->cause) : NULL;
    uint64_t found = cause != NULL;
    if (!g)
        return 0;
    for (uint32_t i = 0; i < c->ids_count; i++) {
        bool there;
        if (!ledger_has_room(l, COST_RECORDS_BYTES)) /* the rest is looked at another time */
            break;
        int err = attend_letter(l, g, c->ids[i], &there);
        if (err)
            return err;
        found += there;
    }
    if (cause)
        attend_cause(l, g, cause);
    if (found)
        unattended_look_again(l, g);
    ledger_tell_done(l, found ? 0 : SHUNT_NOT_FOUND, NULL, 0, found);
    return 0;
}

/* ---- what was decided ---- */

static void set_text(char *to, size_t room, struct slice text)
{
    memset(to, 0, room);
    memcpy(to, text.data, text.size < room ? text.size : room - 1);
}

int apply_cause_update(struct ledger *l, const struct cause_command *c)
{
    struct group *g = triaged_group(l, c->topic, c->group);
    struct cause *cause = g ? cause_find(g, c->fingerprint) : NULL;
    if (!g)
        return 0;
    if (!cause) {
        ledger_tell_done(l, SHUNT_NOT_FOUND, NULL, 0, 0);
        return 0;
    }
    attend_cause(l, g, cause); /* who decides has looked */
    if (c->has_state && c->state != cause->r.state) {
        cause->r.state = c->state;
        cause->r.state_ms = l->now_ms;
    }
    if (c->has_owner)
        set_text(cause->r.owner, sizeof cause->r.owner, c->owner);
    if (c->has_note)
        set_text(cause->r.note, sizeof cause->r.note, c->note);
    unattended_look_again(l, g);
    ledger_tell_done(l, 0, NULL, 0, cause->r.dead);
    return 0;
}

/* ---- letters without a cause ---- */

static int give_cause(struct ledger *l, struct group *g, uint64_t dead_seq, size_t bytes,
                      struct dead_record *dead)
{
    struct history_record last = {0};
    uint8_t to[DEAD_ROW_BYTES_MAX];
    struct cause *c;
    int err = history_last(l, g, dead->origin_seq, &last);
    if (!err)
        err = cause_count(l, g, dead->origin_seq, dead->reason, dead->died_ms, &last, &c);
    if (err)
        return err;
    dead->cause = c->fingerprint;
    if (!cause_letter_came(c, dead, dead_seq) && !dead->attended) /* somebody looked at the cause meanwhile */
        unattended_end(l, g, dead, dead_seq, END_CAUSED);
    return dead_rewrite(l, g->dlq, dead_seq, bytes, dead, to);
}

/* The next letter of the group, from the job's cursor on. NOT_FOUND: none. */
static int next_letter(struct ledger *l, const struct group *g, struct job_record *r, struct dead_record *ret,
                       size_t *ret_bytes)
{
    struct store_cursor *cursor;
    struct key from = key_id_seq(g->dlq->r.id, r->cursor + 1);
    struct slice key, value;
    uint32_t id;
    uint64_t seq;
    int err = store_cursor_open(l->txn, TABLE_DEAD, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, key_slice(&from), &key, &value);
    if (!err && (!key_read_id_seq(key, &id, &seq) || id != g->dlq->r.id))
        err = SHUNT_NOT_FOUND;
    if (!err)
        err = dead_decode(key, value, ret);
    if (!err) {
        r->cursor = seq;
        *ret_bytes = value.size;
    }
    store_cursor_close(cursor);
    return err;
}

static struct group *next_unknown(const struct ledger *l, uint32_t from)
{
    for (size_t i = 0; l->causes_unknown && i < l->groups_count; i++) {
        struct group *g = l->groups[i];
        if (g->r.id >= from && !g->r.causes_known && !g->r.dropped)
            return g;
    }
    return NULL;
}

/* Each letter of the group has its cause, or they do not matter any more. */
static void know(struct ledger *l, struct group *g)
{
    if (g->r.causes_known)
        return;
    g->r.causes_known = true;
    check(l->causes_unknown > 0);
    l->causes_unknown--;
    ledger_dirty_group(l, g);
}

int triage_step(struct ledger *l, struct job *j, unsigned page, bool *ret_over)
{
    struct job_record *r = &j->r;
    struct group *g = next_unknown(l, r->group);
    for (unsigned left = page;
         g && left && ledger_has_room(l, COST_END_BYTES + 2 * cost_row(HISTORY_TEXT_BYTES_MAX)); left--) {
        struct dead_record dead;
        size_t bytes;
        if (g->r.id != r->group) {
            r->group = g->r.id;
            r->cursor = 0;
        }
        int err = g->dlq ? next_letter(l, g, r, &dead, &bytes) : SHUNT_NOT_FOUND;
        if (!err && !dead.cause) {
            err = give_cause(l, g, r->cursor, bytes, &dead);
            r->done += r->done < r->total;
        }
        if (err == SHUNT_NOT_FOUND) {
            know(l, g);
            unattended_look_again(l, g); /* what was muted meanwhile is attended now */
            g = next_unknown(l, r->group);
        } else if (err) {
            return err;
        }
    }
    *ret_over = !g;
    if (*ret_over)
        r->done = r->total;
    return 0;
}

void triage_forget(struct ledger *l, struct group *g)
{
    causes_forget(l, g);
    know(l, g);
}
