/* view_identity: users, roles and tokens, without what is secret. Touches nothing. */
#include "broker/core/identity_keep.h"
#include "broker/core/view_page.h"
#include "broker/core/view_put.h"
#include "proto/grant_text.h"

static void put_flag(struct mpack_buffer *to, const char *key, bool value)
{
    put_key(to, key);
    mpack_write_bool(to, value);
}

/* `count` texts, each in so many bytes. */
static void put_texts(struct mpack_buffer *to, const char *key, const char *texts, size_t each,
                      uint32_t count)
{
    put_key(to, key);
    mpack_write_array(to, count);
    for (uint32_t i = 0; i < count; i++)
        mpack_write_cstr(to, texts + i * each);
}

static void put_grant_list(struct mpack_buffer *to, const struct grants_record *g)
{
    char text[GRANT_TEXT_BYTES_MAX + 1];
    for (uint32_t i = 0; i < g->count; i++)
        mpack_write_str(to, text, grant_text_write(text, slice_of(g->all[i].pattern), g->all[i].rights));
}

static void put_grants(struct mpack_buffer *to, const struct grants_record *g)
{
    put_key(to, "grants");
    mpack_write_array(to, g->count);
    put_grant_list(to, g);
}

static void put_user(const struct ledger *l, struct mpack_buffer *to, const struct user *u)
{
    const struct user_record *r = &u->r;
    mpack_write_map(to, 9);
    put_slice(to, "user", slice_of(r->name));
    put_flag(to, "disabled", r->disabled);
    put_flag(to, "administrator", ledger_administers(l, u));
    put_flag(to, "password", r->password[0]);
    put_uint(to, "tokens", u->tokens);
    put_texts(to, "certificates", r->certificates[0], sizeof *r->certificates, r->certificates_count);
    put_texts(to, "roles", r->roles[0], sizeof *r->roles, r->roles_count);
    put_grants(to, &r->grants);
    put_time(l, to, "created", r->created_ms);
}

/* The place behind `after`: `position` is that of the first name that does not stand before it, which is called so. */
static size_t behind(size_t position, const char *name, struct slice after)
{
    return name && slice_is(after, name) ? position + 1 : position;
}

int view_users(const struct view *v, struct slice after, uint32_t limit, struct slice only,
               struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    const struct user *one = only.size ? user_find(l, only) : NULL;
    if (only.size && !one)
        return SHUNT_NOT_FOUND;
    struct page p = page_begin(l, to, limit);
    size_t at = user_position(l, after);
    at = behind(at, at < l->users_count ? l->users[at]->r.name : NULL, after);
    for (; !one && at < l->users_count && !page_is_full(&p); at++, p.count++)
        put_user(l, to, l->users[at]);
    ledger_looked(l, to->size - p.begin);
    if (one)
        put_user(l, to, one);
    p.count += one != NULL;
    return page_end(&p, !one && at < l->users_count);
}

static uint64_t users_with(const struct ledger *l, struct slice role)
{
    uint64_t users = 0;
    for (size_t i = 0; i < l->users_count; i++) {
        const struct user_record *r = &l->users[i]->r;
        for (uint32_t k = 0; k < r->roles_count; k++)
            users += slice_is(role, r->roles[k]);
    }
    return users;
}

/* `r` NULL: the built-in one. */
static void put_role(const struct ledger *l, struct mpack_buffer *to, const struct role *r)
{
    static const struct grants_record all = {1, {{RIGHTS_ALL, "*"}}};
    const char *name = r ? r->r.name : ROLE_ADMINISTRATOR;
    mpack_write_map(to, 5);
    put_slice(to, "role", slice_of(name));
    put_flag(to, "built_in", !r);
    put_grants(to, r ? &r->r.grants : &all);
    put_uint(to, "users", users_with(l, slice_of(name)));
    put_time(l, to, "created", r ? r->r.created_ms : 0);
}

int view_roles(const struct view *v, struct slice after, uint32_t limit, struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    struct page p = page_begin(l, to, limit);
    const struct slice built_in = slice_of(ROLE_ADMINISTRATOR);
    bool owed = slice_compare(built_in, after) > 0; /* the built-in one comes yet, at its place */
    size_t at = role_position(l, after);
    at = behind(at, at < l->roles_count ? l->roles[at]->r.name : NULL, after);
    for (; (owed || at < l->roles_count) && !page_is_full(&p); p.count++) {
        bool now =
            owed && (at == l->roles_count || slice_compare(built_in, slice_of(l->roles[at]->r.name)) < 0);
        put_role(l, to, now ? NULL : l->roles[at]);
        owed &= !now;
        at += !now;
        ledger_looked(l, l->users_count * 64);
    }
    return page_end(&p, owed || at < l->roles_count);
}

static void put_token(const struct ledger *l, struct mpack_buffer *to, uint64_t id,
                      const struct token_record *r)
{
    const struct user *u = ledger_user_by_id(l, r->user);
    mpack_write_map(to, 5);
    put_uint(to, "token", id);
    put_slice(to, "user", slice_of(u ? u->r.name : NULL));
    put_slice(to, "note", slice_of(r->note));
    put_time(l, to, "created", r->created_ms);
    put_time(l, to, "expires", r->expires_ms);
}

int view_tokens(const struct view *v, uint64_t after, uint32_t limit, struct slice only,
                struct mpack_buffer *to)
{
    struct ledger *l = v->ledger;
    const struct user *one = only.size ? user_find(l, only) : NULL;
    if (only.size && !one)
        return SHUNT_NOT_FOUND;
    struct page p = page_begin(l, to, limit);
    struct key from = key_identity(after + 1);
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(v->txn, TABLE_TOKEN, &cursor);
    if (err)
        return err;
    err = after < UINT64_MAX ? store_cursor_seek(cursor, key_slice(&from), &key, &value) : SHUNT_NOT_FOUND;
    while (!err && !page_is_full(&p)) {
        struct token_record r;
        err = key_read_identity(key, &after) ? token_decode(key, value, &r) : SHUNT_CORRUPT;
        ledger_looked(l, 0);
        if (!err && (!one || one->id == r.user)) {
            put_token(l, to, after, &r);
            p.count++;
        }
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (err && err != SHUNT_NOT_FOUND)
        return err;
    return page_end_behind(&p, !err, after);
}

static const struct grants_record everything = {.count = 1, .all = {{.pattern = "*", .rights = RIGHTS_ALL}}};

/* The grants of a role; it may be the one that is built in, or be gone. */
static const struct grants_record *grants_of(const struct ledger *l, struct slice name)
{
    static const struct grants_record none;
    const struct role *role = role_find(l, name);
    if (role)
        return &role->r.grants;
    return slice_is(name, ROLE_ADMINISTRATOR) ? &everything : &none;
}

/* All that it may do: its own grants and those of its roles. `u` NULL: everything. */
static void put_effective(const struct ledger *l, struct mpack_buffer *to, const struct user *u)
{
    uint32_t count = u ? u->r.grants.count : everything.count;
    for (uint32_t i = 0; u && i < u->r.roles_count; i++)
        count += grants_of(l, slice_of(u->r.roles[i]))->count;
    put_key(to, "effective");
    mpack_write_array(to, count);
    put_grant_list(to, u ? &u->r.grants : &everything);
    for (uint32_t i = 0; u && i < u->r.roles_count; i++)
        put_grant_list(to, grants_of(l, slice_of(u->r.roles[i])));
}

int view_who(const struct view *v, const char *how, const struct user *u, uint64_t token, int64_t expires_ms,
             struct mpack_buffer *to)
{
    static const char *const names[] = RIGHT_NAMES;
    static const struct grants_record none;
    const struct ledger *l = v->ledger;
    uint32_t rights = u ? ledger_rights_anywhere(l, u) : RIGHTS_ALL;
    mpack_write_map(to, 9);
    put_slice(to, "user", slice_of(u ? u->r.name : NULL));
    put_slice(to, "how", slice_of(how));
    put_flag(to, "administrator", !u || ledger_administers(l, u));
    put_key(to, "rights");
    mpack_write_array(to, (uint32_t)__builtin_popcount(rights));
    for (unsigned i = 0; i < RIGHTS; i++) {
        if (rights >> i & 1)
            mpack_write_cstr(to, names[i]);
    }
    put_texts(to, "roles", u ? u->r.roles[0] : NULL, sizeof u->r.roles[0], u ? u->r.roles_count : 0);
    put_grants(to, u ? &u->r.grants : &none);
    put_effective(l, to, u);
    put_id(to, "token", token);
    put_time(l, to, "expires", expires_ms);
    return to->failed ? SHUNT_NO_MEMORY : 0;
}
