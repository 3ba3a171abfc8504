/* review: users, roles or tokens have changed, so who is connected is looked at again: at once, before anything that came after the
 * change is read. */
#ifndef SHUNT_ENGINE_REVIEW_H
#define SHUNT_ENGINE_REVIEW_H

struct engine;

/* If something has changed since the last time: a connection whose user or token is no longer good ends with UNAUTHENTICATED, a
 * subscription that its user has no right to any more with FORBIDDEN. What they held comes back uncharged: nobody failed. */
void review_sessions(struct engine *e);

#endif
