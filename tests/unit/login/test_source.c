/* source: which peers count as one. */
#include "broker/login/source.h"

#include <criterion/criterion.h>

static const uint8_t key[SOURCE_KEY_BYTES] = "a key", another[SOURCE_KEY_BYTES] = "another";

Test(source, what_one_machine_can_choose_does_not_count)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"10.0.0.1:1", "10.0.0.1:65535", true},
        {"10.0.0.1:1", "10.0.0.2:1", false},
        {"10.0.0.1:1", "110.0.0.1:1", false},
        {"[2001:db8::1]:1", "[2001:db8::ffff:1]:2", true},
        {"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
        {"[fe80::1%eth0]:1", "[fe80::2%eth0]:1", true},
        {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:2", true},
        {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.2]:1", false},
        {"unix:uid=1000,pid=7", "unix:uid=1000,pid=8", true},
        {"unix:uid=1000,pid=7", "unix:uid=1001,pid=7", false},
        {"", "", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool same = source_of_peer(key, slice_of(rows[i].a)) == source_of_peer(key, slice_of(rows[i].b));
        cr_assert_eq(same, rows[i].same, "%s and %s", rows[i].a, rows[i].b);
    }
}

Test(source, it_follows_from_the_key_and_names_are_not_addresses)
{
    struct slice text = slice_of("10.0.0.1");
    cr_assert_neq(source_of_peer(key, text), source_of_peer(another, text));
    cr_assert_neq(source_of_name(key, text), source_of_name(another, text));
    cr_assert_neq(source_of_peer(key, text), source_of_name(key, text));
}

Test(source, one_that_is_longer_than_any_is_cut)
{
    char text[5000];
    memset(text, 'x', sizeof text);
    cr_assert_eq(source_of_peer(key, (struct slice){text, 5000}),
                 source_of_peer(key, (struct slice){text, 4000}));
    cr_assert_neq(source_of_name(key, (struct slice){text, 900}),
                  source_of_name(key, (struct slice){text, 901}));
}
