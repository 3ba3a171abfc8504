/* gate_world: a world whose connections belong to users, and what they are told. */
#ifndef SHUNT_TESTS_ENGINE_GATE_WORLD_H
#define SHUNT_TESTS_ENGINE_GATE_WORLD_H

#include "broker/core/identity.h"
#include "proto/words.h"
#include "tests/unit/engine/world.h"

/* What a connection was told of one request, or of a subscription. */
struct heard {
    uint64_t op; /* 0: nothing */
    uint64_t code;
    char text[512];
    struct slice body; /* of an OK, what follows the id; lent until the next turn */
};

void gate_start(struct world *w);
/* Goes with a turn, as if an administrator had asked for it. */
void gate_apply(struct world *w, const struct command *c);
/* The user has these grants and no others. It is made if it is not there. */
void gate_grant(struct world *w, const char *user, const struct grant *grants, uint32_t count);
void gate_grant_one(struct world *w, const char *user, const char *pattern, uint32_t rights);
void gate_disable(struct world *w, const char *user);
void gate_delete(struct world *w, const char *user);
/* The connection has logged in as that user. */
void gate_login(struct world *w, unsigned link, const char *user);
void gate_logout(struct world *w, unsigned link); /* it is anybody's again */

/* Send a frame, whose request has the id 77, and give the engine two turns. */
struct heard gate_send(struct world *w, unsigned link, struct mpack_buffer *frame);
/* The same, of a request of names alone. */
struct heard gate_request(struct world *w, unsigned link, unsigned op, const char *topic, const char *group);
/* What is answered to it, of what was told from `before` on; CLOSED of a subscription counts, too, with `id` 0. */
struct heard gate_heard(struct world *w, unsigned link, size_t before, uint64_t op, uint64_t id);

/* A dead letter of "t", by an expired time to live; connection 0 publishes. */
void gate_die_one(struct world *w);

/* Append a map of one or (`key2` not NULL) two texts. */
void gate_put_map(struct mpack_buffer *to, const char *key, const char *value, const char *key2,
                  const char *value2);
/* Of an OK: its first field is a number, or an array of so many rows; or a map, and a number in it. */
uint64_t gate_first_number(const struct heard *heard);
uint64_t gate_rows(const struct heard *heard);
uint64_t gate_number(const struct heard *heard, const char *key);
/* The value of a key in the row of that place; a number as text, nil as nothing. Until the next call. */
const char *gate_in_row(const struct heard *heard, uint32_t row, const char *key);

#endif
