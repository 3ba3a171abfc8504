/* ledger_audit_identities: users, roles and tokens, against their rows. */
#include "broker/core/identity_keep.h"
#include "tests/unit/core/ledger_audit.h"

#include <criterion/criterion.h>
#include <string.h>

static void audit_same(struct audit *a, enum store_table table, struct key key, const void *bytes,
                       size_t size, const char *what)
{
    struct slice value;
    cr_assert(audit_get(a, table, key, &value), "%s is not stored", what);
    cr_assert(value.size == size && !memcmp(value.data, bytes, size), "%s in memory differs from its row",
              what);
}

static uint64_t audit_count(struct audit *a, enum store_table table)
{
    struct store_cursor *c;
    struct slice key, value;
    uint64_t rows = 0;
    cr_assert_eq(store_cursor_open(a->t, table, &c), 0);
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &key, &value); !err;
         err = store_cursor_next(c, &key, &value))
        rows++;
    store_cursor_close(c);
    return rows;
}

void audit_identities(struct audit *a)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    const struct ledger *l = a->l;
    struct store_cursor *c;
    struct slice k, value;
    uint64_t tokens = 0, of_users = 0;
    int64_t first_ms = NEVER;
    for (size_t i = 0; i < l->users_count; i++) {
        const struct user *u = l->users[i];
        struct key key = key_identity(u->id);
        audit_same(a, TABLE_USER, key, bytes, user_encode(bytes, key_slice(&key), &u->r), "a user");
        cr_assert(i == 0 || strcmp(l->users[i - 1]->r.name, u->r.name) < 0);
        cr_assert(u->id < l->meta.job_next && u->r.changed <= l->meta.index);
        of_users += u->tokens;
    }
    for (size_t i = 0; i < l->roles_count; i++) {
        const struct role *r = l->roles[i];
        struct key key = key_identity(r->id);
        audit_same(a, TABLE_ROLE, key, bytes, role_encode(bytes, key_slice(&key), &r->r), "a role");
        cr_assert(i == 0 || strcmp(l->roles[i - 1]->r.name, r->r.name) < 0);
    }
    cr_assert_eq(audit_count(a, TABLE_USER), l->users_count);
    cr_assert_eq(audit_count(a, TABLE_ROLE), l->roles_count);
    cr_assert_eq(store_cursor_open(a->t, TABLE_TOKEN, &c), 0);
    for (int err = store_cursor_seek(c, (struct slice){"", 1}, &k, &value); !err;
         err = store_cursor_next(c, &k, &value), tokens++) {
        struct token_record r;
        cr_assert_eq(token_decode(k, value, &r), 0);
        cr_assert(user_find_by_id(l, r.user), "a token of nobody");
        int64_t at_ms = r.expires_ms ? whole_second(r.expires_ms) : NEVER;
        first_ms = at_ms < first_ms ? at_ms : first_ms;
    }
    store_cursor_close(c);
    cr_assert(tokens == l->tokens_count && tokens == of_users);
    cr_assert_leq(l->tokens_expire_ms, first_ms, "none is forgotten");
}
