/* ledger_commands: each command of the ledger as one call for tests. */
#include "broker/core/cause.h"
#include "proto/errors.h"
#include "tests/unit/core/ledger_fixture.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- small things ---- */

struct slice text(const char *s)
{
    return (struct slice){s, strlen(s)};
}

struct group *fixture_group(struct fixture *f, const char *topic, const char *group)
{
    int err = 0;
    struct group *g = ledger_group(f->l, text(topic), text(group), &err);
    cr_assert_not_null(g, "%s/%s: %s", topic, group, err_name(err));
    return g;
}

struct policy_change settings(int field, ...)
{
    struct policy_change c = {0};
    va_list args;
    va_start(args, field);
    for (; field >= 0; field = va_arg(args, int)) {
        c.set.given |= 1u << field;
        c.set.value[field] = va_arg(args, int);
    }
    va_end(args);
    return c;
}

/* Words between spaces. */
static uint32_t split(const char *words, struct slice *ret, uint32_t room)
{
    uint32_t count = 0;
    while (*words) {
        size_t size = strcspn(words, " ");
        cr_assert_lt(count, room);
        ret[count++] = (struct slice){words, size};
        words += size + (words[size] == ' ');
    }
    return count;
}

void write_message(struct mpack_buffer *to, const char *body, int64_t delay_ms, int64_t ttl_ms)
{
    bool timed = delay_ms || ttl_ms;
    mpack_write_array(to, timed ? 5 : 1);
    mpack_write_bin(to, body, strlen(body));
    if (!timed)
        return;
    mpack_write_nil(to);
    mpack_write_nil(to);
    mpack_write_int(to, delay_ms);
    mpack_write_int(to, ttl_ms);
}

/* ---- commands ---- */

static void topic_command(struct fixture *f, enum command_kind kind, const char *topic,
                          struct policy_change change)
{
    fixture_run(f, (struct command){.kind = kind, .topic = {.topic = text(topic), .change = change}});
}

void topic_create(struct fixture *f, const char *topic, struct policy_change change)
{
    topic_command(f, COMMAND_TOPIC_CREATE, topic, change);
}

void topic_create_groups(struct fixture *f, const char *topic, const char *groups)
{
    struct slice names[16];
    uint32_t count = split(groups, names, 16);
    fixture_run(f, (struct command){.kind = COMMAND_TOPIC_CREATE,
                                    .topic = {.topic = text(topic), .groups = names, .groups_count = count}});
}

void topic_update(struct fixture *f, const char *topic, struct policy_change change)
{
    topic_command(f, COMMAND_TOPIC_UPDATE, topic, change);
}

void topic_delete(struct fixture *f, const char *topic)
{
    topic_command(f, COMMAND_TOPIC_DELETE, topic, (struct policy_change){0});
}

void topic_purge(struct fixture *f, const char *topic, const char *group)
{
    fixture_run(f, (struct command){.kind = COMMAND_TOPIC_PURGE,
                                    .purge = {.topic = text(topic), .group = text(group ? group : "")}});
}

static void group_command(struct fixture *f, enum command_kind kind, struct group_command c)
{
    fixture_run(f, (struct command){.kind = kind, .group = c});
}

void group_create(struct fixture *f, const char *topic, const char *group, bool from_now)
{
    group_command(f, COMMAND_GROUP_CREATE,
                  (struct group_command){.topic = text(topic), .group = text(group), .from_now = from_now});
}

void group_update(struct fixture *f, const char *topic, const char *group, struct policy_change change)
{
    group_command(f, COMMAND_GROUP_UPDATE,
                  (struct group_command){.topic = text(topic), .group = text(group), .change = change});
}

void group_delete(struct fixture *f, const char *topic, const char *group)
{
    group_command(f, COMMAND_GROUP_DELETE,
                  (struct group_command){.topic = text(topic), .group = text(group)});
}

void group_pause(struct fixture *f, const char *topic, const char *group, bool paused)
{
    group_command(f, COMMAND_GROUP_PAUSE,
                  (struct group_command){.topic = text(topic), .group = text(group), .paused = paused});
}

static void publish_messages(struct fixture *f, struct publish_command c, int64_t delay_ms, int64_t ttl_ms)
{
    struct mpack_buffer messages = {0};
    for (uint32_t i = 0; i < c.count; i++)
        write_message(&messages, "m", delay_ms, ttl_ms);
    c.messages = (struct slice){messages.data, messages.size};
    fixture_run(f, (struct command){.kind = COMMAND_PUBLISH, .publish = c});
    mpack_buffer_done(&messages);
}

void publish(struct fixture *f, const char *topic, uint32_t count)
{
    publish_messages(f, (struct publish_command){.topic = text(topic), .count = count}, 0, 0);
}

void publish_timed(struct fixture *f, const char *topic, int64_t delay_ms, int64_t ttl_ms)
{
    publish_messages(f, (struct publish_command){.topic = text(topic), .count = 1}, delay_ms, ttl_ms);
}

void publish_as(struct fixture *f, const char *topic, const char *producer, uint64_t sequence,
                uint64_t forget_below, uint32_t count, int refusal)
{
    publish_messages(f,
                     (struct publish_command){.topic = text(topic),
                                              .producer = text(producer),
                                              .sequence = sequence,
                                              .forget_below = forget_below,
                                              .count = count,
                                              .refusal = refusal},
                     0, 0);
}

void publish_part(struct fixture *f, struct publish_command c)
{
    publish_messages(f, c, 0, 0);
}

void assign_lane(struct fixture *f, const char *topic, const char *group, enum lane lane, uint32_t messages)
{
    uint32_t id = ledger_group_id(fixture_group(f, topic, group));
    fixture_run(
        f, (struct command){.kind = COMMAND_ASSIGN,
                            .assign = {.group = id, .lane = lane, .messages = messages, .bytes = 1 << 30}});
}

void assign(struct fixture *f, const char *topic, const char *group, uint32_t messages)
{
    assign_lane(f, topic, group, LANE_NORMAL, messages);
}

void resolve(struct fixture *f, const char *topic, const char *group, struct resolution r)
{
    uint32_t id = ledger_group_id(fixture_group(f, topic, group));
    if (!r.token)
        r.token = fixture_token(f, id, r.seq);
    struct resolve_command c = {
        .group = id, .by = {text("client"), text("host"), text("build")}, .entries = &r, .count = 1};
    fixture_run(f, (struct command){.kind = COMMAND_RESOLVE, .resolve = c});
}

void take_up(struct fixture *f, const char *topic, const char *group, uint64_t seq, uint64_t token)
{
    const struct delivery_name name = {seq, token};
    fixture_run(
        f, (struct command){
               .kind = COMMAND_TAKE_UP,
               .take_up = {.group = fixture_group(f, topic, group)->r.id, .entries = &name, .count = 1}});
}

void ack(struct fixture *f, const char *topic, const char *group, uint64_t seq)
{
    resolve(f, topic, group, (struct resolution){.seq = seq, .acked = true});
}

void nack(struct fixture *f, const char *topic, const char *group, uint64_t seq, int64_t delay_ms)
{
    resolve(f, topic, group,
            (struct resolution){.seq = seq,
                                .outcome = ATTEMPT_NACKED,
                                .delay_ms = delay_ms,
                                .error_type = text("type"),
                                .error_message = text("message"),
                                .error_stack = text("stack")});
}

void fail(struct fixture *f, const char *topic, const char *group, uint64_t seq, enum attempt_outcome outcome)
{
    static const char *const names[] = ATTEMPT_OUTCOME_NAMES;
    resolve(f, topic, group,
            (struct resolution){.seq = seq,
                                .outcome = outcome,
                                .delay_ms = DELAY_BACKOFF,
                                .leased_ms = T0 + f->now_ms,
                                .error_type = text(names[outcome])});
}

void tick(struct fixture *f, int64_t ms)
{
    fixture_at(f, ms);
    fixture_run(f, (struct command){.kind = COMMAND_TICK});
}

void tick_until_quiet(struct fixture *f)
{
    for (unsigned i = 0; ledger_tick_at(f->l) <= T0 + f->now_ms; i++) {
        cr_assert_lt(i, 10000, "a tick is always due");
        tick(f, f->now_ms);
    }
}

void recover(struct fixture *f)
{
    recover_waiting(f, 0);
}

void recover_waiting(struct fixture *f, int64_t wait_ms)
{
    fixture_run(f, (struct command){.kind = COMMAND_RECOVER, .recover.wait_ms = wait_ms});
}

static void dead_command(struct fixture *f, enum command_kind kind, struct dead_command c)
{
    fixture_run(f, (struct command){.kind = kind, .dead = c});
}

void redrive(struct fixture *f, const char *topic, const char *group, uint64_t count, uint32_t rate)
{
    dead_command(
        f, COMMAND_DLQ_REDRIVE,
        (struct dead_command){.topic = text(topic), .group = text(group), .count = count, .rate = rate});
}

void redrive_as(struct fixture *f, const struct dead_command *c)
{
    dead_command(f, COMMAND_DLQ_REDRIVE, *c);
}

void edit(struct fixture *f, const char *topic, const char *group, const char *id, uint64_t seen,
          const char *body)
{
    struct edit_command c = {.topic = text(topic),
                             .group = text(group),
                             .id = text(id),
                             .seen = seen,
                             .undo = !body,
                             .body = text(body ? body : "")};
    uint8_t rest[512];
    int err;
    struct store_txn *txn;
    struct group *g = ledger_group(f->l, c.topic, c.group, &err);
    cr_assert_eq(store_begin(f->store, false, &txn), 0);
    const struct view v = {.ledger = f->l, .txn = txn};
    err = g && body ? view_edited(&v, g, &c) : 0;
    c.refusal = err == SHUNT_NOT_FOUND || err == SHUNT_BAD_ARGUMENT ? 0 : err;
    cr_assert_leq(c.rest.size, sizeof rest);
    if (c.rest.size)
        c.rest.data = memcpy(rest, c.rest.data, c.rest.size);
    store_abort(txn);
    fixture_run(f, (struct command){.kind = COMMAND_DLQ_EDIT, .edit = c});
}

void redrive_ids_at(struct fixture *f, const char *topic, const char *group, const char *ids, uint32_t rate)
{
    struct slice names[16];
    uint32_t count = split(ids, names, 16);
    redrive_as(
        f, &(struct dead_command){
               .topic = text(topic), .group = text(group), .ids = names, .ids_count = count, .rate = rate});
}

void redrive_ids(struct fixture *f, const char *topic, const char *group, const char *ids)
{
    redrive_ids_at(f, topic, group, ids, 0);
}

void redrive_pair(struct fixture *f, const char *topic, const char *group, unsigned pair, uint32_t rate)
{
    char ids[32];
    (void)snprintf(ids, sizeof ids, "%u %u", 2 * pair + 1, 2 * pair + 2);
    redrive_ids_at(f, topic, group, ids, rate);
}

void clock_set(struct fixture *f, int64_t machine_ms)
{
    fixture_run(f, (struct command){.kind = COMMAND_CLOCK, .clock.machine_ms = machine_ms});
}

void job_cancel(struct fixture *f, uint64_t job)
{
    fixture_run(f, (struct command){.kind = COMMAND_JOB_CANCEL, .job.id = job});
}

void job_pause(struct fixture *f, uint64_t job)
{
    fixture_run(f, (struct command){.kind = COMMAND_JOB_PAUSE, .job.id = job});
}

void build_seen(struct fixture *f, const char *topic, const char *group, const char *build)
{
    uint32_t id = ledger_group_id(fixture_group(f, topic, group));
    fixture_run(f,
                (struct command){.kind = COMMAND_BUILD_SEEN, .build = {.group = id, .build = text(build)}});
}

void job_resume(struct fixture *f, uint64_t job)
{
    fixture_run(f, (struct command){.kind = COMMAND_JOB_RESUME, .job.id = job});
}

void dlq_purge(struct fixture *f, const char *topic, const char *group, uint64_t count)
{
    dead_command(f, COMMAND_DLQ_PURGE,
                 (struct dead_command){.topic = text(topic), .group = text(group), .count = count});
}

void dlq_purge_ids(struct fixture *f, const char *topic, const char *group, const char *ids)
{
    struct slice names[16];
    uint32_t count = split(ids, names, 16);
    dead_command(
        f, COMMAND_DLQ_PURGE,
        (struct dead_command){.topic = text(topic), .group = text(group), .ids = names, .ids_count = count});
}

uint64_t cause_of(struct fixture *f, const char *topic, const char *group, size_t nth)
{
    const struct group *g = fixture_group(f, topic, group);
    cr_assert_lt(nth, g->causes_count);
    return g->causes[nth]->fingerprint;
}

void attend(struct fixture *f, const char *topic, const char *group, uint64_t cause, const char *ids)
{
    struct slice names[16];
    uint32_t count = split(ids, names, 16);
    fixture_run(f, (struct command){.kind = COMMAND_DLQ_ATTEND,
                                    .attend = {.topic = text(topic),
                                               .group = text(group),
                                               .cause = cause,
                                               .ids = names,
                                               .ids_count = count}});
}

void cause_update(struct fixture *f, const char *topic, const char *group, uint64_t cause,
                  enum cause_state state)
{
    fixture_run(f, (struct command){.kind = COMMAND_CAUSE_UPDATE,
                                    .cause = {.topic = text(topic),
                                              .group = text(group),
                                              .fingerprint = cause,
                                              .has_state = true,
                                              .state = state,
                                              .has_owner = true,
                                              .owner = text("kim"),
                                              .has_note = true,
                                              .note = text("a note")}});
}

void rule_set(struct fixture *f, const struct rule_command *c)
{
    fixture_run(f, (struct command){.kind = COMMAND_RULE_SET, .rule = *c});
}

void rule_delete(struct fixture *f, const char *topic, const char *group, uint32_t number)
{
    fixture_run(f, (struct command){.kind = COMMAND_RULE_DELETE,
                                    .rule = {.topic = text(topic), .group = text(group), .number = number}});
}

struct job_record job_of(struct fixture *f, uint64_t job)
{
    static struct job_record r;
    struct key key = key_job(job);
    struct store_txn *t;
    struct slice value;
    cr_assert_eq(store_begin(f->store, false, &t), 0);
    cr_assert_eq(store_get(t, TABLE_JOB, key_slice(&key), &value), 0, "job %llu", (unsigned long long)job);
    cr_assert_eq(job_decode(key_slice(&key), value, &r), 0);
    store_abort(t);
    return r;
}

bool job_is_over(struct fixture *f, uint64_t job)
{
    struct job_record r = job_of(f, job);
    return job_over(&r);
}
