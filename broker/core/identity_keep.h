/* identity_keep: users, roles and tokens as the ledger keeps them; the ledger's own, as state.h is.
 *
 * Files, each needing only those before it: identity (in memory, what they may do, rows), identity_token, identity_set (commands).
 */
#ifndef SHUNT_CORE_IDENTITY_KEEP_H
#define SHUNT_CORE_IDENTITY_KEEP_H

#include "broker/core/identity.h"
#include "broker/core/state.h"

/* The place of the first of that name or a later one. */
size_t user_position(const struct ledger *l, struct slice name);
size_t role_position(const struct ledger *l, struct slice name);
struct user *user_find(const struct ledger *l, struct slice name); /* NULL: none */
struct user *user_find_by_id(const struct ledger *l, uint64_t id); /* NULL: none */
struct role *role_find(const struct ledger *l, struct slice name); /* NULL: none, or the built-in one */
/* Room was made for one more: false without memory. */
bool user_insert(struct ledger *l, struct user *u);
bool role_insert(struct ledger *l, struct role *r);
int user_write(struct ledger *l, struct user *u); /* the batch changes it */
int role_write(struct ledger *l, struct role *r);
/* The row of one that is there. fails: CORRUPT if it is not, as all that reads rows does */
int identity_delete(struct ledger *l, enum store_table table, uint64_t id);
int64_t token_leaves_ms(const struct token_record *r); /* when a tick is to take it away; NEVER: none is */
/* It is one more of the user's. */
void token_counts(struct ledger *l, struct user *u, const struct token_record *r);
int tokens_delete(struct ledger *l, struct user *u); /* all of the user's */
/* How long somebody can log in who administers users. */
enum kept { KEPT_NOT, KEPT_FOR_A_TIME /* by tokens that expire */, KEPT_FOR_GOOD };
enum kept administrators_kept(const struct ledger *l);
/* Something of users, roles or tokens has changed: who is connected is looked at again. */
void identities_changed(struct ledger *l);

int apply_user_set(struct ledger *l, const struct user_command *c);
int apply_user_delete(struct ledger *l, struct slice name);
int apply_role_set(struct ledger *l, const struct role_command *c);
int apply_role_delete(struct ledger *l, struct slice name);
int apply_token_add(struct ledger *l, const struct token_command *c);
int apply_token_revoke(struct ledger *l, const struct token_name_command *c);
int64_t tokens_at(const struct ledger *l); /* when tokens have expired; NEVER: none will */
int tokens_tick(struct ledger *l);
int identities_load(struct ledger *l, char *ret_why, size_t why_bytes);
void identities_free(struct ledger *l);

#endif
