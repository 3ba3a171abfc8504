/* damage: see damage.h. */
#include "base/array.h"
#include "broker/core/state.h"

#include <stdlib.h>

int damage_load(struct ledger *l)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, TABLE_DAMAGED, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    l->damage.any = !err;
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

void damage_free(struct ledger *l)
{
    free(l->damage.found);
}

static int is_stored(struct ledger *l, struct slice key, bool *ret)
{
    struct slice value;
    int err = l->damage.any ? store_get(l->txn, TABLE_DAMAGED, key, &value) : SHUNT_NOT_FOUND;
    *ret = !err;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

static int note(struct ledger *l, struct slice key)
{
    struct damages *d = &l->damage;
    struct damaged_command found;
    if (!d->verifying || !key_read_id_seq(key, &found.topic, &found.seq))
        return 0;
    if (d->count && d->found[d->count - 1].topic == found.topic && d->found[d->count - 1].seq == found.seq)
        return 0;
    if (!array_room(&d->found, &d->capacity, d->count + 1))
        return SHUNT_NO_MEMORY;
    d->found[d->count++] = found;
    return 0;
}

int damage_look(struct ledger *l, struct slice key, struct loaded_message *ret)
{
    bool stored;
    int err = is_stored(l, key, &stored);
    if (err || (!stored && !ret->corrupt))
        return err;
    if (!ret->corrupt) {
        ret->corrupt = true;
        ret->head = (struct message_head){0};
        ret->message = (struct slice){0};
    }
    return stored ? 0 : note(l, key);
}

int damage_forget(struct ledger *l, struct slice key)
{
    int err = store_del(l->txn, TABLE_DAMAGED, key, NULL);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int damage_apply(struct ledger *l, const struct damaged_command *c)
{
    struct key key = key_id_seq(c->topic, c->seq);
    struct slice value;
    int err = store_get(l->txn, TABLE_MESSAGE, key_slice(&key), &value);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err;
    l->damage.any = l->changed = true;
    return store_put(l->txn, TABLE_DAMAGED, key_slice(&key), (struct slice){"", 0});
}

int ledger_settle_damage(struct ledger *l, struct store_txn *txn, const struct damaged_command **ret,
                         size_t *ret_count)
{
    const struct damages *d = &l->damage;
    int err = 0;
    *ret = d->found;
    *ret_count = d->over ? d->count : 0;
    if (!*ret_count)
        return 0;
    l->txn = txn;
    if (l->results.handed_out) /* they may lie where rows are about to move */
        results_keep(l);
    for (size_t i = 0; !err && i < *ret_count; i++)
        err = damage_apply(l, &d->found[i]);
    l->txn = NULL;
    return err;
}
