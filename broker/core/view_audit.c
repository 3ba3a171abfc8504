/* view_audit: the log of what operators did, the oldest first. Touches nothing. */
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"

static bool passes(const struct ledger *l, const struct act_filter *f, const struct audit_record *r)
{
    int64_t shown_ms = ledger_shown_ms(l, r->time_ms);
    return (!f->since_ms || shown_ms >= f->since_ms) && (!f->until_ms || shown_ms < f->until_ms) &&
           (!f->request || f->request == r->request || f->request == (r->request & AUDIT_REFUSED)) &&
           (!f->topic.size ||
            (f->topic.size == r->topic.size && !memcmp(f->topic.data, r->topic.data, r->topic.size)));
}

static void put_act(const struct ledger *l, struct mpack_buffer *to, uint64_t id,
                    const struct audit_record *r, view_act_fn *act)
{
    mpack_write_map(to, 13);
    put_uint(to, "id", id);
    put_time(l, to, "time", r->time_ms);
    put_slice(to, "act", slice_of(act(r->request)));
    put_slice(to, "topic", r->topic);
    put_slice(to, "group", r->group);
    put_slice(to, "asked", r->asked);
    put_uint(to, "job", r->job);
    put_uint(to, "count", r->count);
    put_slice(to, "user", r->user);
    put_slice(to, "client", r->client);
    put_slice(to, "host", r->host);
    put_slice(to, "peer", r->peer);
    put_slice(to, "reason", r->reason);
}

int view_audit(const struct view *v, uint64_t after, uint32_t limit, const struct act_filter *filter,
               view_act_fn *act, view_act_dead_fn *dead, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    const struct meta_record *m = &l->meta;
    struct page p = page_begin(l, to, limit);
    uint64_t oldest = m->audit_next - m->audit_rows, id = after < oldest ? oldest : after + 1;
    int err = 0;
    l->txn = v->txn;
    for (; !err && after < UINT64_MAX && id < m->audit_next && !page_is_full(&p); id++) {
        struct key key = key_audit(id);
        struct slice value;
        struct audit_record r;
        err = store_get(v->txn, TABLE_AUDIT, key_slice(&key), &value);
        if (!err)
            err = audit_decode(key_slice(&key), value, &r);
        ledger_looked(l, 0);
        if (!err && passes(l, filter, &r) && view_sees(v, r.topic, dead(r.request))) {
            put_act(l, to, id, &r, act);
            p.count++;
        }
        after = id;
    }
    if (err)
        return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
    return page_end_behind(&p, after < UINT64_MAX && id < m->audit_next, after);
}
