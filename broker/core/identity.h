/* identity: users, roles and tokens: who may do what, as far as it is kept. What a request needs is asked at the engine's gate.
 *
 * A user has rights by its own grants and by those of its roles; each grant is a pattern of topic names and the rights that it
 * gives on them. Users and roles are in memory, because each request asks for them; tokens are rows that are read when
 * somebody shows one. Records are written as they change: administrators change them, and seldom.
 *
 * The role `administrator` is built in: it has every right on every topic, and no row.
 */
#ifndef SHUNT_CORE_IDENTITY_H
#define SHUNT_CORE_IDENTITY_H

#include "broker/core/ledger.h"
#include "broker/core/schema_identity.h"

#define ROLE_ADMINISTRATOR "administrator"

struct role {
    uint64_t id; /* of its row */
    struct role_record r;
};

struct user {
    uint64_t id; /* of its row; never that of another user, a later one of the same name among them */
    /* r.name; r.password: empty without one; r.changed: the batch that changed it last */
    struct user_record r;
    size_t tokens;         /* those it has; expired ones that no tick has taken away yet count */
    size_t tokens_lasting; /* those of them that never expire */
};

/* Each lives until the next batch is applied. */
const struct user *ledger_user(const struct ledger *l, struct slice name); /* NULL: none */
const struct user *ledger_user_by_id(const struct ledger *l, uint64_t id); /* NULL: none */
/* By a name that a client certificate carries, such as `dns:worker.example.org`. NULL: none; one name belongs to one user. */
const struct user *ledger_user_of_certificate(const struct ledger *l, struct slice name);
size_t ledger_users(const struct ledger *l); /* how many there are, disabled ones too */
/* An enabled one that can log in: it has a password, a token or a certificate. */
bool ledger_has_administrator(const struct ledger *l);
/* Grows with every change of users, roles and tokens, the end of a token among them; never 0. Of this process: it is not stored. */
uint64_t ledger_identities(const struct ledger *l);

/* Masks of 1u << enum right, of a user that is enabled; of a disabled one 0. */

/* On that topic, which need not be there. Of the name of a dead-letter queue, `dlq:TOPIC:GROUP`, the dlq- rights on TOPIC and
 * nothing else; of another name, all that are granted. */
uint32_t ledger_rights(const struct ledger *l, const struct user *u, struct slice topic);
uint32_t ledger_rights_anywhere(const struct ledger *l,
                                const struct user *u); /* of all its grants, on whatever topic */
bool ledger_administers(const struct ledger *l, const struct user *u); /* every right on every topic */

/* Of a token, in any transaction that sees what was applied: whose it is says ledger_user_by_id(ret->user). It may have expired:
 * `expires_ms` is a time of the store, as all in the ledger. fails: NOT_FOUND, CORRUPT, IO */
int ledger_token(struct ledger *l, struct store_txn *txn, uint64_t id, struct token_record *ret);

#endif
