/* cost_ahead: what a command may write, before it is applied. See cost.h. */
#include "broker/core/cost.h"

#include "broker/core/state.h"

/* Rows as they are stored, key and value. */
#define ATTEMPT_ROW_BYTES 112
#define DUE_ROW_BYTES     21
#define EXPIRY_ROW_BYTES  20
#define DEDUP_ROW_BYTES   320

/* Of a bitmap, that the messages of one frame lie in. */
#define CHUNKS_MAX (FRAME_MESSAGES_MAX / CHUNK_BITS + 1)

uint64_t cost_timed_message(struct cost_publishing *p, size_t bytes, int64_t due_ms, int64_t expires_ms)
{
    uint64_t cost = cost_next(bytes);
    if (due_ms) {
        cost += p->groups * (cost_next(ATTEMPT_ROW_BYTES) + cost_next(DUE_ROW_BYTES));
        if (!p->due_ms) /* the run of rows in attempt, the chunks of the bitmap */
            cost += p->groups * (COST_PLACE_BYTES + CHUNKS_MAX * cost_row(CHUNK_BYTES));
        if (p->due_ms != due_ms)
            cost += p->groups * COST_PLACE_BYTES;
        p->due_ms = due_ms;
    }
    if (expires_ms) {
        cost += p->groups * cost_next(EXPIRY_ROW_BYTES);
        if (p->expires_ms != expires_ms)
            cost += p->groups * COST_PLACE_BYTES;
        p->expires_ms = expires_ms;
    }
    return cost;
}

static uint64_t publish_cost(const struct ledger *l, const struct publish_command *c)
{
    const struct topic *t = ledger_topic(l, c->topic);
    if (!t || c->refusal)
        return 0;
    uint64_t each = t->groups_count * (topic_setting(t, POLICY_ttl_ms) ? cost_next(EXPIRY_ROW_BYTES) : 0);
    uint64_t long_ones = c->messages.size / 1000;
    return COST_TOPIC_BYTES + t->groups_count * COST_GROUP_BYTES + COST_PLACE_BYTES + 3 * c->messages.size +
           c->count * (cost_next(48) + each) + long_ones * COST_PAGE_BYTES +
           (c->sequence ? 2 * cost_row(DEDUP_ROW_BYTES) : 0);
}

static uint64_t resolve_cost(const struct resolve_command *c)
{
    uint64_t cost = COST_GROUP_BYTES + COST_TOPIC_BYTES;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct resolution *r = &c->entries[i];
        cost += cost_next(ATTEMPT_ROW_BYTES);
        if (!r->acked)
            cost += cost_next(ATTEMPT_ROW_BYTES) + 2 * cost_next(DUE_ROW_BYTES) +
                    cost_next(64 + c->by.client.size + c->by.host.size + c->by.build.size +
                              r->error_type.size + r->error_message.size + r->error_stack.size);
    }
    return cost;
}

uint64_t command_cost(const struct ledger *l, const struct command *c)
{
    switch (c->kind) {
    case COMMAND_PUBLISH:
        return publish_cost(l, &c->publish);
    case COMMAND_RESOLVE:
        return resolve_cost(&c->resolve);
    case COMMAND_TOPIC_CREATE:
        return (1 + (uint64_t)c->topic.groups_count) * 2 * (COST_TOPIC_BYTES + COST_GROUP_BYTES);
    case COMMAND_GROUP_CREATE:
        return 2 * (COST_TOPIC_BYTES + COST_GROUP_BYTES);
    case COMMAND_RECOVER:
    case COMMAND_LIMITS:
    case COMMAND_TICK:
    case COMMAND_ASSIGN:
    case COMMAND_TOPIC_UPDATE:
    case COMMAND_TOPIC_DELETE:
    case COMMAND_TOPIC_PURGE:
    case COMMAND_GROUP_UPDATE:
    case COMMAND_GROUP_DELETE:
    case COMMAND_GROUP_PAUSE:
    case COMMAND_DLQ_REDRIVE:
    case COMMAND_DLQ_PURGE:
    case COMMAND_TAKE_UP:
    case COMMAND_JOB_CANCEL:
    case COMMAND_CLOCK:
        return COST_TOPIC_BYTES + COST_GROUP_BYTES;
    }
    return 0;
}
