/* identify: who a connection is, by what its HELLO says, the certificate that it showed, or the kernel's word for it. */
#ifndef SHUNT_ENGINE_IDENTIFY_H
#define SHUNT_ENGINE_IDENTIFY_H

#include "base/slice.h"

struct engine;
struct inbox_item;
struct login_ticket;
struct session;
struct step;
struct user;

/* It says what `auth` holds (bytes of a map; empty: nothing). Sets the session's `who`, or fails: UNAUTHENTICATED, BAD_ARGUMENT, TOO_MANY,
 * NO_MEMORY, with a sentence in `ret_why`. `*ret_later`: its password is being verified; the session waits (REQUESTS_LOGIN), and what comes of it is
 * a step with the ticket: identify_end(). A password is wiped where it lay. */
int identify(struct session *s, struct slice auth, bool *ret_later, const char **ret_why);

/* What came of it, as identify(); counts also if the session is gone. Takes the ticket. */
int identify_end(struct session *s, struct login_ticket *ticket, const char **ret_why);

/* The user whose the certificate is that the connection showed, disabled or not. NULL: nobody's, or of two users, as `*ret_why` says (static). */
const struct user *identify_certificate(const struct session *s, const char **ret_why);

/* On a thread of the pool: the ticket goes to the engine, as PORT_LOGIN. */
void identify_answered(void *engine, struct login_ticket *ticket);

#endif
