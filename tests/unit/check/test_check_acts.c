/* check_acts: damage to the audit log is found and named. */
#include "tests/unit/check/check_bench.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct fixture f;

/* Three acts, of which none changes anything else: rows 1 to 3. */
static void act(void)
{
    static const struct actor somebody = {.client = {"ann", 3}};
    f.by = &somebody;
    for (int i = 0; i < 3; i++)
        dlq_purge(&f, "orders", "audit", 1);
}
static void plant_act(uint64_t id, int64_t time_ms)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    const struct audit_record r = {.time_ms = time_ms, .client = {"ann", 3}};
    struct key key = key_audit(id);
    plant(&f, TABLE_AUDIT, key, bytes, audit_encode(bytes, key_slice(&key), &r));
}
DAMAGE(act_byte)
{
    act();
    flip(&f, TABLE_AUDIT, key_audit(2));
}
DAMAGE(act_lost)
{
    act();
    uproot(&f, TABLE_AUDIT, key_audit(2));
}
DAMAGE(newest_act_lost)
{
    act();
    uproot(&f, TABLE_AUDIT, key_audit(3));
}
DAMAGE(act_too_many)
{
    act();
    plant_act(4, T0 + 20);
}
DAMAGE(act_longer)
{
    act();
    plant_act(3, T0 + 20);
}
DAMAGE(act_out_of_time)
{
    act();
    plant_act(2, T0 + 20);
    plant_act(1, T0 + 20);
}
DAMAGE(act_with_a_long_key)
{
    plant_empty(&f, TABLE_AUDIT, key_id_seq(1, 1));
}

static const struct damage damages[] = {
    CASE(act_byte, "checksum: audit 2\n"),
    CASE(act_lost, "missing: audit: row 3 comes where 2 should be\n"
                   "counter: audit: 3 rows are counted, 2 are there\n"),
    CASE(newest_act_lost, "missing: audit: the newest row is 2, the next one will be 4\n"
                          "counter: audit: 3 rows are counted, 2 are there\n"),
    CASE(act_too_many, "missing: audit: the newest row is 4, the next one will be 4\n"
                       "counter: audit: 3 rows are counted, 4 are there\n"),
    CASE(act_longer, "counter: audit: 258 bytes are counted, 247 are there\n"),
    CASE(act_out_of_time, "state: audit 3: it is of an earlier time than the row before it\n"
                          "counter: audit: 258 bytes are counted, 236 are there\n"),
    CASE(act_with_a_long_key, "orphan: audit: a row with a key of 12 bytes\n"),
};

ParameterizedTestParameters(check_acts, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_acts, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}
