/* The journal's store: reading the store behind it, and in the journal's file what stands there for it. */
#include "broker/journal/store_journal_private.h"

int journal_below(struct journal_store *s, struct store_txn **ret)
{
    int err = s->below ? 0 : store_begin(s->behind, false, &s->below);
    *ret = s->below;
    return err;
}

void journal_below_close(struct journal_store *s)
{
    if (s->below)
        store_abort(s->below);
    s->below = NULL;
}

int journal_look_behind(struct journal_store *s)
{
    journal_below_close(s);
    int err = store_maintain(s->behind);
    store_usage(s->behind, &s->usage);
    /* The store behind no longer needs what is older; but it did before the last commit, and that is what the other process reads. */
    if (!s->usage.read_beside)
        journal_release(s->journal, s->meta.oldest);
    return err == SHUNT_NO_SPACE ? 0 : err; /* shows in the usage */
}

int journal_value(const struct journal_store *s, enum store_table table, struct slice key,
                  struct slice *value, struct stub *ret_stub)
{
    struct stub stub = {0};
    bool is = table == STUB_TABLE && stub_read(s->meta.id, key, *value, &stub);
    if (ret_stub)
        *ret_stub = is ? stub : (struct stub){0};
    if (!is)
        return 0;
    uint64_t bytes = journal_bytes(s->journal);
    if (!stub.number || stub.at > bytes || stub.bytes > bytes - stub.at)
        return SHUNT_CORRUPT;
    *value = (struct slice){s->map + stub.at, stub.bytes};
    return 0;
}
