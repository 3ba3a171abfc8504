/* Records with checksums that are right and contents that are impossible, as docs/storage.md lays them out: all
 * are refused. */
#include "broker/core/codec.h"
#include "broker/core/schema.h"
#include "broker/core/schema_breaker.h"
#include "broker/core/schema_identity.h"

#include <criterion/criterion.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint8_t bytes[RECORD_BYTES_MAX];

static const struct slice key = {"some key", 8};

/* The checksum as docs/storage.md has it. */
static uint64_t sum_of(enum store_table table, const uint8_t *fields, size_t size)
{
    return XXH3_64bits_withSeed(fields, size, XXH3_64bits_withSeed(key.data, key.size, (uint64_t)table + 1));
}

static struct slice with_sum(enum store_table table, size_t size)
{
    put_be64(bytes + size, sum_of(table, bytes, size));
    return (struct slice){bytes, size + 8};
}

/* One kind of record: how to make one, and whether bytes are one. */
struct kind {
    const char *name;
    enum store_table table;
    size_t (*make)(void); /* into `bytes`; returns the size without the checksum */
    int (*read)(struct slice value);
};

#define KIND(name, ...)                                                                                      \
    static size_t make_##name(void)                                                                          \
    {                                                                                                        \
        static struct name##_record r = {__VA_ARGS__};                                                       \
        return name##_encode(bytes, key, &r) - 8;                                                            \
    }                                                                                                        \
    static int read_##name(struct slice value)                                                               \
    {                                                                                                        \
        static struct name##_record r;                                                                       \
        return name##_decode(key, value, &r);                                                                \
    }

KIND(meta, .index = 1, .audit_next = 1)
KIND(topic, .id = 1, .name = "topic")
KIND(group, .id = 1, .name = "group")
KIND(attempt, .rows = 1)
KIND(history, .error_type = {"E", 1}, .job = 7)
KIND(ended, .client = {"C", 1}, .job = 7, .outcome = REDRIVE_ACKED)
KIND(dead, .origin_seq = 1)
KIND(cause, .state = CAUSE_SEEN)
KIND(job, .id = 1, .kind = JOB_DROP, .ids_count = 1)
KIND(rule, .id = 1, .action = RULE_DISCARD)
KIND(audit, .request = 30, .client = {"ann", 3})
KIND(user, .name = "ann", .password = "v", .certificates_count = 1, .certificates = {"cn:a"},
     .roles_count = 1, .roles = {"r"}, .grants = {1, {{3, "a*"}}})
KIND(role, .name = "r", .grants = {1, {{3, "a*"}}})
KIND(token, .user = 1, .note = "n")

static size_t make_chunk(void)
{
    static const uint64_t words[CHUNK_BYTES / 8];
    return chunk_encode(bytes, key, words) - 8;
}

static int read_chunk(struct slice value)
{
    static uint64_t words[CHUNK_BYTES / 8];
    return chunk_decode(key, value, words);
}

enum {
    META,
    TOPIC,
    GROUP,
    ATTEMPT,
    HISTORY,
    ENDED,
    DEAD,
    JOB,
    CAUSE,
    AUDIT,
    RULE,
    USER,
    ROLE,
    TOKEN,
    CHUNK,
    KINDS
};

static const struct kind kinds[KINDS] = {
    [META] = {"meta", TABLE_META, make_meta, read_meta},
    [TOPIC] = {"topic", TABLE_TOPIC, make_topic, read_topic},
    [GROUP] = {"group", TABLE_GROUP, make_group, read_group},
    [ATTEMPT] = {"attempt", TABLE_ATTEMPT, make_attempt, read_attempt},
    [HISTORY] = {"history", TABLE_HISTORY, make_history, read_history},
    [ENDED] = {"ended", TABLE_HISTORY, make_ended, read_ended},
    [DEAD] = {"dead", TABLE_DEAD, make_dead, read_dead},
    [JOB] = {"job", TABLE_JOB, make_job, read_job},
    [CAUSE] = {"cause", TABLE_CAUSE, make_cause, read_cause},
    [AUDIT] = {"audit", TABLE_AUDIT, make_audit, read_audit},
    [RULE] = {"rule", TABLE_RULE, make_rule, read_rule},
    [USER] = {"user", TABLE_USER, make_user, read_user},
    [ROLE] = {"role", TABLE_ROLE, make_role, read_role},
    [TOKEN] = {"token", TABLE_TOKEN, make_token, read_token},
    [CHUNK] = {"chunk", TABLE_DONE, make_chunk, read_chunk},
};

Test(schema, a_record_a_byte_short_or_long_is_refused)
{
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        size_t size = k->make();
        cr_assert_eq(k->read((struct slice){bytes, size + 8}), 0, "%s", k->name);
        cr_assert_eq(k->read(with_sum(k->table, size)), 0, "%s: the checksum is as the page says", k->name);
        bytes[size] = 0;
        cr_assert_eq(k->read(with_sum(k->table, size + 1)), SHUNT_CORRUPT, "%s", k->name);
        for (size_t less = 0; less < size; less++) {
            k->make();
            size_t gone = size - less;
            bool older = (k == &kinds[GROUP] &&
                          (gone == 32 || gone == 40 || gone == 72 || gone == 81 || gone == 89)) ||
                         /* without outcomes, past, what is unattended, causes, dead_bytes */
                         (k == &kinds[HISTORY] && gone == 8) || (k == &kinds[ENDED] && gone == 9) ||
                         /* without the redrive that brought it back */
                         (k == &kinds[CAUSE] && gone == 16) || (k == &kinds[DEAD] && gone == 9) ||
                         (k == &kinds[JOB] &&
                          (gone == 167 || gone == 13)) || /* without phases, filter, outcomes; without `to` */
                         (k == &kinds[META] && (gone == 40 || gone == 44)); /* without acts */
            cr_assert_eq(k->read(with_sum(k->table, less)), older ? 0 : SHUNT_CORRUPT, "%s with %zu bytes",
                         k->name, less);
        }
        cr_assert_eq(k->read((struct slice){bytes, 7}), SHUNT_CORRUPT, "%s without a checksum", k->name);
    }
}

/* ---- contents that cannot be ---- */

struct wrong {
    int kind;
    size_t at;
    uint64_t value;
    size_t width; /* of the value */
    const char *what;
};

static const struct wrong wrongs[] = {
    {META, 116, 5, 8, "more acts than ever were"},
    {TOPIC, 8, 2, 1, "a bool of 2"},
    {TOPIC, 49, 1u << POLICY_COUNT, 4, "a setting that there is not"},
    {TOPIC, 53, TOPIC_BYTES_MAX + 1, 4, "a name longer than names are"},
    {TOPIC, 59, 0, 1, "a zero byte in a name"},
    {GROUP, 12, 2, 1, "a bool of 2"},
    {ATTEMPT, 0, ATTEMPT_DEAD + 1, 1, "a state that there is not"},
    {HISTORY, 4, ATTEMPT_OUTCOMES, 1, "an outcome that there is not"},
    {HISTORY, 5, 2, 1, "a bool of 2"},
    {HISTORY, 55, 0, 8, "a job of number 0, which is said by leaving it out"},
    {ENDED, 0, DONE_HOWS, 1, "an end that there is not"},
    {ENDED, 49, DEAD_REASONS, 1, "a reason that there is not"},
    {ENDED, 88, REDRIVE_OUTCOMES, 1, "what came of a redrive that there is not"},
    {DEAD, 12, DEAD_REASONS, 1, "a reason that there is not"},
    {CAUSE, 0, CAUSE_STATES, 1, "a state that there is not"},
    {CAUSE, 1, DEAD_REASONS, 1, "a reason that there is not"},
    {CAUSE, 58, CAUSE_SAMPLES_MAX + 1, 4, "more samples than there may be"},
    {CAUSE, 62, CAUSE_SHARES_MAX + 1, 4, "more builds than there may be"},
    {JOB, 8, JOB_CAUSES + 1, 1, "a kind of job that there is not"},
    {RULE, 8, 2, 1, "a bool of 2"},
    {RULE, 9, RULE_ACTIONS, 1, "an action that there is not"},
    {JOB, 70, IDS_MAX + 1, 4, "more ids than there may be"},
    {USER, 0, 2, 1, "a bool of 2"},
    {USER, 17, 0, 4, "no name"},
    {USER, 17, NAME_BYTES_MAX + 1, 4, "a name longer than names are"},
    {USER, 24, VERIFIER_BYTES_MAX + 1, 4, "a longer verifier than there may be"},
    {USER, 29, USER_CERTIFICATES_MAX + 1, 4, "more certificates than there may be"},
    {USER, 41, USER_ROLES_MAX + 1, 4, "more roles than there may be"},
    {USER, 50, GRANTS_MAX + 1, 4, "more grants than there may be"},
    {USER, 54, 0, 4, "a grant of no right"},
    {USER, 54, RIGHTS_ALL + 1, 4, "a right that there is not"},
    {ROLE, 21, GRANTS_MAX + 1, 4, "more grants than there may be"},
    {TOKEN, 56, TOKEN_NOTE_BYTES_MAX + 1, 4, "a longer note than there may be"},
};

static void put_number(uint8_t *to, uint64_t value, size_t width)
{
    for (size_t i = width; i-- > 0; value >>= 8)
        to[i] = (uint8_t)value;
}

Test(schema, contents_that_cannot_be_are_refused)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const struct wrong *w = &wrongs[i];
        const struct kind *k = &kinds[w->kind];
        memset(bytes, 0, sizeof bytes);
        size_t size = k->make();
        put_number(bytes + w->at, w->value, w->width);
        /* Long enough for what it claims, so that only the claim is wrong. */
        bool longer = w->width == 4;
        int err = k->read(with_sum(k->table, longer ? size + 8 * (size_t)w->value % 4096 : size));
        cr_assert_eq(err, SHUNT_CORRUPT, "%s: %s", k->name, w->what);
    }
}

/* ---- what only rules write ---- */

#define SAME_AGAIN(name, field, add, ...)                                                                    \
    do {                                                                                                     \
        static struct name##_record r, again;                                                                \
        r = (struct name##_record){__VA_ARGS__};                                                             \
        size_t bare = name##_encode(bytes, key, &r);                                                         \
        r.field = 7;                                                                                         \
        size_t size = name##_encode(bytes, key, &r);                                                         \
        cr_assert_eq(size, bare + (add), #name " grew by %zu", size - bare);                                 \
        cr_assert_eq(name##_decode(key, (struct slice){bytes, size}, &again), 0);                            \
        cr_assert_eq(again.field, 7);                                                                        \
        put_number(bytes + size - 8 - sizeof r.field, 0,                                                     \
                   sizeof r.field); /* that there is none, said twice */                                     \
        cr_assert_eq(name##_decode(key, with_sum_of_##name(size - 8), &again), SHUNT_CORRUPT);               \
    } while (0)

#define with_sum_of_attempt(size) with_sum(TABLE_ATTEMPT, size)
#define with_sum_of_ended(size)   with_sum(TABLE_HISTORY, size)

Test(schema, what_rules_note_takes_room_only_where_they_noted_it)
{
    static struct group_record g, back;
    struct dead_record d = {.origin_seq = 1}, dead;
    SAME_AGAIN(attempt, ruled, 4, .job = 3);
    SAME_AGAIN(attempt, ruled, 4, .rows = 1);
    SAME_AGAIN(ended, rule, 4, .died_ms = 1);
    size_t bare = group_encode(bytes, key, &g);
    g.counts.ruled[RULE_DISCARD] = 2;
    size_t size = group_encode(bytes, key, &g);
    cr_assert_eq(size, bare + 8 + 8 * RULE_ACTIONS);
    cr_assert_eq(group_decode(key, (struct slice){bytes, size}, &back), 0);
    cr_assert(back.counts.ruled[RULE_DISCARD] == 2 && back.ruled_waiting == 0);
    put_number(bytes + size - 8 - 8 * RULE_ACTIONS, 0, 8 * RULE_ACTIONS);
    cr_assert_eq(group_decode(key, with_sum(TABLE_GROUP, size - 8), &back), SHUNT_CORRUPT);
    bare = dead_encode(bytes, key, &d);
    d.rule = 5;
    d.due_ms = 9;
    size = dead_encode(bytes, key, &d);
    cr_assert_eq(size, bare + 16);
    cr_assert_eq(dead_decode(key, (struct slice){bytes, size}, &dead), 0);
    cr_assert(dead.rule == 5 && dead.due_ms == 9);
}

Test(schema, the_latest_outcomes_of_a_redrive_take_room_only_if_some_failed)
{
    static struct job_record r = {.id = 1, .kind = JOB_REDRIVE}, back;
    size_t bare = job_encode(bytes, key, &r);
    back.keep_deadline = back.stopped_recent = true;
    back.recent[3] = 4;
    cr_assert_eq(job_decode(key, (struct slice){bytes, bare}, &back), 0);
    cr_assert(!back.keep_deadline && !back.stopped_recent && !back.recent[3]);
    r.keep_deadline = true;
    cr_assert_eq(job_encode(bytes, key, &r), bare + 1);
    for (int keeps = 0; keeps < 2; keeps++) {
        r.keep_deadline = keeps;
        r.recent[RECENT_SLICES - 1] = RECENT_SLICE;
        size_t size = job_encode(bytes, key, &r);
        cr_assert_eq(size, bare + 2 + RECENT_SLICES);
        cr_assert_eq(job_decode(key, (struct slice){bytes, size}, &back), 0);
        cr_assert(back.keep_deadline == keeps && back.recent[RECENT_SLICES - 1] == RECENT_SLICE);
        bytes[size - 9] = RECENT_SLICE + 1;
        cr_assert_eq(job_decode(key, with_sum(TABLE_JOB, size - 8), &back), SHUNT_CORRUPT);
        bytes[size - 9] = 0; /* that none failed, said twice */
        cr_assert_eq(job_decode(key, with_sum(TABLE_JOB, size - 8), &back), SHUNT_CORRUPT);
    }
}

Test(schema, builds_of_a_cause_before_those_counted_take_room_only_if_there_are_any)
{
    static struct cause_record r, back;
    size_t bare = cause_encode(bytes, key, &r);
    back.past_builds_count = 3;
    cr_assert_eq(cause_decode(key, (struct slice){bytes, bare}, &back), 0);
    cr_assert_eq(back.past_builds_count, 0);
    r.past_builds_count = CAUSE_PAST_BUILDS_MAX;
    r.past_builds[CAUSE_PAST_BUILDS_MAX - 1] = 7;
    size_t size = cause_encode(bytes, key, &r);
    cr_assert_eq(size, bare + 4 + 8 * CAUSE_PAST_BUILDS_MAX);
    cr_assert_eq(cause_decode(key, (struct slice){bytes, size}, &back), 0);
    cr_assert(back.past_builds_count == CAUSE_PAST_BUILDS_MAX &&
              back.past_builds[CAUSE_PAST_BUILDS_MAX - 1] == 7);
    for (const uint32_t *count = (const uint32_t[]){0, CAUSE_PAST_BUILDS_MAX + 1, 77}; *count != 77;
         count++) {
        put_number(bytes + bare - 8, *count, 4);
        cr_assert_eq(cause_decode(key, with_sum(TABLE_CAUSE, bare - 8 + 4 + 8 * *count), &back),
                     SHUNT_CORRUPT, "%u", *count);
    }
}

/* ---- messages ---- */

static int read_message(size_t size)
{
    struct message_head head;
    struct slice message;
    put_be64(bytes, sum_of(TABLE_MESSAGE, bytes + 8, size - 8));
    return message_decode(key, (struct slice){bytes, size}, true, &head, &message);
}

Test(schema, a_message_too_short_for_its_head_or_with_unknown_flags_is_refused)
{
    const struct message_head head = {.published_ms = 1, .due_ms = 2, .expires_ms = 3};
    struct message_head got;
    struct slice message;
    message_encode(bytes, key, &head, (struct slice){"", 0});
    cr_assert_eq(message_head_bytes(&head), 32);
    cr_assert_eq(message_decode(key, (struct slice){bytes, 32}, true, &got, &message), 0);
    cr_assert(got.due_ms == 2 && got.expires_ms == 3 && message.size == 0);
    cr_assert_eq(read_message(31), SHUNT_CORRUPT);
    cr_assert_eq(message_decode(key, (struct slice){bytes, 15}, false, &got, &message), SHUNT_CORRUPT);
    bytes[8] = 8;
    cr_assert_eq(read_message(32), SHUNT_CORRUPT);
    bytes[8] = 4; /* a deadline, but nothing that expires */
    cr_assert_eq(read_message(32), SHUNT_CORRUPT);
    bytes[8] = 1; /* scheduled, and no more */
    cr_assert_eq(read_message(24), 0);
    cr_assert_eq(read_message(23), SHUNT_CORRUPT);
}

Test(schema, a_message_with_a_deadline_has_both_of_its_ends)
{
    const struct message_head head = {
        .published_ms = 1, .due_ms = 2, .expires_ms = 3, .deadline_ms = 3, .ttl_ends_ms = 9};
    struct message_head got;
    struct slice message;
    message_encode(bytes, key, &head, (struct slice){"m", 1});
    cr_assert_eq(message_head_bytes(&head), 48);
    cr_assert_eq(message_decode(key, (struct slice){bytes, 49}, true, &got, &message), 0);
    cr_assert(got.expires_ms == 3 && got.deadline_ms == 3 && got.ttl_ends_ms == 9 && slice_is(message, "m"));
    cr_assert_eq(message_ttl_ms(&got), 7, "its time to live is that which it would have without one");
    cr_assert_eq(read_message(47), SHUNT_CORRUPT);
}

Test(schema, a_row_of_a_message_with_a_deadline_is_longer_and_others_are_as_they_were)
{
    struct attempt_record bare = {.rows = 1}, r = {.rows = 1, .deadline_ms = 5, .ttl_ends_ms = 7, .edit = 3},
                          got;
    size_t size = attempt_encode(bytes, key, &bare);
    cr_assert_eq(attempt_encode(bytes, key, &r), size + 16 + 8);
    cr_assert_eq(attempt_decode(key, (struct slice){bytes, size + 24}, &got), 0);
    cr_assert(got.deadline_ms == 5 && got.ttl_ends_ms == 7 && got.edit == 3 && got.state == ATTEMPT_WAITING);
    bytes[0] = 0; /* it says that there is none */
    cr_assert_eq(attempt_decode(key, with_sum(TABLE_ATTEMPT, size + 16), &got), SHUNT_CORRUPT);
}

Test(schema, counts_that_few_groups_have_stand_in_a_groups_row_only_where_there_are_any)
{
    static struct group_record r = {.id = 1, .name = "g", .paused = true, .indexed = 4}, got;
    size_t bare = group_encode(bytes, key, &r), size;
    cr_assert(group_decode(key, (struct slice){bytes, bare}, &got) == 0 && got.paused && got.indexed == 4);
    for (unsigned which = 1; which < 16; which++) {
        r.counts.attempts[ATTEMPT_DEADLINE_EXCEEDED] = which & 1 ? 7 : 0;
        r.counts.dead_lettered[DEAD_DEADLINE_EXCEEDED] = which & 2 ? 8 : 0;
        r.counts.attempts[ATTEMPT_OUTAGE] = which & 4 ? 9 : 0;
        r.counts.attempts[ATTEMPT_RECALLED] = which & 8 ? 10 : 0;
        size = group_encode(bytes, key, &r);
        cr_assert_eq(size, bare + 1 + 9 * (size_t)__builtin_popcount(which));
        cr_assert_eq(group_decode(key, (struct slice){bytes, size}, &got), 0);
        cr_assert(got.counts.attempts[ATTEMPT_DEADLINE_EXCEEDED] == (which & 1 ? 7 : 0) &&
                  got.counts.dead_lettered[DEAD_DEADLINE_EXCEEDED] == (which & 2 ? 8 : 0) &&
                  got.counts.attempts[ATTEMPT_OUTAGE] == (which & 4 ? 9 : 0) &&
                  got.counts.attempts[ATTEMPT_RECALLED] == (which & 8 ? 10 : 0) && got.paused &&
                  got.indexed == 4);
    }
    /* Behind it `indexed` and `parked`: two numbers that come in another order, or one that says nothing. */
    size_t at = size - 8 - 16 - 36;
    bytes[at] = 2, bytes[at + 9] = 1;
    cr_assert_eq(group_decode(key, with_sum(TABLE_GROUP, size - 8), &got), SHUNT_CORRUPT);
    bytes[at] = 1, bytes[at + 9] = 2, bytes[at + 8] = 0;
    cr_assert_eq(group_decode(key, with_sum(TABLE_GROUP, size - 8), &got), SHUNT_CORRUPT);
}

Test(schema, numbers_of_a_group_that_came_later_stand_up_to_the_last_that_is_not_0)
{
    static struct group_record r = {.id = 1, .name = "g"}, got;
    size_t bare = group_encode(bytes, key, &r);
    r.blocking = 3;
    size_t size = group_encode(bytes, key, &r);
    cr_assert_eq(size, bare + 8 * (1 + RULE_ACTIONS) + 16 + 8, "what stands before them is there, too");
    got.followed = 9;
    cr_assert_eq(group_decode(key, (struct slice){bytes, size}, &got), 0);
    cr_assert(got.blocking == 3 && !got.blocked && !got.followed && !got.indexed);
    r.followed = 5;
    size = group_encode(bytes, key, &r);
    cr_assert_eq(size, bare + 8 * (1 + RULE_ACTIONS) + 16 + 24);
    cr_assert_eq(group_decode(key, (struct slice){bytes, size}, &got), 0);
    cr_assert(got.blocking == 3 && !got.blocked && got.followed == 5);
    for (size_t more = 1; more < 8; more++)
        cr_assert_eq(group_decode(key, with_sum(TABLE_GROUP, size - 8 + more), &got), SHUNT_CORRUPT);
    size = group_encode(bytes, key, &r);
    put_number(bytes + size - 16, 0, 8); /* the last one says nothing */
    cr_assert_eq(group_decode(key, with_sum(TABLE_GROUP, size - 8), &got), SHUNT_CORRUPT);
    r = (struct group_record){.id = 1, .name = "g", .indexed = 4};
    cr_assert_eq(group_encode(bytes, key, &r), bare + 16, "the others are as they were");
}

Test(schema, a_breaker_holds_what_its_state_can_have_and_no_more)
{
    static struct breaker_record r = {.state = BREAKER_CLOSED,
                                      .since_ms = 3,
                                      .well_ms = 2,
                                      .trips = 5,
                                      .count = BREAKER_WINDOW_MAX,
                                      .entries = {{7, 9}, {8, 0}}},
                                 got;
    const size_t head = 1 + 3 * 8 + 2 * 4 + 8 + 4;
    size_t size = breaker_encode(bytes, key, &r);
    cr_assert_eq(size, head + 16 * BREAKER_WINDOW_MAX + 8);
    cr_assert_eq(breaker_decode(key, (struct slice){bytes, size}, &got), 0);
    cr_assert(got.count == BREAKER_WINDOW_MAX && got.trips == 5 && got.entries[0].key == 9 &&
              got.since_ms == 3);
    bytes[0] = BREAKER_RAMP; /* where nothing has failed: an ack, and a key */
    cr_assert_eq(breaker_decode(key, with_sum(TABLE_BREAKER, size - 8), &got), SHUNT_CORRUPT);
    bytes[0] = BREAKER_STATES;
    cr_assert_eq(breaker_decode(key, with_sum(TABLE_BREAKER, size - 8), &got), SHUNT_CORRUPT);
    r = (struct breaker_record){.state = BREAKER_RAMP, .limit = BREAKER_WINDOW_MAX};
    size = breaker_encode(bytes, key, &r);
    bytes[1 + 3 * 8 + 4 + 3]++; /* one more than may be out */
    cr_assert_eq(breaker_decode(key, with_sum(TABLE_BREAKER, size - 8), &got), SHUNT_CORRUPT);
    r = (struct breaker_record){.state = BREAKER_CLOSED, .count = 1};
    size = breaker_encode(bytes, key, &r);
    cr_assert_eq(breaker_decode(key, (struct slice){bytes, size}, &got), 0);
    bytes[size - 8 - 1] = 4;
    cr_assert_eq(breaker_decode(key, with_sum(TABLE_BREAKER, size - 8), &got), SHUNT_CORRUPT,
                 "an ack has no key");
}
