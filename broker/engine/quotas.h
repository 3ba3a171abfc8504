/* quotas: the limits on what one address, and one user, may do: connections, messages and bytes that are published in a second, other
 * requests. The one place where they are asked for.
 *
 *     request ─ fields ─► quotas_ask() ─ there is enough ─► gate ─► step
 *                                     └ not ─► TOO_MANY, with the time until there is
 *
 * What a request counts is a column of proto/need.def. It is asked before the request is carried out, and nothing is taken for one
 * that is refused here, so a client that asks too often gets its rate and no less. What gives work back or keeps it going (RESOLVE, STARTED,
 * CREDIT, SUBSCRIBE) is never refused: messages in flight could not be answered. A PUBLISH that is refused is refused by the
 * ledger, because one that was answered before must get that answer again.
 *
 * Connections of one address are counted at the socket (broker/net/listener.c), before they have said anything; those of a user here,
 * at HELLO. The local administrator has no limits. Without any limit this costs one comparison a request. */
#ifndef SHUNT_ENGINE_QUOTAS_H
#define SHUNT_ENGINE_QUOTAS_H

#include "broker/flow/quota.h"
#include "proto/request.h"

#include <stdbool.h>

struct engine;
struct engine_limits;
struct session;
struct step;

/* How often one owner's refusals by one limit are told to the log. */
#define QUOTA_TOLD_MS 60000

struct quotas {
    bool on; /* there is some limit */
    struct quota_table table;
    uint64_t refused[QUOTA_OWNERS][QUOTA_LIMITS];
};

/* What a connection holds; NULL: nobody's, or there was no limit when it began. */
struct session_quotas {
    struct quota *of[QUOTA_OWNERS];
};

void quotas_init(struct quotas *q, const struct engine_limits *limits);
void quotas_done(struct quotas *q); /* when no session is left */
/* The limits have changed. */
void quotas_reload(struct engine *e);

/* It is known who the session is. fails: TOO_MANY (`*ret_why`), NO_MEMORY. */
int quotas_begin(struct session *s, const char **ret_why);
void quotas_end(struct session *s);

/* 0: the request may go on, and was counted. `fields` NULL: they are not good, which counts as a request. Otherwise TOO_MANY, in `st->why` the reason and in `st->wait_ms` how long to wait. Of a
 * PUBLISH only `st->wait_ms` says so: the ledger has the last word. Call it if `on`. */
int quotas_ask(struct session *s, struct step *st, const union request_fields *fields);

#endif
