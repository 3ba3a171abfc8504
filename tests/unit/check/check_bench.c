/* check_bench: making and damaging the store. */
#include "tests/unit/check/check_bench.h"

#include "broker/check.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void bench_init(struct fixture *f)
{
    fixture_init(f);
    f->careless = f->quiet = true;
    topic_create_groups(f, "orders", "default audit");
    group_update(f, "orders", "default", settings(POLICY_breaker, BREAKER_OFF, -1));
    publish(f, "orders", 10);
    assign(f, "orders", "default", 7);
    ack(f, "orders", "default", 1);
    nack(f, "orders", "default", 2, 5000);
    nack(f, "orders", "default", 3, 0);
    fail(f, "orders", "default", 4, ATTEMPT_REJECTED);
    fail(f, "orders", "default", 5, ATTEMPT_SUSPECTED);
    nack(f, "orders", "default", 7, 9000);
    assign(f, "orders", "default", 1);
    fixture_at(f, 10);
    publish_timed(f, "orders", 0, 60000);
}

void bench_done(struct fixture *f)
{
    mpack_buffer_done(&f->last_body);
    mpack_buffer_done(&f->last_dead);
    ledger_free(f->l);
    store_close(f->store);
    free(f->trace);
}

char *bench_check(struct fixture *f, uint64_t *ret_problems)
{
    char *text = NULL;
    size_t size = 0;
    FILE *report = open_memstream(&text, &size);
    cr_assert_not_null(report);
    uint64_t before = state_hash(f->store);
    cr_assert_eq(check_store(f->store, report, ret_problems), 0);
    cr_assert_eq(state_hash(f->store), before, "looking changes nothing");
    cr_assert_eq(fclose(report), 0);
    return text;
}

/* Which number the cause of message 4 has is not this test's business. */
static void hide_fingerprint(char *report, uint64_t fingerprint)
{
    char digits[17];
    (void)snprintf(digits, sizeof digits, "%016" PRIx64, fingerprint);
    for (char *at = report; (at = strstr(at, digits));)
        memset(at, 'f', 16);
}

void bench_expect_damage(struct fixture *f, const struct damage *d)
{
    uint64_t problems = 0, lines = 0;
    bench_init(f);
    uint64_t cause = cause_of(f, "orders", "default", 0);
    d->plant();
    char *report = bench_check(f, &problems);
    hide_fingerprint(report, cause);
    const char *last = strstr(report, "damaged: ");
    cr_assert_not_null(last, "%s was not found\n%s", d->name, report);
    for (const char *p = report; p < last; p++)
        lines += *p == '\n';
    cr_assert(strlen(d->report) == (size_t)(last - report) &&
                  memcmp(d->report, report, strlen(d->report)) == 0,
              "%s is reported as\n%snot as\n%s", d->name, report, d->report);
    cr_assert_eq(lines, problems);
    free(report);
    bench_done(f);
}

/* ---- rows ---- */

static struct store_txn *begin(struct fixture *f)
{
    struct store_txn *t;
    cr_assert_eq(store_begin(f->store, true, &t), 0);
    return t;
}

void plant(struct fixture *f, enum store_table table, struct key key, const void *value, size_t size)
{
    struct store_txn *t = begin(f);
    cr_assert_eq(store_put(t, table, key_slice(&key), (struct slice){value, size}), 0);
    cr_assert_eq(store_commit(t), 0);
}

void plant_empty(struct fixture *f, enum store_table table, struct key key)
{
    plant(f, table, key, "", 0);
}

void uproot(struct fixture *f, enum store_table table, struct key key)
{
    struct store_txn *t = begin(f);
    cr_assert_eq(store_del(t, table, key_slice(&key), NULL), 0, "there is no such row");
    cr_assert_eq(store_commit(t), 0);
}

/* A copy of a value, at most RECORD_BYTES_MAX. */
static struct slice value_at(struct fixture *f, enum store_table table, struct key key)
{
    static uint8_t copy[RECORD_BYTES_MAX];
    struct store_txn *t = begin(f);
    struct slice value;
    cr_assert_eq(store_get(t, table, key_slice(&key), &value), 0, "there is no such row");
    memcpy(copy, value.data, value.size);
    store_abort(t);
    return (struct slice){copy, value.size};
}

void flip(struct fixture *f, enum store_table table, struct key key)
{
    uint8_t copy[RECORD_BYTES_MAX];
    struct slice value = value_at(f, table, key);
    memcpy(copy, value.data, value.size);
    copy[value.size - 1] ^= 4;
    plant(f, table, key, copy, value.size);
}

/* ---- records ---- */

static uint8_t scratch[RECORD_BYTES_MAX];

struct topic_record topic_at(struct fixture *f, uint32_t id)
{
    struct topic_record r = {0};
    struct key key = key_id(id);
    cr_assert_eq(topic_decode(key_slice(&key), value_at(f, TABLE_TOPIC, key), &r), 0);
    return r;
}

struct group_record group_at(struct fixture *f, uint32_t id)
{
    struct group_record r = {0};
    struct key key = key_id(id);
    cr_assert_eq(group_decode(key_slice(&key), value_at(f, TABLE_GROUP, key), &r), 0);
    return r;
}

struct attempt_record attempt_at(struct fixture *f, uint32_t group, uint64_t seq)
{
    struct attempt_record r = {0};
    struct key key = key_id_seq(group, seq);
    cr_assert_eq(attempt_decode(key_slice(&key), value_at(f, TABLE_ATTEMPT, key), &r), 0);
    return r;
}

void plant_topic(struct fixture *f, uint32_t id, const struct topic_record *r)
{
    struct key key = key_id(id);
    plant(f, TABLE_TOPIC, key, scratch, topic_encode(scratch, key_slice(&key), r));
}

void plant_group(struct fixture *f, uint32_t id, const struct group_record *r)
{
    struct key key = key_id(id);
    plant(f, TABLE_GROUP, key, scratch, group_encode(scratch, key_slice(&key), r));
}

void plant_attempt(struct fixture *f, uint32_t group, uint64_t seq, const struct attempt_record *r)
{
    struct key key = key_id_seq(group, seq);
    plant(f, TABLE_ATTEMPT, key, scratch, attempt_encode(scratch, key_slice(&key), r));
}

void plant_dead(struct fixture *f, uint32_t dlq, uint64_t seq, struct dead_record r)
{
    struct key key = key_id_seq(dlq, seq);
    plant(f, TABLE_DEAD, key, scratch, dead_encode(scratch, key_slice(&key), &r));
}

void plant_history(struct fixture *f, uint32_t group, uint64_t seq, uint32_t row)
{
    struct history_record r = {0};
    struct key key = key_history(group, seq, row);
    plant(f, TABLE_HISTORY, key, scratch, history_encode(scratch, key_slice(&key), &r));
}

void plant_bit(struct fixture *f, uint32_t group, uint64_t seq, bool set)
{
    uint64_t words[CHUNK_BYTES / 8] = {0};
    struct key key = key_id_seq(group, seq / CHUNK_BITS);
    struct store_txn *t = begin(f);
    struct slice value;
    if (store_get(t, TABLE_DONE, key_slice(&key), &value) == 0)
        cr_assert_eq(chunk_decode(key_slice(&key), value, words), 0);
    store_abort(t);
    uint64_t bit = 1ull << (seq % 64), *word = &words[seq % CHUNK_BITS / 64];
    *word = set ? *word | bit : *word & ~bit;
    plant(f, TABLE_DONE, key, scratch, chunk_encode(scratch, key_slice(&key), words));
}

void plant_message(struct fixture *f, uint32_t topic, uint64_t seq)
{
    struct message_head head = {.published_ms = T0};
    struct key key = key_id_seq(topic, seq);
    message_encode(scratch, key_slice(&key), &head, text("\x91\xc4\x01m"));
    plant(f, TABLE_MESSAGE, key, scratch, message_head_bytes(&head) + 4);
}
