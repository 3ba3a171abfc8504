/* operator_dead: what the operator does about dead letters: redrives and purges, their jobs, and rules. */
#include "tests/sim/model.h"
#include "tests/sim/operator.h"

#define RULES        4   /* numbers of rules */
#define RULE_WAIT_MS 300 /* until one brings a letter back, at first */

static void pair(struct mpack_buffer *to, const char *name, uint64_t value)
{
    mpack_write_cstr(to, name);
    mpack_write_uint(to, value);
}

/* How a redrive goes on. */
static void write_options(struct sim *s, struct mpack_buffer *to)
{
    bool canary = dice_once_in(&s->dice, 2), fails = dice_once_in(&s->dice, 2),
         spread = dice_once_in(&s->dice, 2);
    bool reason = dice_once_in(&s->dice, 4), keeps = dice_once_in(&s->dice, 3);
    mpack_write_map(to, canary + fails + spread + reason + keeps);
    if (canary)
        pair(to, "canary", dice_from(&s->dice, 1, 3));
    if (fails)
        pair(to, "max_fail", dice_below(&s->dice, 1001));
    if (spread)
        pair(to, "spread_ms", dice_from(&s->dice, 1, MODEL_SPREAD_MS_MAX));
    if (keeps) {
        mpack_write_cstr(to, "keep_deadline");
        mpack_write_bool(to, true);
    }
    if (reason) {
        mpack_write_cstr(to, "reason");
        mpack_write_cstr(to, dice_once_in(&s->dice, 2) ? "rejected" : "max_attempts");
    }
}

void operator_redrive(struct raw *r, unsigned op, unsigned place)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    bool options = op == OP_DLQ_REDRIVE && !s->draining && dice_once_in(&s->dice, 3);
    if (!operator_ask(r, &frame, &offset, op, op == OP_DLQ_REDRIVE ? 4 + options : 3, place))
        return;
    mpack_write_map(&frame, 1);
    if (dice_once_in(&s->dice, 2)) {
        mpack_write_cstr(&frame, "all");
        mpack_write_bool(&frame, true);
    } else {
        pair(&frame, options ? "matching" : "count", dice_below(&s->dice, 6));
    }
    if (op == OP_DLQ_REDRIVE)
        mpack_write_uint(&frame, dice_once_in(&s->dice, 3) ? dice_from(&s->dice, 1, 50) : 0);
    if (options)
        write_options(s, &frame);
    operator_note(s, op == OP_DLQ_REDRIVE ? HISTORY_REDRIVE : HISTORY_REMOVE, &s->places[place]);
    raw_send(r, &frame, offset);
}

/* Which dead letters, and what is done with them. */
static void write_rule(struct sim *s, struct mpack_buffer *to, const struct place *target)
{
    static const char *const reasons[] = {"rejected", "max_attempts", "ttl_expired", "deadline_exceeded"};
    static const char *const actions[RULE_ACTIONS] = RULE_ACTION_NAMES;
    enum rule_action action = target ? RULE_MOVE : (enum rule_action)dice_below(&s->dice, RULE_MOVE);
    if (dice_once_in(&s->dice, 2)) {
        mpack_write_nil(to);
    } else {
        mpack_write_map(to, 1);
        mpack_write_cstr(to, "reason");
        mpack_write_cstr(to, reasons[dice_below(&s->dice, sizeof reasons / sizeof *reasons)]);
    }
    mpack_write_map(to, 2 + (action == RULE_REDRIVE ? 3 : action == RULE_MOVE));
    mpack_write_cstr(to, "action");
    mpack_write_cstr(to, actions[action]);
    mpack_write_cstr(to, "disabled");
    mpack_write_bool(to, dice_once_in(&s->dice, 8));
    if (action == RULE_MOVE) {
        mpack_write_cstr(to, "to");
        mpack_write_cstr(to, target->topic);
    } else if (action == RULE_REDRIVE) {
        uint64_t wait = dice_from(&s->dice, 1, RULE_WAIT_MS);
        pair(to, "times", dice_from(&s->dice, 1, 3));
        pair(to, "wait_ms", wait);
        pair(to, "wait_max_ms", wait * dice_from(&s->dice, 1, 3));
    }
}

void operator_change_rule(struct raw *r, unsigned place)
{
    struct sim *s = r->client.sim;
    struct mpack_buffer frame;
    size_t offset;
    unsigned how = (unsigned)dice_below(&s->dice, 4);
    const struct place *other = sim_place(s);
    if (dice_once_in(&s->dice, 2) || !other || other->topic_name == s->places[place].topic_name)
        other = NULL;
    if (!operator_ask(r, &frame, &offset, how ? OP_RULE_SET : OP_RULE_DELETE, how ? 5 : 3, place))
        return;
    mpack_write_uint(&frame, dice_from(&s->dice, 1, RULES));
    if (how > 1) {
        write_rule(s, &frame, other);
        operator_note(s, HISTORY_REDRIVE, &s->places[place]);
        operator_note(s, HISTORY_REMOVE, &s->places[place]);
        if (other)
            sim_event(s, HISTORY_MOVE)->topic = other->topic_name;
    } else if (how) {
        mpack_write_nil(&frame);
        mpack_write_map(&frame, 1);
        mpack_write_cstr(&frame, "disabled");
        mpack_write_bool(&frame, dice_once_in(&s->dice, 2));
    }
    raw_send(r, &frame, offset);
}

void operator_about_job(struct raw *r, unsigned op, uint64_t job)
{
    struct mpack_buffer frame;
    size_t offset;
    if (!raw_ask(r, &frame, &offset, op, 1))
        return;
    mpack_write_uint(&frame, job);
    raw_send(r, &frame, offset);
}

void operator_change_job(struct raw *r)
{
    static const unsigned ops[] = {OP_JOB_PAUSE, OP_JOB_PAUSE, OP_JOB_RESUME, OP_JOB_CANCEL};
    struct sim *s = r->client.sim;
    operator_about_job(r, ops[dice_below(&s->dice, 4)], dice_from(&s->dice, 1, 1 + server_jobs_begun(s)));
}
