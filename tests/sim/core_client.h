/* core_client: what a scripted client on the library's core is, and what it tells the history (core_note.c).
 */
#ifndef SHUNT_TESTS_SIM_CORE_CLIENT_H
#define SHUNT_TESTS_SIM_CORE_CLIENT_H

#define message_encode client_message_encode /* as the library is built here */
#include "client/wire/core.h"
#include "client/wire/message.h"
#include "proto/wire.h"
#include "tests/sim/sim.h"

#define HELD_MAX 32

enum { TAG_SEEN = 1, TAG_STARTED = 2 }; /* of a delivery: what the history has of it */

/* The client that waits for the answer to one question. */
struct ticket {
    struct ticket *next;
    struct core_client *client;
    uint64_t op;
    bool done;
};

struct handling {
    struct shunt_delivery *d;
    int64_t until_us;
    uint64_t token;
};

struct core_client {
    struct client client;
    struct settings settings;
    struct core core;
    struct shunt_consumer *consumers[GROUPS_MAX];
    struct handling held[HELD_MAX];
    unsigned held_count;
    struct ticket *tickets;
    uint64_t received; /* on this connection */
    bool fast;         /* handlers take no time */
};

/* An event about a delivery, at the present time. */
struct history_event *core_note(struct core_client *c, enum history_kind kind,
                                const struct shunt_delivery *d);
/* Deliveries that have come, sent by the broker at that time. */
void core_note_arrivals(struct core_client *c, int64_t sent_us);
/* Held ones that are this client's again, or once more, under another token. */
void core_note_kept(struct core_client *c, int64_t sent_us);
/* Those of the queue that consumer_take() is about to give up, because their deadline has passed, or their lease. */
void core_note_late(struct core_client *c, struct shunt_consumer *consumer);
/* Those of the queue whose mark is in the output. */
void core_note_started(struct core_client *c, struct shunt_consumer *consumer);

#endif
