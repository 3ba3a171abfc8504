/* ledger_identities: users, roles and tokens in tests of the ledger. */
#ifndef SHUNT_TESTS_LEDGER_IDENTITIES_H
#define SHUNT_TESTS_LEDGER_IDENTITIES_H

#include "broker/core/identity.h"
#include "tests/unit/core/ledger_fixture.h"

/* `rights` on a pattern. */
static inline struct grant grant(const char *pattern, uint32_t rights)
{
    return (struct grant){text(pattern), rights};
}

static inline void role_set(struct fixture *f, const char *name, const char *pattern, uint32_t rights)
{
    const struct grant one = grant(pattern, rights);
    fixture_run(f, (struct command){.kind = COMMAND_ROLE_SET,
                                    .role = {.name = text(name), .grants = &one, .grants_count = 1}});
}

static inline void role_delete(struct fixture *f, const char *name)
{
    fixture_run(f, (struct command){.kind = COMMAND_ROLE_DELETE, .identity.name = text(name)});
}

static inline void user_set(struct fixture *f, const struct user_command *c)
{
    fixture_run(f, (struct command){.kind = COMMAND_USER_SET, .user = *c});
}

/* With one role, and a password. */
static inline void user_with_role(struct fixture *f, const char *name, const char *role)
{
    const struct slice one = text(role);
    user_set(f, &(struct user_command){.name = text(name),
                                       .given = USER_ROLES | USER_PASSWORD,
                                       .password = text("$a verifier"),
                                       .roles = &one,
                                       .roles_count = 1});
}

static inline void user_disable(struct fixture *f, const char *name, bool disabled)
{
    user_set(f, &(struct user_command){.name = text(name), .given = USER_DISABLED, .disabled = disabled});
}

static inline void user_delete(struct fixture *f, const char *name)
{
    fixture_run(f, (struct command){.kind = COMMAND_USER_DELETE, .identity.name = text(name)});
}

/* Its number is f->count. */
static inline void token_add(struct fixture *f, const char *user, int64_t expires_ms)
{
    const uint8_t hash[TOKEN_HASH_BYTES] = {1, 2, 3};
    fixture_run(f, (struct command){.kind = COMMAND_TOKEN_ADD,
                                    .token = {.user = text(user),
                                              .hash = {hash, sizeof hash},
                                              .expires_ms = expires_ms,
                                              .note = text("a note")}});
}

static inline void token_revoke(struct fixture *f, uint64_t id, const char *user)
{
    fixture_run(f,
                (struct command){.kind = COMMAND_TOKEN_REVOKE, .token_name = {.id = id, .user = text(user)}});
}

#endif
