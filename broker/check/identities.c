/* identities: users, roles and tokens. Each name is there once, each number was given out, and the roles of users and the users
 * of tokens are there. */
#include "broker/check/checker.h"

#include "base/array.h"
#include "broker/core/identity.h"
#include <inttypes.h>
#include <string.h>

/* Whether the row's key is that of a number which was given out. */
static bool number_of(struct checker *c, const char *what, struct slice key, uint64_t *ret)
{
    if (!key_read_identity(key, ret)) {
        problem(c, PROBLEM_ORPHAN, "%s: a row with a key of %zu bytes", what, key.size);
        return false;
    }
    if (c->meta_readable && (*ret == 0 || *ret >= c->meta.job_next)) {
        problem(c, PROBLEM_CATALOGUE, "%s %" PRIu64 ": its number was not given out", what, *ret);
        return false;
    }
    return true;
}

static bool has_name(const struct checked_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!strcmp(names->all[i], name))
            return true;
    }
    return false;
}

static int add_name(struct checker *c, struct checked_names *names, const char *what, const char *name)
{
    if (has_name(names, name)) {
        problem(c, PROBLEM_CATALOGUE, "%s: two %ss have this name", name, what);
        return 0;
    }
    if (!array_room(&names->all, &names->room, names->count + 1))
        return SHUNT_NO_MEMORY;
    memcpy(names->all[names->count++], name, strlen(name) + 1);
    return 0;
}

static int role_row(struct checker *c, struct slice key, struct slice value)
{
    struct role_record r;
    uint64_t id;
    if (!number_of(c, "role", key, &id))
        return 0;
    if (role_decode(key, value, &r)) {
        problem(c, PROBLEM_CHECKSUM, "role %" PRIu64, id);
        return 0;
    }
    return add_name(c, &c->roles, "role", r.name);
}

static int user_row(struct checker *c, struct slice key, struct slice value)
{
    struct user_record r;
    uint64_t id;
    if (!number_of(c, "user", key, &id))
        return 0;
    if (user_decode(key, value, &r)) {
        problem(c, PROBLEM_CHECKSUM, "user %" PRIu64, id);
        return 0;
    }
    for (uint32_t i = 0; i < r.roles_count; i++) {
        if (strcmp(r.roles[i], ROLE_ADMINISTRATOR) != 0 && !has_name(&c->roles, r.roles[i]))
            problem(c, PROBLEM_MISSING, "user %s: its role %s", r.name, r.roles[i]);
    }
    return add_name(c, &c->users, "user", r.name);
}

static int token_row(struct checker *c, struct slice key, struct slice value)
{
    struct token_record r;
    uint64_t id;
    bool found;
    if (!number_of(c, "token", key, &id))
        return 0;
    if (token_decode(key, value, &r)) {
        problem(c, PROBLEM_CHECKSUM, "token %" PRIu64, id);
        return 0;
    }
    int err = look_up(c, TABLE_USER, key_identity(r.user), &found, NULL);
    if (!err && !found)
        problem(c, PROBLEM_ORPHAN, "token %" PRIu64 ": its user %" PRIu64 " is not there", id, r.user);
    return err;
}

int check_identities(struct checker *c)
{
    int err = scan(c, TABLE_ROLE, role_row);
    if (!err)
        err = scan(c, TABLE_USER, user_row);
    return err ? err : scan(c, TABLE_TOKEN, token_row);
}
