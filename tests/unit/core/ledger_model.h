/* ledger_model: what the ledger must do, said again as plainly as can be: an array of states for each group,
 * searched from end to end, without cursor, bitmap, index or store. It takes settings, ids and the length of
 * a back-off from the ledger (the latter within its bounds) and everything else from the commands.
 */
#ifndef SHUNT_TESTS_LEDGER_MODEL_H
#define SHUNT_TESTS_LEDGER_MODEL_H

#include "tests/unit/core/ledger_fixture.h"

#define MODEL_SEQS_MAX   4000
#define MODEL_GROUPS_MAX 400
#define MODEL_TOPICS_MAX 400

enum model_place { MODEL_GONE, MODEL_READY, MODEL_FLIGHT, MODEL_DELAYED, MODEL_DEAD };

struct model_state {
    enum model_place place;
    bool tracked, suspect, has_expiry;
    uint32_t attempts, attempts_total, deliveries, generation;
    uint64_t token;
    int64_t due_ms; /* -1: to be learnt, at most due_most_ms */
    int64_t due_most_ms;
    int64_t expires_ms, ttl_left_ms;
    uint64_t dead_seq;
};

struct model_message {
    int64_t published_ms, due_ms, expires_ms;
    size_t size;
    uint64_t origin_seq; /* in a DLQ */
};

struct model_topic {
    char name[64];
    struct model_group *origin; /* of a DLQ */
    uint64_t head;
    struct model_message *messages;
};

struct model_group {
    char name[64];
    bool live, paused;
    uint32_t id;
    struct model_topic *topic, *dlq;
    int64_t mark_ms;
    struct model_state *states;
    uint64_t acked, discarded, purged, away, deliveries, redriven, published;
};

struct model {
    struct fixture *f;
    int64_t now_ms;
    struct model_topic topics[MODEL_TOPICS_MAX];
    size_t topics_count;
    struct model_group groups[MODEL_GROUPS_MAX];
    size_t groups_count;
    /* What the last assign command must hand out. */
    uint64_t handed[64];
    size_t handed_count;
};

void model_init(struct model *m, struct fixture *f);
void model_done(struct model *m);
/* Called when the fixture has applied the command: what it refused is not done here either. */
void model_apply(struct model *m, const struct command *c);
/* Learn ids and back-offs, and compare everything. */
void model_compare(struct model *m);

/* ---- moves, for the commands ---- */

bool model_is(const char *name, struct slice s);
struct model_topic *model_find_topic(struct model *m, struct slice name);
struct model_group *model_find_group(struct model *m, const struct model_topic *t, struct slice name);
struct model_group *model_group_by_id(struct model *m, uint32_t id);
int64_t model_setting(struct model *m, const struct model_group *g, enum policy_field field);
struct model_topic *model_add_topic(struct model *m, struct slice name, struct model_group *origin);
struct model_group *model_add_group(struct model *m, struct model_topic *t, struct slice name);
void model_wait_until(struct model_state *s, int64_t due_ms);
uint64_t model_append(struct model *m, struct model_topic *t, struct model_message message);
void model_divert(struct model *m, struct model_group *g, uint64_t seq);
void model_expire(struct model *m, struct model_group *g, uint64_t seq);
void model_settle(struct model_group *g, uint64_t seq, uint64_t *counter);
void model_leave_dlq(struct model *m, struct model_group *reader, uint64_t dead_seq, uint64_t *reader_counter,
                     bool acked, bool redriven);

#endif
