/* ledger_traffic: random commands of every kind under a fixed seed, made from what the ledger holds, so that
 * most of them take effect and some do not.
 */
#ifndef SHUNT_TESTS_LEDGER_TRAFFIC_H
#define SHUNT_TESTS_LEDGER_TRAFFIC_H

#include "tests/unit/core/ledger_fixture.h"

#define TRAFFIC_COMMANDS_MAX 4

struct traffic {
    struct fixture *f;
    uint64_t random;
    /* without jobs at a rate, chosen ids, looks at dead letters, retention, producers, limits, and deleted topics */
    bool plain;
    struct command commands[TRAFFIC_COMMANDS_MAX];
    /* What the commands of the batch point to. */
    struct mpack_buffer messages[TRAFFIC_COMMANDS_MAX];
    struct resolution entries[TRAFFIC_COMMANDS_MAX][8];
    struct slice ids[TRAFFIC_COMMANDS_MAX][3];
    char id_text[TRAFFIC_COMMANDS_MAX][3][48];
};

void traffic_init(struct traffic *t, struct fixture *f, uint64_t seed);
void traffic_done(struct traffic *t);
/* Uniform in [0, bound). */
uint64_t traffic_random(struct traffic *t, uint64_t bound);
/* Fill in t->commands and let the fixture's clock go on; returns how many there are. */
size_t traffic_next(struct traffic *t);

#endif
