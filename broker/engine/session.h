/* session: one connection as the engine sees it: its begin and its end. */
#ifndef SHUNT_ENGINE_SESSION_H
#define SHUNT_ENGINE_SESSION_H

#include "broker/core/dispatcher.h"

struct engine;
struct link;
struct session;
struct session_list;

struct session *session_new(struct engine *e, struct link *link); /* NULL without memory */
void session_lost(struct engine *e, struct session *s, bool closed);
void sessions_free(struct engine *e, struct session_list *list);
/* The connection ends in that way: judge what it holds, end its subscriptions. */
void session_leave(struct session *s, enum holder_end how);

#endif
