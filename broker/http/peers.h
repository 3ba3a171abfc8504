/* peers: who is connected over HTTP, and who is to leave when one too many comes.
 *
 * A place is for those who ask. Somebody who has sent no whole request for IDLE_MS_MIN, or takes longer than
 * ANSWER_MS_MAX to read an answer, gives way to the next who comes: the one that is longest overdue, where a
 * body that comes fast makes up for the time that it takes. Any thread. Times are milliseconds of the
 * monotonic clock. */
#ifndef SHUNT_HTTP_PEERS_H
#define SHUNT_HTTP_PEERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEERS_DEFAULT     64 /* served at once: the setting http-connections */
#define PEERS_LEAVING_MAX 8  /* told to leave and not gone yet; server_private.h counts on few */
#define IDLE_MS_MIN       1000
#define ANSWER_MS_MAX     10000
#define BODY_BYTES_PER_MS 64 /* of a body that is not whole: so many make up for a millisecond */

#define PEER_MAGIC 0x912569f6u
struct peer {
    uint32_t magic;      /* always: a place has no end */
    int fd;              /* libmicrohttpd's; -1: no peer */
    char *names;         /* of its certificate (tls/peer_names.h); NULL: it showed none */
    int64_t since_ms;    /* when it began to be silent, its request began, or was there whole */
    uint64_t came_bytes; /* of the body of a request that is not there whole */
    bool asking;         /* a whole request is there, and not all of its answer has left */
    bool stays;          /* its answer has no end */
    bool leaving;
};

/* The names of one that libmicrohttpd has been handed. */
struct peer_names {
    int fd;
    char *names; /* NULL: the place is free */
};

struct peers {
    pthread_mutex_t lock;
    pthread_cond_t answered;   /* somebody asks no more */
    unsigned handed;           /* to libmicrohttpd, which has not taken them yet */
    struct peer_names *coming; /* of some of those; a place for each of `list` */
    int64_t handed_ms;         /* when the last was */
    unsigned most;             /* served at once */
    struct peer *list;         /* `most` and PEERS_LEAVING_MAX */
};

/* For at most `most` at once. fails: NO_MEMORY; peers_done() is right after that, too. */
int peers_init(struct peers *p, unsigned most);
void peers_done(struct peers *p); /* nobody is connected any more */

/* Count one more who is about to be handed to libmicrohttpd; tells somebody else to leave if need be. False:
 * there is no place, everybody is being answered. */
bool peers_enter(struct peers *p, int64_t now_ms);
/* Somebody waits for what those connected keep: tell one to leave, if it has had its place for too long. A body that comes
 * fast is let come. */
void peers_press(struct peers *p, int64_t now_ms);
/* The next that libmicrohttpd is handed with this descriptor has these names, which are taken; NULL: none. Without a place for them it has none, and who
 * has none is nobody. Call it before each, so that nobody gets those of one that has gone. */
void peers_named(struct peers *p, int fd, char *names);
void peers_not_taken(struct peers *p); /* libmicrohttpd did not want that one */

/* libmicrohttpd has taken it. NULL: there is no place, so nobody will tell it to leave. */
struct peer *peers_begin(struct peers *p, int fd, int64_t now_ms);
void peers_end(struct peers *p, struct peer *peer); /* before its socket is closed */
/* The first line of its request is there: from now on it may take IDLE_MS_MIN for the rest, however long it was silent before. */
void peers_begun(struct peers *p, struct peer *peer, int64_t now_ms);
void peers_came(struct peers *p, struct peer *peer, size_t bytes); /* of its body */
/* Its request is there whole, or is answered without that; or its answer has left. */
void peers_asking(struct peers *p, struct peer *peer, bool asking, int64_t now_ms);
/* Wait until nobody is asking any more, `wait_ms` at most: a client that does not read must not hold up the end of all. */
void peers_wait(struct peers *p, int64_t wait_ms);
/* Its answer has no end: it keeps its place however long it takes. There are few: STREAMS_MAX, and the lease calls that wait, at most every second place. */
void peers_stay(struct peers *p, struct peer *peer); /* these five take a NULL peer */

#endif
