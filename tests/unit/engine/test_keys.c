/* What is known of the keys of topics and groups: what counts, what is forgotten, and the bound of memory. */
#include "broker/engine/keys.h"
#include "proto/mpack.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define LIMITS                                                                                               \
    {                                                                                                        \
        .counters = 8, .half_life_ms = 60000, .memory_max = 1 << 20                                          \
    }

static struct slice message(struct mpack_buffer *b, const char *key, int64_t delay_ms)
{
    size_t from = b->size;
    mpack_write_array(b, 4);
    mpack_write_bin(b, "body", 4);
    mpack_write_nil(b);
    if (key)
        mpack_write_bin(b, key, strlen(key));
    else
        mpack_write_nil(b);
    mpack_write_int(b, delay_ms);
    return (struct slice){b->data + from, b->size - from};
}

static uint32_t top(struct key_watch *w, enum key_measure measure, struct key_weight ret[4], int64_t mono_ms)
{
    return w ? key_sketch_top(&w->sketch[measure], mono_ms, 4, ret) : 0;
}

static struct keys keys;
static struct mpack_buffer buffer;

static void begin(void)
{
    keys_init(&keys, &(struct keys_limits)LIMITS);
}
static void end(void)
{
    keys_done(&keys);
    cr_assert_eq(keys.bytes, 0, "all memory is accounted for");
    cr_assert_eq(keys.watches, 0);
    mpack_buffer_done(&buffer);
}
TestSuite(keys, .init = begin, .fini = end);

Test(keys, of_a_publish_those_with_a_key_count_as_far_as_they_were_stored)
{
    struct key_weight w[4];
    (void)message(&buffer, "a", 0);
    (void)message(&buffer, NULL, 0);
    (void)message(&buffer, "b", 0);
    (void)message(&buffer, "a", 0);
    (void)message(&buffer, "refused", 0);
    keys_published(&keys, slice_of("orders"), (struct slice){buffer.data, buffer.size}, 4, 1000);
    cr_assert_eq(top(keys_of_topic(&keys, slice_of("orders")), KEY_RATE, w, 1000), 2);
    cr_assert(slice_is(w[0].key, "a"));
    cr_assert(slice_is(w[1].key, "b"));
    cr_assert_float_eq(w[0].per_second, 2 * w[1].per_second, 1e-9);
    cr_assert_null(keys_of_topic(&keys, slice_of("other")));
}

Test(keys, waiting_is_from_the_end_of_the_delay_to_the_first_hand_out)
{
    struct key_weight w[4];
    keys_handed_out(&keys, 7, 1, message(&buffer, "late", 0), 6000, 1000);
    keys_handed_out(&keys, 7, 2, message(&buffer, "delayed", 5000), 6000, 1000);
    keys_handed_out(&keys, 7, 3, message(&buffer, "again", 0), -1, 1000);
    cr_assert_eq(top(keys_of_group(&keys, 7), KEY_WAITING, w, 1000), 2);
    cr_assert(slice_is(w[0].key, "late"));
    cr_assert_float_eq(w[0].per_second, 6 * w[1].per_second, 1e-9);
}

Test(keys, time_in_flight_and_failures_count_at_the_end_of_a_lease_once)
{
    struct key_weight w[4];
    keys_handed_out(&keys, 7, 1, message(&buffer, "slow", 0), 0, 1000);
    keys_handed_out(&keys, 7, 2, message(&buffer, "bad", 0), 0, 1000);
    cr_assert_eq(top(keys_of_group(&keys, 7), KEY_IN_FLIGHT, w, 1000), 0);
    keys_ended(&keys, 7, 1, 9000, false, 1000);
    keys_ended(&keys, 7, 2, 3000, true, 1000);
    keys_ended(&keys, 7, 2, 3000, true, 1000); /* nobody holds it any more */
    keys_ended(&keys, 8, 1, 3000, true, 1000); /* of another group */
    cr_assert_eq(keys.out, 0);
    cr_assert_eq(top(keys_of_group(&keys, 7), KEY_IN_FLIGHT, w, 1000), 2);
    cr_assert(slice_is(w[0].key, "slow"));
    cr_assert_float_eq(w[0].per_second, 3 * w[1].per_second, 1e-9);
    cr_assert_eq(top(keys_of_group(&keys, 7), KEY_FAILURES, w, 1000), 1);
    cr_assert(slice_is(w[0].key, "bad"));
    cr_assert_null(keys_of_group(&keys, 8));
}

Test(keys, what_is_taken_away_or_deleted_is_forgotten)
{
    (void)message(&buffer, "a", 0);
    struct slice m = {buffer.data, buffer.size};
    keys_published(&keys, slice_of("orders"), m, 1, 0);
    keys_handed_out(&keys, 7, 1, m, 0, 0);
    keys_handed_out(&keys, 7, 2, m, 0, 0);
    keys_handed_out(&keys, 8, 1, m, 0, 0);
    keys_forget(&keys, 7, 1);
    cr_assert_eq(keys.out, 2);
    keys_forget_group(&keys, 7);
    cr_assert_eq(keys.out, 1);
    cr_assert_null(keys_of_group(&keys, 7));
    keys_forget_topic(&keys, slice_of("orders"));
    cr_assert_null(keys_of_topic(&keys, slice_of("orders")));
    cr_assert_not_null(keys_of_group(&keys, 8));
}

Test(keys, above_the_bound_of_memory_the_idlest_makes_place)
{
    char topic[32];
    (void)message(&buffer, "a", 0);
    struct slice m = {buffer.data, buffer.size};
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i);
        keys_published(&keys, slice_of(topic), m, 1, i);
        keys_published(&keys, slice_of("t0"), m, 1, i); /* this one is never idle */
        cr_assert_leq(keys.bytes, keys.limits.memory_max);
    }
    cr_assert_gt(keys.watches, 10);
    cr_assert_lt(keys.watches, 3000);
    cr_assert_not_null(keys_of_topic(&keys, slice_of("t0")));
    cr_assert_not_null(keys_of_topic(&keys, slice_of("t2999")));
    cr_assert_null(keys_of_topic(&keys, slice_of("t1")));
}

Test(keys, however_many_topics_are_watched_messages_in_flight_are_remembered)
{
    char topic[32];
    (void)message(&buffer, "a", 0);
    struct slice m = {buffer.data, buffer.size};
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i);
        keys_published(&keys, slice_of(topic), m, 1, 0);
    }
    for (uint64_t seq = 1; seq <= 100; seq++)
        keys_handed_out(&keys, 7, seq, m, 0, 0);
    cr_assert_eq(keys.out, 100);
    cr_assert_leq(keys.bytes, keys.limits.memory_max);
}

Test(keys, with_much_memory_the_number_of_topics_is_bounded)
{
    const struct keys_limits much = {.counters = 8, .half_life_ms = 60000, .memory_max = 1 << 30};
    char topic[32];
    (void)message(&buffer, "a", 0);
    keys_limit(&keys, &much);
    for (uint32_t i = 0; i <= KEY_WATCHES_MAX; i++) {
        (void)snprintf(topic, sizeof topic, "t%u", i);
        keys_published(&keys, slice_of(topic), (struct slice){buffer.data, buffer.size}, 1, 0);
        cr_assert_eq(keys.watches, i < KEY_WATCHES_MAX ? i + 1 : KEY_WATCHES_MAX);
    }
    cr_assert_null(keys_of_topic(&keys, slice_of("t0")));
    cr_assert_not_null(keys_of_topic(&keys, slice_of("t1")));
}

Test(keys, messages_in_flight_are_remembered_within_half_of_the_memory)
{
    struct slice m = message(&buffer, "a-key-of-some-length-that-takes-its-place", 0);
    for (uint64_t seq = 1; seq < 2 * KEYS_OUT_MAX; seq++)
        keys_handed_out(&keys, 7, seq, m, 0, 0);
    cr_assert_leq(keys.bytes, keys.limits.memory_max);
    cr_assert_leq(keys.out_bytes, keys.limits.memory_max / 2);
    cr_assert_gt(keys.out, 1000);
    cr_assert_leq(keys.out, KEYS_OUT_MAX);
}

Test(keys, the_hottest_keys_share_is_the_topics_by_rate_and_the_groups_by_all_else)
{
    (void)message(&buffer, "a", 0);
    (void)message(&buffer, "b", 0);
    (void)message(&buffer, "a", 0);
    keys_published(&keys, slice_of("orders"), (struct slice){buffer.data, buffer.size}, 3, 0);
    keys_handed_out(&keys, 7, 1, message(&buffer, "slow", 0), 9000, 0);
    cr_assert_eq(keys_share(&keys, KEY_RATE, slice_of("orders"), 7, 0), 667, "2 of 3, rounded up");
    cr_assert_eq(keys_share(&keys, KEY_WAITING, slice_of("orders"), 7, 0), 1000);
    cr_assert_eq(keys_share(&keys, KEY_WAITING, slice_of("orders"), 8, 0), 0);
    cr_assert_eq(keys_share(&keys, KEY_FAILURES, slice_of("orders"), 7, 0), 0);
    cr_assert_eq(keys_share(&keys, KEY_RATE, slice_of("other"), 7, 0), 0);
}

Test(keys, without_counters_nothing_is_remembered)
{
    const struct keys_limits off = {.counters = 0, .half_life_ms = 60000, .memory_max = 1 << 20};
    struct slice m = message(&buffer, "a", 0);
    keys_published(&keys, slice_of("orders"), m, 1, 0);
    keys_limit(&keys, &off);
    cr_assert_eq(keys.watches, 0, "what was known is forgotten");
    keys_published(&keys, slice_of("orders"), m, 1, 0);
    keys_handed_out(&keys, 7, 1, m, 0, 0);
    keys_ended(&keys, 7, 1, 1000, true, 0);
    cr_assert_eq(keys.watches, 0);
    cr_assert_eq(keys.out, 0);
}

Test(keys, a_message_of_body_and_headers_alone_is_known_to_have_no_key)
{
    static const uint8_t short_ones[] = {0x91, 0x92}, long_ones[] = {0x93, 0x94, 0x96, 0xdc};
    for (size_t i = 0; i < sizeof short_ones; i++)
        cr_assert_not(keys_may_have((struct slice){&short_ones[i], 1}));
    for (size_t i = 0; i < sizeof long_ones; i++)
        cr_assert(keys_may_have((struct slice){&long_ones[i], 1}));
    cr_assert_not(keys_may_have((struct slice){0}));
}
