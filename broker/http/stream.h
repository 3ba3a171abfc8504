/* stream: HTTP clients that follow the changes (changes.h), as server-sent events.
 *
 *     begin                 id of the newest change: from here it follows
 *     the changes …         each with its id
 *     lost                  some that it should have got are not there any more
 *     : (a comment)         when nothing came for STREAM_QUIET_MS
 *
 * A client that comes again with the id of the last event that it got (Last-Event-ID) gets what has come since. One that does not
 * read is closed by libmicrohttpd's time-out; one that has gone, or whose machine has, is noticed by a thread that looks after all.
 * On libmicrohttpd's thread, but streams_stop(). */
#ifndef SHUNT_HTTP_STREAM_H
#define SHUNT_HTTP_STREAM_H

#include "broker/http/changes.h"
#include "broker/http/problem.h"
#include "broker/http/target.h"
#include <microhttpd.h>

#define STREAMS_MAX      8     /* at once */
#define STREAM_QUIET_MS  10000 /* without a change, until a comment shows that the server is there */
#define STREAM_BYTES_MAX 65536 /* that wait in the kernel for a client */
#define STREAM_LOGIN_MS  60000 /* where clients must log in: then its client comes again and is asked again */
#define STREAM_GONE_MS   30000 /* without a packet from a client's machine */

struct streams;

/* Start the thread; the changes must outlive it. `auth`: clients must log in, so a stream ends as soon as any user, role or token changes,
 * when its token expires, and after STREAM_LOGIN_MS. fails: IO, NO_MEMORY. */
int streams_start(struct changes *changes, bool auth, struct streams **ret);
/* End all streams and the thread. */
void streams_stop(struct streams *s);
void streams_free(struct streams *s); /* after streams_stop(), and when no answer is left; takes NULL */

/* Behind which change a client wants to go on: the header of a browser that comes again, or the parameter of one that cannot set any;
 * `text` is room for that. NULL: it names none, or, as `*ret` says, asks for something else. */
const char *stream_last_id(struct MHD_Connection *connection, const struct target *target,
                           char text[CHANGES_ID_BYTES], struct problem *ret);
/* An answer that follows the changes behind the one with this id (NULL or empty: behind the newest). It is to be sent on
 * `connection`, which may be suspended at any time until it ends. `access`: changes_of_access() before the client was asked who it is;
 * `until_ms`: wall: until when that holds, CLOCK_NEVER: as long as nothing changes. Neither counts where nobody must log in.
 * NULL: `*ret` says why. */
struct MHD_Response *stream_new(struct streams *s, struct MHD_Connection *connection, const char *id,
                                uint64_t access, int64_t until_ms, struct problem *ret);

#endif
