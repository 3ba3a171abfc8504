/* test_window: how the window of a consumer grows that was given none. */
#include "client/wire/consumer.h"
#include "client/wire/core.h"

#include <criterion/criterion.h>

static struct shunt_consumer fast(uint64_t taken)
{
    return (struct shunt_consumer){
        .credit_grows = true, .credit_messages = 64, .taken = taken, .handler_ns = 1000, .lease_ms = 30000};
}

Test(window, used_up_by_a_fast_handler_doubles_and_tells_the_broker)
{
    struct shunt_consumer c = fast(64);
    consumer_starved(&c);
    cr_assert_eq(c.credit_messages, 128);
    cr_assert(c.credit_changed);
    cr_assert_eq(c.taken, 0, "the next window is counted anew");
}

Test(window, a_lack_of_messages_is_no_reason_to_grow)
{
    struct shunt_consumer c = fast(31);
    consumer_starved(&c);
    cr_assert_eq(c.credit_messages, 64);
    cr_assert(!c.credit_changed);
}

Test(window, holds_at_most_an_eighth_of_a_lease_of_work)
{
    struct shunt_consumer c = fast(64);
    c.lease_ms = 1;
    c.handler_ns = 1000; /* twice 64 µs is more than an eighth of 1 ms */
    consumer_starved(&c);
    cr_assert_eq(c.credit_messages, 64);
    c = fast(64);
    c.handler_ns = -1; /* not known yet */
    consumer_starved(&c);
    cr_assert_eq(c.credit_messages, 64);
}

Test(window, stops_at_its_maximum)
{
    struct shunt_consumer c = fast(64);
    for (int i = 0; i < 20; i++) {
        c.taken = c.credit_messages;
        consumer_starved(&c);
    }
    cr_assert_eq(c.credit_messages, CREDIT_GROWN_MAX);
}

Test(window, that_the_user_chose_stays)
{
    struct shunt_consumer c = fast(64);
    c.credit_grows = false;
    consumer_starved(&c);
    cr_assert_eq(c.credit_messages, 64);
}
