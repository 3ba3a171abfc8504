/* subscription: of a connection to a group, by the number that its client names it by. */
#ifndef SHUNT_ENGINE_SUBSCRIPTION_H
#define SHUNT_ENGINE_SUBSCRIPTION_H

#include <stdint.h>

struct engine;
struct group;
struct result;
struct session;
struct subscription;

/* A new one, with that credit. NULL without memory. */
struct subscription *session_subscribe(struct session *s, struct group *g, uint64_t messages, uint64_t bytes);
struct subscription *session_subscription(const struct session *s, uint64_t id); /* NULL: there is none */
void session_drop_subscription(struct session *s, struct subscription *sub);
/* The group is gone: so are its subscriptions, and their clients are told. */
/* If one of a build is there for which that redrive waits, tell the ledger. */
void subscriptions_tell_build(struct engine *e, uint32_t group, uint64_t job);
/* The same of one that comes, for all redrives. */
void subscription_tell_build(struct engine *e, const struct subscription *sub);
void subscriptions_end(struct engine *e, const struct result *gone); /* RESULT_GROUP_GONE */

#endif
