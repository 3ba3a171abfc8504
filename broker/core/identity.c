/* identity: users and roles in memory, what they may do, and their rows. */
#include "base/array.h"
#include "base/check.h"
#include "base/search.h"
#include "broker/core/identity_keep.h"
#include "broker/core/topic_pattern.h"
#include "proto/names.h"

#include <stdlib.h>

/* ---- in memory ---- */

static int user_order(const void *element, const void *key)
{
    return slice_compare(slice_of((*(struct user *const *)element)->r.name), *(const struct slice *)key);
}

static int role_order(const void *element, const void *key)
{
    return slice_compare(slice_of((*(struct role *const *)element)->r.name), *(const struct slice *)key);
}

size_t user_position(const struct ledger *l, struct slice name)
{
    return search_first(l->users, l->users_count, sizeof *l->users, &name, user_order);
}

size_t role_position(const struct ledger *l, struct slice name)
{
    return search_first(l->roles, l->roles_count, sizeof *l->roles, &name, role_order);
}

struct user *user_find(const struct ledger *l, struct slice name)
{
    size_t at = user_position(l, name);
    return at < l->users_count && slice_is(name, l->users[at]->r.name) ? l->users[at] : NULL;
}

struct role *role_find(const struct ledger *l, struct slice name)
{
    size_t at = role_position(l, name);
    return at < l->roles_count && slice_is(name, l->roles[at]->r.name) ? l->roles[at] : NULL;
}

struct user *user_find_by_id(const struct ledger *l, uint64_t id)
{
    for (size_t i = 0; i < l->users_count; i++) {
        if (l->users[i]->id == id)
            return l->users[i];
    }
    return NULL;
}

bool user_insert(struct ledger *l, struct user *u)
{
    if (!array_room(&l->users, &l->users_capacity, l->users_count + 1))
        return false;
    size_t at = user_position(l, slice_of(u->r.name));
    array_insert(l->users, &l->users_count, at);
    l->users[at] = u;
    return true;
}

bool role_insert(struct ledger *l, struct role *r)
{
    if (!array_room(&l->roles, &l->roles_capacity, l->roles_count + 1))
        return false;
    size_t at = role_position(l, slice_of(r->r.name));
    array_insert(l->roles, &l->roles_count, at);
    l->roles[at] = r;
    return true;
}

void identities_changed(struct ledger *l)
{
    l->identities++;
    l->changed = true;
}

int64_t token_leaves_ms(const struct token_record *r)
{
    return r->expires_ms ? whole_second(r->expires_ms) : NEVER;
}

void token_counts(struct ledger *l, struct user *u, const struct token_record *r)
{
    int64_t at_ms = token_leaves_ms(r);
    u->tokens++;
    u->tokens_lasting += !r->expires_ms;
    l->tokens_count++;
    l->tokens_expire_ms = at_ms < l->tokens_expire_ms ? at_ms : l->tokens_expire_ms;
}

/* ---- rights ---- */

/* Adds up grants: those that match, those on everything, or all. */
struct sum {
    struct slice topic; /* data NULL: on whatever topic */
    uint32_t rights;
    uint32_t everywhere; /* by the pattern `*` */
};

static void add_grants(struct sum *sum, const struct grants_record *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        struct slice pattern = slice_of(g->all[i].pattern);
        if (!sum->topic.data || topic_pattern_matches(pattern, sum->topic))
            sum->rights |= g->all[i].rights;
        if (slice_is(pattern, "*"))
            sum->everywhere |= g->all[i].rights;
    }
}

static void add_user(struct sum *sum, const struct ledger *l, const struct user *u)
{
    if (u->r.disabled)
        return;
    add_grants(sum, &u->r.grants);
    for (uint32_t i = 0; i < u->r.roles_count; i++) {
        struct slice name = slice_of(u->r.roles[i]);
        const struct role *role = role_find(l, name);
        if (role)
            add_grants(sum, &role->r.grants);
        else if (slice_is(name, ROLE_ADMINISTRATOR))
            sum->rights = sum->everywhere = RIGHTS_ALL;
    }
}

uint32_t ledger_rights(const struct ledger *l, const struct user *u, struct slice topic)
{
    struct slice of = topic, origin, group;
    uint32_t counts = RIGHTS_ALL;
    if (topic.size >= sizeof DLQ_PREFIX - 1 && !memcmp(topic.data, DLQ_PREFIX, sizeof DLQ_PREFIX - 1)) {
        if (!name_is_dlq(topic, &origin, &group))
            return 0;
        of = origin;
        counts = RIGHTS_DLQ;
    }
    struct sum sum = {.topic = {of.data ? of.data : "", of.size}};
    add_user(&sum, l, u);
    return sum.rights & counts;
}

uint32_t ledger_rights_anywhere(const struct ledger *l, const struct user *u)
{
    struct sum sum = {0};
    add_user(&sum, l, u);
    return sum.rights;
}

bool ledger_administers(const struct ledger *l, const struct user *u)
{
    struct sum sum = {0};
    add_user(&sum, l, u);
    return sum.everywhere == RIGHTS_ALL;
}

/* ---- what others ask ---- */

const struct user *ledger_user(const struct ledger *l, struct slice name)
{
    return user_find(l, name);
}

const struct user *ledger_user_by_id(const struct ledger *l, uint64_t id)
{
    return user_find_by_id(l, id);
}

const struct user *ledger_user_of_certificate(const struct ledger *l, struct slice name)
{
    for (size_t i = 0; i < l->users_count; i++) {
        const struct user *u = l->users[i];
        for (uint32_t k = 0; k < u->r.certificates_count; k++) {
            if (slice_is(name, u->r.certificates[k]))
                return u;
        }
    }
    return NULL;
}

size_t ledger_users(const struct ledger *l)
{
    return l->users_count;
}

static enum kept logs_in(const struct user *u)
{
    if (u->r.password[0] || u->tokens_lasting || u->r.certificates_count)
        return KEPT_FOR_GOOD;
    return u->tokens ? KEPT_FOR_A_TIME : KEPT_NOT;
}

enum kept administrators_kept(const struct ledger *l)
{
    enum kept most = KEPT_NOT;
    for (size_t i = 0; i < l->users_count; i++) {
        enum kept kept = logs_in(l->users[i]);
        if (kept > most && ledger_administers(l, l->users[i]))
            most = kept;
    }
    return most;
}

bool ledger_has_administrator(const struct ledger *l)
{
    return administrators_kept(l) != KEPT_NOT;
}

uint64_t ledger_identities(const struct ledger *l)
{
    return l->identities;
}

/* ---- rows ---- */

int user_write(struct ledger *l, struct user *u)
{
    struct key key = key_identity(u->id);
    u->r.changed = l->batch;
    size_t size = user_encode(l->record, key_slice(&key), &u->r);
    identities_changed(l);
    return ledger_put(l, TABLE_USER, key_slice(&key), (struct slice){l->record, size});
}

int role_write(struct ledger *l, struct role *r)
{
    struct key key = key_identity(r->id);
    r->r.changed = l->batch;
    size_t size = role_encode(l->record, key_slice(&key), &r->r);
    identities_changed(l);
    return ledger_put(l, TABLE_ROLE, key_slice(&key), (struct slice){l->record, size});
}

int identity_delete(struct ledger *l, enum store_table table, uint64_t id)
{
    struct key key = key_identity(id);
    int err = ledger_del(l, table, key_slice(&key), NULL);
    identities_changed(l);
    return err == SHUNT_NOT_FOUND ? SHUNT_CORRUPT : err;
}

static int load_user(struct ledger *l, struct slice key, struct slice value)
{
    struct user *u = calloc(1, sizeof *u);
    if (!u)
        return SHUNT_NO_MEMORY;
    bool read = key_read_identity(key, &u->id) && !user_decode(key, value, &u->r);
    int err = !read || user_find(l, slice_of(u->r.name)) ? SHUNT_CORRUPT : 0;
    if (!err && !user_insert(l, u))
        err = SHUNT_NO_MEMORY;
    if (err)
        free(u);
    return err;
}

static int load_role(struct ledger *l, struct slice key, struct slice value)
{
    struct role *r = calloc(1, sizeof *r);
    if (!r)
        return SHUNT_NO_MEMORY;
    bool read = key_read_identity(key, &r->id) && !role_decode(key, value, &r->r);
    int err = !read || role_find(l, slice_of(r->r.name)) ? SHUNT_CORRUPT : 0;
    if (!err && !role_insert(l, r))
        err = SHUNT_NO_MEMORY;
    if (err)
        free(r);
    return err;
}

static int load_token(struct ledger *l, struct slice key, struct slice value)
{
    struct token_record r;
    uint64_t id;
    if (!key_read_identity(key, &id) || token_decode(key, value, &r))
        return SHUNT_CORRUPT;
    struct user *u = user_find_by_id(l, r.user);
    if (!u)
        return SHUNT_CORRUPT;
    token_counts(l, u, &r);
    return 0;
}

typedef int load_fn(struct ledger *l, struct slice key, struct slice value);

static int load(struct ledger *l, enum store_table table, load_fn *row)
{
    struct store_cursor *cursor;
    struct slice key, value;
    int err = store_cursor_open(l->txn, table, &cursor);
    if (err)
        return err;
    err = store_cursor_seek(cursor, (struct slice){"", 1}, &key, &value);
    while (!err) {
        err = row(l, key, value);
        if (!err)
            err = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return err == SHUNT_NOT_FOUND ? 0 : err;
}

int identities_load(struct ledger *l, char *ret_why, size_t why_bytes)
{
    static const struct {
        enum store_table table;
        load_fn *row;
        const char *why;
    } all[] = {
        {TABLE_USER, load_user, "a row of the user table cannot be read"},
        {TABLE_ROLE, load_role, "a row of the role table cannot be read"},
        {TABLE_TOKEN, load_token, "a row of the token table cannot be read, or its user is missing"},
    };
    l->identities = 1;
    l->tokens_expire_ms = NEVER;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int err = load(l, all[i].table, all[i].row);
        if (err) {
            ledger_say(ret_why, why_bytes, all[i].why);
            return err;
        }
    }
    return 0;
}

void identities_free(struct ledger *l)
{
    for (size_t i = 0; i < l->users_count; i++) {
        explicit_bzero(l->users[i]->r.password, sizeof l->users[i]->r.password);
        free(l->users[i]);
    }
    for (size_t i = 0; i < l->roles_count; i++)
        free(l->roles[i]);
    free(l->users);
    free(l->roles);
}
