/* shunt_connection.h: a handle: its options, its life, and how it is driven. Included by shunt.h. */
#ifndef SHUNT_CONNECTION_H
#define SHUNT_CONNECTION_H

#include "shunt_error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------- options */

/* String-keyed options, for connections, subscriptions, workers and the settings of topics and groups. */
struct shunt_options;

/* NULL without memory. */
SHUNT_API struct shunt_options *shunt_options_new(void);
SHUNT_API void shunt_options_free(struct shunt_options *o); /* takes NULL */
/* Set `key` to `value`, both copied; a NULL value removes the key. The call that uses the options checks their values.
 * fails: NO_MEMORY. */
SHUNT_API int shunt_options_set(struct shunt_options *o, const char *key, const char *value);

/* --------------------------------------------------------------- connection */

struct shunt;

/* Create a handle; nothing is sent yet.
 * url      shunt://HOST[:PORT][,HOST[:PORT]]…, NULL for shunt://127.0.0.1:7480. HOST is a name, an IPv4 or a bracketed IPv6 address.
 *          Of several (at most 16), any is tried first, and after each failure, whatever it was, or a lost connection the next in turn, after a random time up to
 *          reconnect-min; once all have been tried, the back-off grows. Only what ends the handle does not go on to the next: UNAUTHENTICATED, FORBIDDEN,
 *          VERSION_MISMATCH, and PROTOCOL if another handle has taken its `producer`.
 *          shunts://HOST…[?ca=FILE][&cert=FILE&key=FILE] is the same with TLS. The broker's certificate must lead to an authority of `ca` (without it, to one of the
 *          system's), be in time, and name HOST; `cert` and `key` are shown to a broker that asks. The files, in PEM, are looked at now and read again for each
 *          connection; a key that others can read is refused. In their names %XX stands for a byte.
 *          shunt+unix:///PATH is the broker of this machine, by its Unix-domain socket (the server's setting `listen-unix`); PATH is absolute, at most 107 bytes, and
 *          %XX stands for a byte in it. It is the only broker then.
 *          A name is looked up with getaddrinfo(3) for each attempt to connect, which may wait for a name server: if
 *          shunt_process() must not wait, give an address.
 * options  may be NULL; keys:
 *   client            consumer name in the attempt ledger         (default: program's name and pid)
 *   host, build       machine name, build id of the program       (default: host name; the GNU build id if there is one)
 *   connect-timeout   for one attempt to connect                  (default 5s)
 *   reconnect-min, reconnect-max  bounds of the back-off between attempts   (default 50ms, 5s)
 *   request-timeout   for what is asked with an *_async call and for its callback; 0: none   (default 60s)
 *   ping-interval     after so long without a word, ask the broker whether it is there; after as long again without an answer, connect
 *                     anew. 0: never; a machine that went away is noticed after 45 s all the same          (default 0)
 *   retry-budget      of the calls within retry-window, at most this share is tried again by the library, and retry-reserve more; 0%: none
 *                     (see "What is tried again" in shunt.h)              (default 10%)
 *   retry-reserve     0 to 1000 calls                             (default 10)
 *   retry-window      1s to 1h                                    (default 10s)
 *   window            messages published and not yet confirmed    (default 4096)
 *   window-bytes      their bytes                                 (default 64MiB)
 *   frame-bytes       bytes to gather for one PUBLISH frame       (default 256KiB)
 *   idempotent        yes|no: number publishes                    (default yes)
 *   producer          a name (at most 128 bytes of UTF-8) for a program that numbers its messages itself: see shunt_message_number(). One handle at a time
 *                     may have it; the one that connects later ends the other with PROTOCOL              (default: none, the library numbers)
 *   marks             yes|no: send started marks                  (default yes)
 *   mark-time         handler time one started mark may cover     (default 200us; 0 marks one by one)
 *   user              who the program is, with password or password-file (a file whose first line is the password)
 *   token, token-file in their place: a token, or a file with it. Files are read again for each connection, and refused if others can read them. Of user,
 *                     password-file, token-file and insecure the URL may say each instead: ?user=NAME&password-file=FILE, ?token-file=FILE, &insecure=yes
 *   insecure          yes|no: such a secret may go to another machine without TLS; otherwise that is BAD_ARGUMENT     (default no)
 * fails: BAD_ARGUMENT (the url, a file that it names, or an option: the text says which), NO_MEMORY, IO. */
SHUNT_API int shunt_open(const char *url, const struct shunt_options *options, struct shunt **ret,
                         struct shunt_error *err);

/* Say goodbye (the messages that are held go back uncharged), wait up to timeout_ms for that, and free everything.
 * Unconfirmed publishes get their callbacks with CLOSED. In a forked process it only frees. Takes NULL. */
SHUNT_API void shunt_close(struct shunt *s, int64_t timeout_ms);

/* Called once with the end of a call that does not wait; err is NULL if it went well, and is lent for the call. */
typedef void shunt_done_cb(void *context, const struct shunt_error *err);

/* The same without waiting, for event loops: as soon as all that is queued has been answered, say goodbye. From now on nothing new begins
 * (CLOSED), shunt_next() included; what is held can still be answered until the goodbye goes out. The callback (may be NULL) is made when the
 * broker has answered or the connection is lost, with TIMEOUT or UNREACHABLE after `request-timeout`. Behind it the handle does not connect any
 * more, and shunt_close(s, 0) waits for nothing; call it when the callback has returned.
 * fails: CLOSED, NO_MEMORY; the callback is not made then. */
SHUNT_API int shunt_goodbye_async(struct shunt *s, shunt_done_cb *callback, void *context,
                                  struct shunt_error *err);

/* Connect now, in one attempt with each host: it returns UNREACHABLE as soon as they failed. All other calls go on trying, with back-off, until
 * their time is over. fails: UNREACHABLE, TIMEOUT, VERSION_MISMATCH, UNAUTHENTICATED. */
SHUNT_API int shunt_connect(struct shunt *s, int64_t timeout_ms, struct shunt_error *err);
SHUNT_API bool shunt_connected(const struct shunt *s);

/* One round trip through the broker's engine. ret_us may be NULL. */
SHUNT_API int shunt_ping(struct shunt *s, int64_t timeout_ms, int64_t *ret_us, struct shunt_error *err);

/* The same without waiting; connects if need be. fails: CLOSED, NO_MEMORY; the callback is told UNREACHABLE and TIMEOUT (after `request-timeout`). */
SHUNT_API int shunt_ping_async(struct shunt *s, shunt_done_cb *callback, void *context,
                               struct shunt_error *err);

/* How many ms the broker wants to be left alone, by what it said last with NO_SPACE, TOO_MANY or SHUTTING_DOWN (its setting `retry-after`); 0: not, or
 * no longer. The library heeds it; a program that tries again by itself adds a random time. */
SHUNT_API int64_t shunt_retry_after(const struct shunt *s);

/* How many publishes, answers and other calls are queued or under way, and not called back. */
SHUNT_API size_t shunt_pending(const struct shunt *s);

enum shunt_event_kind {
    SHUNT_CONNECTED = 1, /* and greeted: what waited is sent now */
    SHUNT_LOST = 2,      /* a connection that stood */
    SHUNT_RETRYING = 3   /* there is none; the next attempt comes */
};

/* What happened. Lent for the call. More kinds may come, and members at the end: those within `size` are there. */
struct shunt_event {
    size_t size;
    enum shunt_event_kind kind;
    const char *host;                /* which broker it is about; the path of its Unix-domain socket */
    uint16_t port;                   /* 0: it is a path */
    const struct shunt_error *error; /* why; NULL if nothing is wrong */
    int64_t wait_ms;                 /* RETRYING: so long until the next attempt */
    const char *text;                /* the same in one line for a log, without an end of line */
};
typedef void shunt_event_cb(void *context, const struct shunt_event *event);

/* Be told what happens to the connection: the library itself writes no log. NULL: no longer. Called like every callback from shunt_process() and the calls that take a
 * timeout, before the callbacks of what failed with the connection; of more than eight between two such calls, the first and the latest are told. shunt_close() tells nothing. */
SHUNT_API void shunt_on_event(struct shunt *s, shunt_event_cb *callback, void *context);

/* The one descriptor to watch for reading; it stays the same across reconnects and belongs to the handle. */
SHUNT_API int shunt_fd(const struct shunt *s);
/* Read, write, reconnect and call back, without waiting. Call it when shunt_fd() is readable. If a C++ exception leaves a callback, it leaves this call too; the handle
 * stays usable. fails: only if the handle has ended (UNAUTHENTICATED, VERSION_MISMATCH, PROTOCOL: another handle has the same `producer`); a lost connection is not a failure. */
SHUNT_API int shunt_process(struct shunt *s, struct shunt_error *err);

#ifdef __cplusplus
}
#endif

#endif
