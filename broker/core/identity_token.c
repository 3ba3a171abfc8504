/* identity_token: tokens are rows, of which memory holds how many each user has, and when the next ones expire. */
#include "base/check.h"
#include "broker/core/identity_keep.h"

#include <limits.h>

#define TOKEN_TICK_ROWS 256 /* that expire in one tick */

int ledger_token(struct ledger *l, struct store_txn *txn, uint64_t id, struct token_record *ret)
{
    struct key key = key_identity(id);
    struct slice value;
    (void)l;
    int err = store_get(txn, TABLE_TOKEN, key_slice(&key), &value);
    return err ? err : token_decode(key_slice(&key), value, ret);
}

static int token_delete(struct ledger *l, struct user *u, uint64_t id, const struct token_record *r)
{
    if (!u->tokens || (!r->expires_ms && !u->tokens_lasting))
        return SHUNT_CORRUPT;
    u->tokens--;
    u->tokens_lasting -= !r->expires_ms;
    l->tokens_count--;
    return identity_delete(l, TABLE_TOKEN, id);
}

int apply_token_add(struct ledger *l, const struct token_command *c)
{
    struct user *u = user_find(l, c->user);
    const char *why = NULL;
    int err = u ? SHUNT_TOO_MANY : SHUNT_NOT_FOUND;
    if (c->hash.size != TOKEN_HASH_BYTES || c->note.size > TOKEN_NOTE_BYTES_MAX || c->expires_ms < 0) {
        err = SHUNT_BAD_ARGUMENT;
        why = "a token is a hash of 32 bytes, a note of at most 128 and the time at which it ends";
    } else if (u && u->tokens >= USER_TOKENS_MAX) {
        why = "a user has at most 100 tokens: revoke one";
    } else if (u && l->tokens_count >= TOKENS_MAX) {
        why = "all users together have at most 10000 tokens: revoke one";
    }
    if (u && !why && ledger_is_full(l)) {
        ledger_tell_done(l, SHUNT_NO_SPACE, NULL, 0, 0);
        return 0;
    }
    if (!u || why) {
        ledger_tell_done(l, err, why, 0, 0);
        return 0;
    }
    struct token_record r = {.user = u->id, .created_ms = l->now_ms, .expires_ms = c->expires_ms};
    uint64_t id = l->meta.job_next++;
    struct key key = key_identity(id);
    slice_copy(r.hash, c->hash);
    slice_copy(r.note, c->note);
    size_t size = token_encode(l->record, key_slice(&key), &r);
    token_counts(l, u, &r);
    identities_changed(l);
    ledger_tell_done(l, 0, NULL, 0, id);
    return ledger_put(l, TABLE_TOKEN, key_slice(&key), (struct slice){l->record, size});
}

int apply_token_revoke(struct ledger *l, const struct token_name_command *c)
{
    struct token_record r;
    int err = ledger_token(l, l->txn, c->id, &r);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    struct user *u = err ? NULL : user_find_by_id(l, r.user);
    if (!u || (c->user.size && !slice_is(c->user, u->r.name))) {
        ledger_tell_done(l, SHUNT_NOT_FOUND, NULL, 0, 0);
        return 0;
    }
    ledger_tell_done(l, 0, NULL, 0, c->id);
    return token_delete(l, u, c->id, &r);
}

/* ---- all of a user's, and those that have expired ---- */

/* Which tokens leave; `u` NULL: those whose time is over. */
struct leaving {
    struct user *u;
    unsigned rows_max;
    int64_t first_ms; /* when the first of those that stay expires */
};

static int leave(struct ledger *l, struct leaving *leaving)
{
    struct store_cursor *cursor;
    struct slice key, value;
    unsigned rows = 0;
    leaving->first_ms = NEVER;
    int err = store_cursor_open(l->txn, TABLE_TOKEN, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        struct token_record r;
        uint64_t id;
        if (!key_read_identity(key, &id) || token_decode(key, value, &r)) {
            err = SHUNT_CORRUPT;
            break;
        }
        bool goes = leaving->u ? r.user == leaving->u->id : token_leaves_ms(&r) <= l->now_ms;
        if (goes && rows < leaving->rows_max && (leaving->u || ledger_has_half_room(l, COST_TOKEN_BYTES))) {
            struct user *u = leaving->u ? leaving->u : user_find_by_id(l, r.user);
            rows++;
            err = u ? token_delete(l, u, id, &r) : SHUNT_CORRUPT;
        } else if (token_leaves_ms(&r) < leaving->first_ms) {
            leaving->first_ms = token_leaves_ms(&r);
        }
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int tokens_delete(struct ledger *l, struct user *u)
{
    struct leaving leaving = {.u = u, .rows_max = UINT_MAX};
    int err = u->tokens ? leave(l, &leaving) : 0;
    return err || !u->tokens ? err : SHUNT_CORRUPT;
}

int64_t tokens_at(const struct ledger *l)
{
    return l->tokens_expire_ms;
}

int tokens_tick(struct ledger *l)
{
    struct leaving leaving = {.rows_max = TOKEN_TICK_ROWS};
    int err = leave(l, &leaving);
    l->tokens_expire_ms = leaving.first_ms;
    return err;
}
