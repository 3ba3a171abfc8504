/* message: stored messages, by their own name, through a dead letter's reference, or as an operator edited them for a group. */
#include "broker/core/edit.h"

/* The clocks of a dead letter stand still. */
static void stop_clocks(struct loaded_message *m)
{
    m->ttl_ms = message_ttl_ms(&m->head);
    m->head.due_ms = m->head.expires_ms = m->head.deadline_ms = m->head.ttl_ends_ms = 0;
}

static int load_edited_letter(struct ledger *l, struct dead_record dead, bool verify,
                              struct loaded_message *ret)
{
    int err = edit_load(l, dead.origin_group, dead.origin_seq, verify, ret);
    ret->is_dead = true;
    ret->dead = dead;
    stop_clocks(ret);
    return err;
}

int message_load(struct ledger *l, const struct topic *t, uint64_t seq, bool verify,
                 struct loaded_message *ret)
{
    *ret = (struct loaded_message){0};
    struct key key = key_id_seq(t->r.id, seq);
    struct slice value;
    int err;
    if (t->r.origin_group) {
        ret->is_dead = true;
        err = store_get(l->txn, TABLE_DEAD, key_slice(&key), &value);
        if (!err)
            err = dead_decode(key_slice(&key), value, &ret->dead);
        struct group *origin = err ? NULL : catalog_group_by_id(l, ret->dead.origin_group);
        if (!err && !origin)
            err = SHUNT_CORRUPT;
        if (!err)
            key = key_id_seq(origin->r.topic, ret->dead.origin_seq);
        if (!err && ret->dead.edit)
            return load_edited_letter(l, ret->dead, verify, ret);
    } else {
        err = 0;
    }
    if (!err)
        err = store_get(l->txn, TABLE_MESSAGE, key_slice(&key), &value);
    if (!err && verify)
        err = message_verify(l, key_slice(&key), value, ret);
    else if (!err)
        message_take(key_slice(&key), value, false, ret);
    if (ret->is_dead)
        stop_clocks(ret);
    if (err == SHUNT_NOT_FOUND || err == SHUNT_CORRUPT) {
        ret->corrupt = true;
        return 0;
    }
    return err;
}

int message_delete(struct ledger *l, struct topic *t, uint64_t seq)
{
    struct key key = key_id_seq(t->r.id, seq);
    size_t size;
    if (l->results.handed_out)
        results_keep(l);
    int err = store_del(l->txn, TABLE_MESSAGE, key_slice(&key), &size);
    if (err == SHUNT_NOT_FOUND) /* a damaged store lost it; nothing left to account for */
        return 0;
    if (!err && l->damage.any)
        err = damage_forget(l, key_slice(&key));
    if (err)
        return err;
    t->r.stored--;
    t->r.stored_bytes -= size;
    ledger_dirty_topic(l, t);
    l->meter.bytes += cost_next(key.size + size) + (seq - t->charged_seq > 1 ? COST_PLACE_BYTES : 0);
    t->charged_seq = seq;
    return 0;
}

int message_bytes(struct ledger *l, const struct topic *t, uint64_t seq, uint64_t *ret)
{
    struct key key = key_id_seq(t->r.id, seq);
    struct slice value = {0};
    int err = store_get(l->txn, TABLE_MESSAGE, key_slice(&key), &value);
    *ret = err ? 0 : value.size;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}
