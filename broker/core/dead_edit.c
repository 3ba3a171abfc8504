/* dead_edit: an operator gives a dead letter another body, or takes that back. */
#include "broker/core/cause.h"
#include "broker/core/edit.h"
#include "proto/message.h"

/* A letter that is edited, and its rows. */
struct edited {
    struct group *g;
    uint64_t seq, dead_seq;
    struct dead_record dead;
    size_t dead_bytes; /* of its row in dead */
    struct attempt_record row;
};

/* Why it cannot be. */
struct refusal {
    int err;
    const char *why; /* a constant */
};

static int refuse(struct refusal *r, int err, const char *why)
{
    *r = (struct refusal){err, why};
    return 0;
}

/* ---- what is there ---- */

static int find(struct ledger *l, const struct edit_command *c, struct edited *e, struct refusal *r)
{
    static const char *const gone =
        "no such dead letter in the group: it may have gone back, been purged, or be done; "
        "WHY tells what happened to a message";
    struct slice value;
    enum where where = WHERE_GONE;
    int err = dead_lookup(l, e->g, c->id, &e->dead_seq);
    ledger_looked(l, 0);
    if (err || !e->dead_seq)
        return err ? err : refuse(r, SHUNT_NOT_FOUND, gone);
    struct key key = key_id_seq(e->g->dlq->r.id, e->dead_seq);
    err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
    if (err == SHUNT_NOT_FOUND)
        return refuse(r, SHUNT_NOT_FOUND, gone);
    if (!err)
        err = dead_decode(key_slice(&key), value, &e->dead);
    e->dead_bytes = value.size;
    e->seq = e->dead.origin_seq;
    if (!err)
        err = place_find(l, e->g, e->seq, &where, &e->row);
    return !err && where != WHERE_TRACKED ? SHUNT_CORRUPT : err;
}

static int check_seen(const struct edit_command *c, const struct edited *e, struct refusal *r)
{
    if (c->seen != e->row.edit) {
        return refuse(
            r, SHUNT_STALE,
            "the letter was edited, or its edit undone, since you looked at it; look again, and edit that");
    }
    return c->undo && !e->row.edit ? refuse(r, SHUNT_NOT_FOUND, "the letter was not edited") : 0;
}

/* ---- what it becomes ---- */

/* Of the published message all but its body comes with the command: whether that can be read is for one disk to say, and this is
 * applied by all. */
static int put_body(struct ledger *l, const struct edited *e, const struct edit_command *c, struct refusal *r)
{
    const struct message_head head = {
        .published_ms = c->published_ms, .due_ms = c->due_ms, .expires_ms = c->expires_ms};
    struct mpack_buffer bytes = {0};
    int err;
    if (c->refusal == SHUNT_CORRUPT) {
        return refuse(r, c->refusal,
                      "the message is damaged in the store, and its headers and key with it: publish it "
                      "anew, and purge this one");
    }
    if (c->refusal)
        return refuse(r, c->refusal, NULL);
    if (ledger_is_full(l))
        return refuse(r, SHUNT_NO_SPACE, "the store is full: purge what is not needed");
    if (c->body.size > l->meta.body_bytes_max)
        return refuse(r, SHUNT_TOO_LARGE, "the body is larger than the limit");
    mpack_write_array(&bytes, c->fields ? c->fields : 1);
    mpack_write_bin(&bytes, c->body.data, c->body.size);
    mpack_write_raw(&bytes, c->rest.data, c->rest.size);
    if (bytes.failed)
        err = SHUNT_NO_MEMORY;
    else if (bytes.size > MESSAGE_BYTES_MAX)
        err = refuse(r, SHUNT_TOO_LARGE, "the message with this body is larger than a frame can carry");
    else
        err = edit_put_message(l, e->g, e->seq, &head, (struct slice){bytes.data, bytes.size});
    mpack_buffer_done(&bytes);
    return err;
}

/* Both rows of the letter have the number of its edit. To edit it is to have looked at it. */
static int rewrite(struct ledger *l, struct edited *e)
{
    uint8_t bytes[DEAD_ROW_BYTES_MAX];
    struct group *g = e->g;
    if (!e->dead.attended && cause_letter_attended(l, g, &e->dead, e->dead_seq))
        unattended_end(l, g, &e->dead, e->dead_seq, END_LOOKED);
    unattended_look_again(l, g);
    e->dead.edit = e->row.edit;
    int err = dead_rewrite(l, g->dlq, e->dead_seq, e->dead_bytes, &e->dead, bytes);
    return err ? err : place_write(l, g, e->seq, &e->row);
}

static int change(struct ledger *l, const struct edit_command *c, const struct actor *by, struct edited *e,
                  struct refusal *r)
{
    int err = c->undo ? edit_forget(l, e->g, e->seq) : put_body(l, e, c, r);
    if (err || r->err)
        return err;
    e->row.edit = c->undo ? 0 : l->meta.job_next++;
    if (!c->undo)
        err = edit_put_note(l, e->g, e->seq, e->row.edit, by);
    return err ? err : rewrite(l, e);
}

int apply_edit(struct ledger *l, const struct edit_command *c, const struct actor *by)
{
    struct edited e = {.g = triaged_group(l, c->topic, c->group)};
    struct refusal r = {0};
    if (!e.g)
        return 0;
    int err = find(l, c, &e, &r);
    if (!err && !r.err)
        err = check_seen(c, &e, &r);
    if (!err && !r.err)
        err = change(l, c, by, &e, &r);
    if (!err)
        ledger_tell_done(l, r.err, r.why, 0, r.err ? 0 : e.row.edit);
    return err;
}

int view_edited(const struct view *v, struct group *g, struct edit_command *c)
{
    struct ledger *l = v->ledger;
    struct edited e = {.g = g};
    struct loaded_message m;
    struct mpack_reader r;
    struct refusal no = {0};
    if (!g->dlq)
        return SHUNT_BAD_ARGUMENT;
    l->txn = v->txn;
    int err = find(l, c, &e, &no);
    if (!err && !no.err)
        err = message_load(l, g->topic, e.seq, true, &m);
    if (err || no.err)
        return err ? err : no.err;
    ledger_looked(l, m.bytes);
    if (m.corrupt)
        return SHUNT_CORRUPT;
    mpack_read_init(&r, m.message.data, m.message.size);
    c->fields = mpack_read_array(&r);
    (void)mpack_read_any(&r);
    c->rest = (struct slice){r.at, (size_t)(r.end - r.at)};
    c->published_ms = m.head.published_ms;
    c->due_ms = m.head.due_ms;
    c->expires_ms =
        m.head.deadline_ms ? m.head.ttl_ends_ms : m.head.expires_ms; /* the row has its deadline */
    return 0;
}
