/* test_address: reading, writing and judging addresses. */
#include "broker/net/address.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

Test(address, what_is_parsed_is_printed_the_same)
{
    static const char *const texts[] = {"127.0.0.1:7480", "0.0.0.0:0", "[::1]:65535", "[::]:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sockaddr_storage a;
        const char *why = "";
        char text[ADDRESS_TEXT_BYTES_MAX];
        cr_assert(address_parse(texts[i], &a, &why), "%s: %s", texts[i], why);
        cr_assert_str_eq(address_format(text, &a), texts[i]);
    }
}

Test(address, malformed_addresses_are_refused_with_a_reason)
{
    static const char *const texts[] = {
        "",           "7480",          ":7480",     "127.0.0.1", "127.0.0.1:",
        "1.2.3.4:-1", "1.2.3.4:65536", "1.2.3.4:x", "1.2.3:1",   "::1:80",
        "[::1]",      "[]:80",         "[:80",      "]:80",      "example.com:80",
        "1.2.3.4 :1", "[127.0.0.1]:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sockaddr_storage a;
        const char *why = NULL;
        cr_assert(!address_parse(texts[i], &a, &why), "%s", texts[i]);
        cr_assert(why && *why);
    }
}

Test(address, only_this_machines_own_addresses_are_loopback)
{
    static const struct {
        const char *text;
        bool loopback;
    } rows[] = {{"127.0.0.1:1", true},        {"127.9.9.9:1", true},
                {"localhost:1", true},        {"[::1]:1", true},
                {"0.0.0.0:1", false},         {"[::]:1", false},
                {"10.0.0.1:1", false},        {"128.0.0.1:1", false},
                {"[fe80::1]:1", false},       {"[::ffff:127.0.0.1]:1", true},
                {"[::ffff:1.2.3.4]:1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_storage a;
        const char *why = "";
        cr_assert(address_parse(rows[i].text, &a, &why), "%s: %s", rows[i].text, why);
        cr_assert_eq(address_is_loopback(&a), rows[i].loopback, "%s", rows[i].text);
    }
}

Test(address, a_port_in_use_is_told_apart)
{
    struct sockaddr_storage any, bound, ignored;
    const char *why = "";
    int fd = -1, second = -1;
    cr_assert(address_parse("127.0.0.1:0", &any, &why));
    cr_assert_eq(address_listen(&any, &fd, &bound), 0);
    cr_assert_gt(address_port(&bound), 0);
    cr_assert_eq(address_listen(&bound, &second, &ignored), EADDRINUSE);
    cr_assert_eq(second, -1);
    close(fd);
}
