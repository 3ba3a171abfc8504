/* loan: the messages that one lease call of the API got, and the connection to this server's net thread that holds them.
 *
 * A lease of the protocol belongs to a connection, and a client over HTTP has none that lasts. So each lease call has one of its own,
 * which stays until the last of its messages is answered or its lease is over. To the engine it is a consumer like any other.
 *
 *   ASKING ──first messages──→ SETTLING ──no more come──→ HANDED ──HTTP has sent them──→ HELD ──the last is answered──→ LEAVING ─→ (free)
 *      └───────── nothing came, the client has gone, an error, or HTTP could not send them: all is given back ─────────────↑
 *
 * A client works on its messages one after the other, as far as anybody knows: the first that is not answered counts as started
 * from the moment when the answer was sent. So of messages whose lease runs out one is charged, and those behind it are not.
 *
 * No thread, no lock: loans.h has them. */
#ifndef SHUNT_HTTP_LOAN_H
#define SHUNT_HTTP_LOAN_H

#include "broker/http/login_header.h"
#include "broker/http/problem.h"
#include "proto/limits.h"
#include "proto/mpack.h"
#include "proto/request.h"

#define LOAN_MESSAGES_MAX 100            /* of one lease call */
#define LOAN_BYTES_MAX    (1024u * 1024) /* of its messages; a larger one comes alone */
#define LOAN_WAIT_MS_MAX  60000          /* that a lease call waits for messages */
#define LOAN_LEASE_MS_MAX 43200000       /* that a message may be held at a time: as in policy.def */
#define LOAN_MS_MAX       10000          /* for an answer of the engine */
#define LOAN_GRACE_MS     2000 /* after the end of a lease, until the engine has ended it for sure */
#define LOAN_TOKEN_BYTES  64

enum loan_state { LOAN_FREE, LOAN_ASKING, LOAN_SETTLING, LOAN_HANDED, LOAN_HELD, LOAN_LEAVING };

/* What a lease call asks for. */
struct loan_ask {
    struct slice topic, group;
    uint32_t messages;
    int64_t wait_ms;
    int64_t lease_ms; /* 0: the group's */
    const char *client;
    const struct login_header *login;
    int http_fd; /* the HTTP client's socket; good until `wake` is called */
    /* Called once, with the lock of loans.h held: the loan is HANDED, or LEAVING, with or without a problem. */
    void (*wake)(void *context);
    void *context;
};

/* An answer for one of its messages that is with the engine. */
#define LOAN_ANSWER_MAGIC 0x51b7c0d9u
struct loan_answer {
    uint32_t magic;
    struct loan_answer *next;
    uint64_t id, seq;
    enum wire_outcome outcome;
    int64_t extend_ms, until_ms;
    void (*wake)(void *context); /* as that of loan_ask */
    void *context;
    struct problem problem; /* none: it is durable */
};

/* One message. */
struct loan_entry {
    uint64_t seq, token;
    int64_t lease_ms; /* as it was delivered */
    int64_t until_ms; /* mono */
    bool held, marked;
};

struct loan {
    enum loan_state state;
    uint32_t number; /* its place … */
    /* … and which loan it is there, at random: both stand in its tokens, which only its client is to know */
    uint64_t serial;
    int fd; /* -1: closed */
    struct mpack_buffer out;
    size_t sent;
    struct mpack_buffer in;
    size_t read;                            /* bytes of `in` that are done with */
    bool asked;                             /* a lease call still refers to it */
    uint8_t login[LOGIN_HEADER_HASH_BYTES]; /* hash of the credentials of the client that has its messages */
    /* its slices, `client` and `login` are not good any more; `wake` NULL: it was called */
    struct loan_ask ask;
    char topic[TOPIC_BYTES_MAX + 1], group[NAME_BYTES_MAX + 1];
    int64_t wait_until_ms, give_up_ms;
    bool looked; /* a turn has passed since it was subscribed */
    bool lapsed; /* a lease of it ran out */
    uint64_t sub, next_id;
    struct mpack_buffer messages; /* HANDED: an OK frame's payload with them (api.def: LEASED) */
    size_t count_at;              /* where in it their number stands */
    struct loan_entry *entries;
    size_t entries_count, entries_capacity, held;
    struct loan_answer *answers;
    struct problem problem; /* why there are no messages; none: nobody had any */
};

/* Begin on `fd`, which it takes, in a zeroed loan that has its number and serial. */
void loan_begin(struct loan *l, const struct loan_ask *ask, int fd, int64_t now_ms);
/* Something can be read or written, or it is time. */
void loan_serve(struct loan *l, bool readable, int64_t now_ms);
/* When it wants to be served at the latest. */
int64_t loan_until_ms(const struct loan *l);
/* The HTTP client has gone while it waited. */
void loan_client_gone(struct loan *l, int64_t now_ms);
/* The lease call is over; `sent`: its client has got the messages. */
void loan_call_done(struct loan *l, bool sent, int64_t now_ms);
/* End it at once, for this reason. */
void loan_end(struct loan *l, int err, const char *why);
void loan_free(struct loan *l); /* it is closed, and nobody refers to it: it is FREE then */

/* Answer the message of this delivery; `with` has its outcome. False: it does not hold that. */
bool loan_resolve(struct loan *l, uint64_t token, const struct wire_entry *with, struct loan_answer *answer,
                  int64_t now_ms);

void loan_token_write(const struct loan *l, const struct loan_entry *e, char to[LOAN_TOKEN_BYTES]);
/* False: it is no token. */
bool loan_token_read(const char *text, uint32_t *ret_number, uint64_t *ret_serial, uint64_t *ret_seq,
                     uint64_t *ret_token);

#endif
