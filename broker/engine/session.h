/* session: one connection as the engine sees it: its begin, its subscriptions, its end. */
#ifndef SHUNT_ENGINE_SESSION_H
#define SHUNT_ENGINE_SESSION_H

#include "broker/core/dispatcher.h"

struct engine;
struct link;
struct result;
struct session;
struct session_list;
struct subscription;

struct session *session_new(struct engine *e, struct link *link); /* NULL without memory */
void session_lost(struct engine *e, struct session *s, bool closed);
void sessions_free(struct engine *e, struct session_list *list);
/* The connection ends in that way: judge what it holds, end its subscriptions. */
void session_leave(struct session *s, enum holder_end how);
struct subscription *session_subscription(const struct session *s, uint64_t id);
void session_drop_subscription(struct session *s, struct subscription *sub);
/* The group is gone: so are its subscriptions, and their clients are told. */
void subscriptions_end(struct engine *e, const struct result *gone); /* RESULT_GROUP_GONE */

#endif
