/* Names of topics, groups, dead-letter queues and messages. */
#include "proto/errors.h"
#include "proto/names.h"
#include "tests/unit/base/bytes.h"
#include <criterion/criterion.h>

#define TEN     "abcdefghij"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    struct slice name;
    int as_own;   /* name_check() */
    int as_topic; /* name_check_topic() */
} rows[] = {
    {BYTES("orders"), SHUNT_OK, SHUNT_OK},
    {BYTES("a"), SHUNT_OK, SHUNT_OK},
    {BYTES("A-Z_0.9"), SHUNT_OK, SHUNT_OK},
    {BYTES("-"), SHUNT_OK, SHUNT_OK},
    {BYTES("a."), SHUNT_OK, SHUNT_OK},
    {BYTES(HUNDRED), SHUNT_OK, SHUNT_OK},
    {BYTES(HUNDRED "k"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES(""), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("."), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES(".."), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES(".hidden"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a b"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a/b"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a\0b"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a\n"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("\xc3\xa9"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a@"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a["), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a`"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES("a{"), SHUNT_BAD_NAME, SHUNT_BAD_NAME},
    {BYTES(":"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("a:b"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:orders:default"), SHUNT_RESERVED, SHUNT_OK},
    {BYTES("dlq:a:b"), SHUNT_RESERVED, SHUNT_OK},
    {BYTES("dlq:" HUNDRED ":" HUNDRED), SHUNT_RESERVED, SHUNT_OK},
    {BYTES("dlq:" HUNDRED "k:" HUNDRED), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:a:" HUNDRED "k"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:a"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:a:"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq::b"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:a:b:c"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:dlq:a:b:c"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("DLQ:a:b"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq:.a:b"), SHUNT_RESERVED, SHUNT_RESERVED},
    {BYTES("dlq"), SHUNT_OK, SHUNT_OK},
};

Test(names, are_accepted_and_refused_by_the_table)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t *copy = bytes_copy(rows[i].name.data, rows[i].name.size);
        struct slice name = {copy, rows[i].name.size};
        const char *why = NULL;
        cr_expect_eq(name_check(name, &why), rows[i].as_own, "row %zu", i);
        cr_expect_eq(!why, rows[i].as_own == SHUNT_OK, "row %zu says why", i);
        why = NULL;
        cr_expect_eq(name_check_topic(name, &why), rows[i].as_topic, "row %zu as topic", i);
        cr_expect_eq(!why, rows[i].as_topic == SHUNT_OK, "row %zu says why", i);
        free(copy);
    }
}

Test(names, of_dead_letter_queues_fall_into_topic_and_group)
{
    struct slice topic, group, name = BYTES("dlq:orders:eu-west.1");
    cr_assert(name_is_dlq(name, &topic, &group));
    cr_expect(slice_is(topic, "orders"));
    cr_expect(slice_is(group, "eu-west.1"));
    char back[TOPIC_BYTES_MAX + 1];
    cr_expect_eq(name_dlq(back, topic, group), name.size);
    cr_expect_str_eq(back, "dlq:orders:eu-west.1");
    struct slice longest = BYTES(HUNDRED);
    cr_expect_eq(name_dlq(back, longest, longest), TOPIC_BYTES_MAX);
    cr_expect(name_is_dlq((struct slice){back, TOPIC_BYTES_MAX}, &topic, &group));
    cr_expect(!name_is_dlq((struct slice)BYTES("orders"), &topic, &group));
}

Test(names, of_messages_hold_a_topic_and_a_number)
{
    static const struct {
        struct slice id;
        size_t topic_size;
        uint64_t seq; /* 0: refused */
    } ids[] = {
        {BYTES("orders/1042"), 6, 1042},
        {BYTES("dlq:orders:default/7"), 18, 7},
        {BYTES("o/18446744073709551615"), 1, UINT64_MAX},
        {BYTES("o/18446744073709551616"), 0, 0},
        {BYTES("o/99999999999999999999"), 0, 0},
        {BYTES("o/184467440737095516150"), 0, 0},
        {BYTES("o/0"), 0, 0},
        {BYTES("o/01"), 0, 0},
        {BYTES("o/"), 0, 0},
        {BYTES("/1"), 0, 0},
        {BYTES("o"), 0, 0},
        {BYTES("1042"), 0, 0},
        {BYTES(""), 0, 0},
        {BYTES("o/-1"), 0, 0},
        {BYTES("o/+1"), 0, 0},
        {BYTES("o/ 1"), 0, 0},
        {BYTES("o/1 "), 0, 0},
        {BYTES("o/1/2"), 0, 0},
        {BYTES("o/1\0"), 0, 0},
        {BYTES("o/0x1"), 0, 0},
        {BYTES(".o/1"), 0, 0},
        {BYTES("a:b/1"), 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        uint8_t *copy = bytes_copy(ids[i].id.data, ids[i].id.size);
        struct slice topic = {NULL, 0};
        uint64_t seq = 0;
        bool ok = name_parse_id((struct slice){copy, ids[i].id.size}, &topic, &seq);
        cr_expect_eq(ok, ids[i].seq != 0, "row %zu", i);
        cr_expect_eq(seq, ids[i].seq, "row %zu", i);
        cr_expect_eq(topic.size, ids[i].topic_size, "row %zu", i);
        free(copy);
    }
}
