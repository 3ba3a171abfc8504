/* plant_live: bugs of a running broker. Calls between the engine, the dispatcher and the ledger go through
 * here (the linker's --wrap); with no bug planted they pass as they are.
 */
#include "broker/core/dispatcher_state.h"
#include "broker/core/job.h"
#include "broker/core/rule.h"
#include "broker/engine/state.h"
#include "tests/sim/plant.h"
#include "tests/sim/sim.h"

#include <stdlib.h>

#define LATE_MS          40
#define LATE_DEADLINE_MS 500

static const struct sim *planted;

void plant_begin(const struct sim *s)
{
    planted = s;
}

bool plant_is(enum plant plant)
{
    return planted && planted->plant == plant;
}

struct member *__real_dispatcher_subscribe(struct dispatcher *d, struct holder *h, uint32_t group,
                                           uint32_t messages, uint64_t bytes);
struct member *__wrap_dispatcher_subscribe(struct dispatcher *d, struct holder *h, uint32_t group,
                                           uint32_t messages, uint64_t bytes);
int __real_dispatcher_extend(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                             int64_t deadline_mono_ms);
int __wrap_dispatcher_extend(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                             int64_t deadline_mono_ms);
size_t __real_dispatcher_expire(struct dispatcher *d, int64_t mono_ms, size_t max, dispatcher_end_fn *end,
                                void *context);
size_t __wrap_dispatcher_expire(struct dispatcher *d, int64_t mono_ms, size_t max, dispatcher_end_fn *end,
                                void *context);
int __real_ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch);
int __wrap_ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch);
void __real_session_leave(struct session *s, enum holder_end how);
void __wrap_session_leave(struct session *s, enum holder_end how);
void __real_engine_post(struct engine *e, struct inbox_item *item);
void __wrap_engine_post(struct engine *e, struct inbox_item *item);
int __real_redrive_ended(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                         bool acked);
int __wrap_redrive_ended(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                         bool acked);
int __real_rules_flush(struct ledger *l);
int __wrap_rules_flush(struct ledger *l);
int __real_rule_wait(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq);
int __wrap_rule_wait(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq);
int __real_publish_one(struct ledger *l, struct topic *t, const struct message_view *m, uint64_t more,
                       int *ret_refusal, uint64_t *ret_seq);
int __wrap_publish_one(struct ledger *l, struct topic *t, const struct message_view *m, uint64_t more,
                       int *ret_refusal, uint64_t *ret_seq);
int64_t __real_ledger_shown_ms(const struct ledger *l, int64_t ms);
int64_t __wrap_ledger_shown_ms(const struct ledger *l, int64_t ms);
void __real_kept_write(const struct kept *kept, struct mpack_buffer *out);
void __wrap_kept_write(const struct kept *kept, struct mpack_buffer *out);

struct member *__wrap_dispatcher_subscribe(struct dispatcher *d, struct holder *h, uint32_t group,
                                           uint32_t messages, uint64_t bytes)
{
    bool more = plant_is(PLANT_OVER_CREDIT) && messages;
    return __real_dispatcher_subscribe(d, h, group, messages + more, bytes);
}

/* The lease is told to be longer, and is not by as much: another gets the message meanwhile. */
int __wrap_dispatcher_extend(struct dispatcher *d, struct member *m, uint64_t seq, uint64_t token,
                             int64_t deadline_mono_ms)
{
    int64_t now_ms = plant_is(PLANT_SHORT_EXTENSION) ? planted->mono_us / 1000 : deadline_mono_ms;
    return __real_dispatcher_extend(d, m, seq, token, deadline_mono_ms - (deadline_mono_ms - now_ms) * 3 / 4);
}

struct spoiled {
    dispatcher_end_fn *end;
    void *context;
};

/* What a client without marks had not come to is charged as what it was at work on. */
static void spoil_end(void *context, const struct lease_end *end)
{
    const struct spoiled *spoiled = context;
    struct lease_end changed = *end;
    if (plant_is(PLANT_CHARGE_PREFETCH) && !end->holder->marks)
        changed.outcome = ATTEMPT_LEASE_EXPIRED;
    spoiled->end(spoiled->context, &changed);
}

size_t __wrap_dispatcher_expire(struct dispatcher *d, int64_t mono_ms, size_t max, dispatcher_end_fn *end,
                                void *context)
{
    struct spoiled spoiled = {end, context};
    size_t count = __real_dispatcher_expire(d, plant_is(PLANT_LATE_ANSWER) ? mono_ms - LATE_MS : mono_ms, max,
                                            spoil_end, &spoiled);
    struct holder *silent;
    while (plant_is(PLANT_FED_SILENT) && (silent = dispatcher_silent(d, NULL)))
        dispatcher_heard(d, silent, mono_ms);
    return count;
}

static void spoil_resolution(struct resolution *r)
{
    if (r->acked)
        return;
    if (plant_is(PLANT_CHARGED_LATE) && r->outcome == ATTEMPT_DEADLINE_EXCEEDED)
        r->outcome = ATTEMPT_NACKED;
    if (plant_is(PLANT_EARLY_RETRY) && r->outcome == ATTEMPT_NACKED && r->delay_ms > 1)
        r->delay_ms /= 2;
    if (plant_is(PLANT_CHARGE_BYSTANDERS) && r->outcome == ATTEMPT_SUSPECTED)
        r->outcome = ATTEMPT_DISCONNECTED;
    if (plant_is(PLANT_NO_SUSPECTS) && r->outcome == ATTEMPT_SUSPECTED)
        r->outcome = ATTEMPT_UNSTARTED;
}

/* What the engine has made of requests lies in its own memory and is not looked at again. */
static void spoil(const struct batch *batch)
{
    struct command *commands = (struct command *)(uintptr_t)batch->commands;
    for (size_t i = 0; i < batch->count; i++) {
        struct command *c = &commands[i];
        struct resolution *entries =
            c->kind == COMMAND_RESOLVE ? (struct resolution *)(uintptr_t)c->resolve.entries : NULL;
        for (uint32_t k = 0; entries && k < c->resolve.count; k++)
            spoil_resolution(&entries[k]);
        if (plant_is(PLANT_KEPT_DEADLINE) && c->kind == COMMAND_DLQ_REDRIVE)
            c->dead.keep_deadline = true;
        if (plant_is(PLANT_NO_PAUSE) && c->kind == COMMAND_GROUP_PAUSE)
            c->group.paused = false;
    }
}

int __wrap_ledger_apply(struct ledger *l, struct store_txn *txn, const struct batch *batch)
{
    spoil(batch);
    return __real_ledger_apply(l, txn, batch);
}

/* Without a goodbye it is the end of the peer's sending; a lost connection does not come this way. */
void __wrap_session_leave(struct session *s, enum holder_end how)
{
    if (how == HOLDER_LOST && plant_is(PLANT_UNHEEDED_END))
        return;
    __real_session_leave(s, plant_is(PLANT_FORGIVEN_END) ? HOLDER_GOODBYE : how);
}

int __wrap_redrive_ended(struct ledger *l, struct group *g, uint64_t seq, const struct attempt_record *row,
                         bool acked)
{
    return plant_is(PLANT_LOST_OUTCOME) ? 0 : __real_redrive_ended(l, g, seq, row, acked);
}

int __wrap_rules_flush(struct ledger *l)
{
    for (; plant_is(PLANT_VOLATILE_RULE) && l->dirty_rules; l->dirty_rules = l->dirty_rules->dirty_next)
        l->dirty_rules->dirty = false;
    return __real_rules_flush(l);
}

int __wrap_rule_wait(struct ledger *l, struct group *g, const struct dead_record *dead, uint64_t dead_seq)
{
    struct dead_record early = *dead;
    if (plant_is(PLANT_EARLY_RULE))
        early.due_ms -= (early.due_ms - l->now_ms) / 2;
    return __real_rule_wait(l, g, &early, dead_seq);
}

int __wrap_publish_one(struct ledger *l, struct topic *t, const struct message_view *m, uint64_t more,
                       int *ret_refusal, uint64_t *ret_seq)
{
    int err = plant_is(PLANT_MOVED_TWICE) ? __real_publish_one(l, t, m, more, ret_refusal, ret_seq) : 0;
    return err ? err : __real_publish_one(l, t, m, more, ret_refusal, ret_seq);
}

void __wrap_kept_write(const struct kept *kept, struct mpack_buffer *out)
{
    for (uint32_t i = 0; plant_is(PLANT_OLD_TOKEN) && i < kept->count; i++) {
        if (kept->tokens[i])
            kept->tokens[i] = kept->names[i].token;
    }
    __real_kept_write(kept, out);
}

/* In the simulator nobody looks at the times that are shown, but deadlines count by them. */
int64_t __wrap_ledger_shown_ms(const struct ledger *l, int64_t ms)
{
    return __real_ledger_shown_ms(l, ms) - (plant_is(PLANT_LATE_DEADLINE) ? LATE_DEADLINE_MS : 0);
}

void __wrap_engine_post(struct engine *e, struct inbox_item *item)
{
    if (item->kind == PORT_ROOM && plant_is(PLANT_UNTOLD_ROOM)) {
        free(item);
        return;
    }
    __real_engine_post(e, item);
}
