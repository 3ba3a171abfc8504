/* Records with checksums that are right and contents that are impossible, as docs/storage.md lays them out: all
 * are refused. */
#include "broker/core/codec.h"
#include "broker/core/schema.h"

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

KIND(meta, .index = 1)
KIND(topic, .id = 1, .name = "topic")
KIND(group, .id = 1, .name = "group")
KIND(attempt, .rows = 1)
KIND(history, .error_type = {"E", 1})
KIND(dead, .origin_seq = 1)
KIND(cause, .state = CAUSE_SEEN)
KIND(job, .id = 1, .kind = JOB_DROP, .ids_count = 1)

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

enum { META, TOPIC, GROUP, ATTEMPT, HISTORY, DEAD, JOB, CAUSE, CHUNK, KINDS };

static const struct kind kinds[KINDS] = {
    [META] = {"meta", TABLE_META, make_meta, read_meta},
    [TOPIC] = {"topic", TABLE_TOPIC, make_topic, read_topic},
    [GROUP] = {"group", TABLE_GROUP, make_group, read_group},
    [ATTEMPT] = {"attempt", TABLE_ATTEMPT, make_attempt, read_attempt},
    [HISTORY] = {"history", TABLE_HISTORY, make_history, read_history},
    [DEAD] = {"dead", TABLE_DEAD, make_dead, read_dead},
    [JOB] = {"job", TABLE_JOB, make_job, read_job},
    [CAUSE] = {"cause", TABLE_CAUSE, make_cause, read_cause},
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
            bool older = (k == &kinds[GROUP] &&
                          (less == size - 9 || less == size - 17)) || /* without marks, dead_bytes */
                         (k == &kinds[DEAD] && less == size - 9);
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
    {TOPIC, 8, 2, 1, "a bool of 2"},
    {TOPIC, 49, 1u << POLICY_COUNT, 4, "a setting that there is not"},
    {TOPIC, 53, TOPIC_BYTES_MAX + 1, 4, "a name longer than names are"},
    {TOPIC, 59, 0, 1, "a zero byte in a name"},
    {GROUP, 12, 2, 1, "a bool of 2"},
    {ATTEMPT, 0, ATTEMPT_DEAD + 1, 1, "a state that there is not"},
    {HISTORY, 4, ATTEMPT_OUTCOMES, 1, "an outcome that there is not"},
    {HISTORY, 5, 2, 1, "a bool of 2"},
    {DEAD, 12, DEAD_REASONS, 1, "a reason that there is not"},
    {CAUSE, 0, CAUSE_STATES, 1, "a state that there is not"},
    {CAUSE, 1, DEAD_REASONS, 1, "a reason that there is not"},
    {CAUSE, 58, CAUSE_SAMPLES_MAX + 1, 4, "more samples than there may be"},
    {CAUSE, 62, CAUSE_SHARES_MAX + 1, 4, "more builds than there may be"},
    {JOB, 8, JOB_CAUSES + 1, 1, "a kind of job that there is not"},
    {JOB, 70, IDS_MAX + 1, 4, "more ids than there may be"},
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
    bytes[8] = 4;
    cr_assert_eq(read_message(32), SHUNT_CORRUPT);
    bytes[8] = 1; /* scheduled, and no more */
    cr_assert_eq(read_message(24), 0);
    cr_assert_eq(read_message(23), SHUNT_CORRUPT);
}
