/* server: what the simulator's own files share of the broker's side. */
#ifndef SHUNT_TESTS_SIM_SERVER_H
#define SHUNT_TESTS_SIM_SERVER_H

#include "broker/engine/state.h"
#include "broker/net/reader.h"
#include "tests/sim/sim.h"

/* When the bytes up to an offset were sent. */
struct sent_mark {
    uint64_t end;
    int64_t mono_us;
};

struct conn {
    struct sim *sim;
    uint32_t number;
    struct client *owner; /* NULL: the client's end is closed */
    struct link *link;    /* NULL: the server's end is closed */
    struct reader reader;
    struct pipe to_server, to_client;
    bool end_when_sent;
    bool waits;             /* the server does not read it now */
    enum flow_ask ask;      /* what the engine waits for */
    bool broken;            /* a bad frame came */
    bool ended, told_ended; /* the client sends nothing more; the server has read all of it */
    int64_t took_us;        /* when the client last took something, or something came for it to take */
    uint64_t written, taken, freed; /* freed: taken, up to the end of what the server sent at once */
    struct sent_mark *marks;
    size_t marks_count, marks_capacity, marks_freed;
};

struct server {
    struct engine *engine; /* NULL: down */
    struct engine_config config;
    struct reader_pool pool;
    struct flow_totals totals; /* of this incarnation's connections */
    jmp_buf died;
    char died_of[256];
    int died_err;
    int64_t due_ms;
    int64_t up_at_us;
    uint64_t faults_seen; /* of the disk, when this incarnation began */
    bool full;
    uint64_t sent_bytes;
};

/* conn.c */
void conn_move_to_server(struct conn *c);
void conn_move_to_client(struct conn *c);
void conn_take_output(struct conn *c, struct outbox_item *item, int64_t sent_us);
void conn_cut(struct conn *c);     /* the server is gone */
void conn_thin_out(struct sim *s); /* as evict.c does */
void conn_free(struct conn *c);

#endif
