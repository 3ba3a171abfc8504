/* edit: see edit.h. */
#include "broker/core/edit.h"
#include "base/utf8.h"

int edit_load(struct ledger *l, uint32_t group, uint64_t seq, bool verify, struct loaded_message *ret)
{
    struct key key = key_history(group, seq, EDIT_ROW_MESSAGE);
    struct slice value;
    *ret = (struct loaded_message){0};
    int err = store_get(l->txn, TABLE_EDIT, key_slice(&key), &value);
    if (!err)
        message_take(key_slice(&key), value, verify, ret);
    if (err == SHUNT_NOT_FOUND)
        ret->corrupt = true;
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

/* Messages that were handed out may lie where rows are about to move. */
static void keep_handed_out(struct ledger *l)
{
    if (l->results.handed_out)
        results_keep(l);
}

int edit_put_message(struct ledger *l, const struct group *g, uint64_t seq, const struct message_head *head,
                     struct slice message)
{
    struct key key = key_history(g->r.id, seq, EDIT_ROW_MESSAGE);
    size_t size = message_head_bytes(head) + message.size;
    void *to;
    keep_handed_out(l);
    cost_write(&l->meter, TABLE_EDIT, key_slice(&key), size);
    int err = store_reserve(l->txn, TABLE_EDIT, key_slice(&key), size, false, &to);
    if (!err)
        message_encode(to, key_slice(&key), head, message);
    return err;
}

static struct slice cut(struct slice s, size_t max)
{
    return (struct slice){s.data, utf8_prefix(s.data, s.size, max)};
}

int edit_put_note(struct ledger *l, const struct group *g, uint64_t seq, uint64_t number,
                  const struct actor *by)
{
    struct key key = key_history(g->r.id, seq, EDIT_ROW_NOTE);
    struct edit_record note = {.number = number, .edited_ms = l->now_ms};
    if (by) {
        note.client = cut(by->client, CLIENT_NAME_BYTES_MAX);
        note.host = cut(by->host, CLIENT_NAME_BYTES_MAX);
        note.peer = cut(by->peer, AUDIT_PEER_BYTES_MAX);
        note.reason = cut(by->reason, AUDIT_REASON_BYTES_MAX);
    }
    keep_handed_out(l);
    size_t size = edit_encode(l->record, key_slice(&key), &note);
    return ledger_put(l, TABLE_EDIT, key_slice(&key), (struct slice){l->record, size});
}

static int delete_row(struct ledger *l, struct key key)
{
    size_t size;
    int err = store_del(l->txn, TABLE_EDIT, key_slice(&key), &size);
    if (err)
        return err == SHUNT_NOT_FOUND ? 0 : err; /* a damaged store lost it */
    cost_write(&l->meter, TABLE_EDIT, key_slice(&key), size);
    return 0;
}

int edit_forget(struct ledger *l, const struct group *g, uint64_t seq)
{
    keep_handed_out(l);
    int err = delete_row(l, key_history(g->r.id, seq, EDIT_ROW_NOTE));
    return err ? err : delete_row(l, key_history(g->r.id, seq, EDIT_ROW_MESSAGE));
}
