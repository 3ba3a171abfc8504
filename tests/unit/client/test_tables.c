/* Tables: urls, options, settings of topics, back-off, errors. */
#include "client/driving/settings_read.h"
#include "client/driving/url.h"
#include "client/wire/backoff.h"
#include "client/wire/error.h"
#include "client/wire/options.h"
#include "client/wire/policy_args.h"
#include "proto/errors.h"
#include "proto/policy.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(url, good_ones)
{
    static const struct {
        const char *text, *host;
        int port;
    } rows[] = {
        {NULL, "127.0.0.1", 7480},
        {"shunt://127.0.0.1", "127.0.0.1", 7480},
        {"shunt://localhost/", "localhost", 7480},
        {"shunt://a.b-c_d.example:1", "a.b-c_d.example", 1},
        {"shunt://10.0.0.1:65535", "10.0.0.1", 65535},
        {"shunt://[::1]", "::1", 7480},
        {"shunt://[fe80::1%eth0]:9/", "fe80::1%eth0", 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url_list u;
        struct shunt_error err;
        cr_assert_eq(url_parse(rows[i].text, &u, &err), 0, "%s", err.text);
        cr_assert_eq(u.count, 1);
        cr_assert_str_eq(u.hosts[0].host, rows[i].host);
        cr_assert_eq(u.hosts[0].port, rows[i].port);
    }
}

Test(url, several_hosts_each_with_a_port_of_its_own)
{
    struct url_list u;
    struct shunt_error err;
    cr_assert_eq(url_parse("shunt://a:1,[::1],b.example:3/", &u, &err), 0, "%s", err.text);
    cr_assert_eq(u.count, 3);
    cr_assert_str_eq(u.hosts[0].host, "a");
    cr_assert_eq(u.hosts[0].port, 1);
    cr_assert_str_eq(u.hosts[1].host, "::1");
    cr_assert_eq(u.hosts[1].port, 7480);
    cr_assert_str_eq(u.hosts[2].host, "b.example");
    cr_assert_eq(u.hosts[2].port, 3);
    cr_assert_eq(url_parse("shunt://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &u, &err), 0);
    cr_assert_eq(u.count, URL_HOSTS_MAX);
    cr_assert_eq(url_parse("shunt://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &u, &err), SHUNT_BAD_ARGUMENT);
}

Test(url, tls_is_a_scheme_of_its_own_with_files_behind_it)
{
    static const struct {
        const char *text, *ca, *cert, *key;
    } rows[] = {
        {"shunts://h", "", "", ""},
        {"shunts://h:1,i/?ca=/a%20b%26c", "/a b&c", "", ""},
        {"shunts://[::1]?cert=c&key=k&ca=a", "a", "c", "k"},
    };
    struct url_list u;
    struct shunt_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(url_parse(rows[i].text, &u, &err), 0, "%s", err.text);
        cr_assert(u.tls.wanted);
        cr_assert_str_eq(u.tls.ca, rows[i].ca);
        cr_assert_str_eq(u.tls.cert, rows[i].cert);
        cr_assert_str_eq(u.tls.key, rows[i].key);
    }
    cr_assert_eq(url_parse("shunt://h", &u, &err), 0);
    cr_assert_not(u.tls.wanted);
    char longest[URL_FILE_BYTES_MAX + 64];
    int head = snprintf(longest, sizeof longest, "shunts://h?ca=");
    memset(longest + head, 'x', URL_FILE_BYTES_MAX + 1);
    longest[head + URL_FILE_BYTES_MAX] = '\0';
    cr_assert_eq(url_parse(longest, &u, &err), 0, "%s", err.text);
    longest[head + URL_FILE_BYTES_MAX] = 'x';
    longest[head + URL_FILE_BYTES_MAX + 1] = '\0';
    cr_assert_eq(url_parse(longest, &u, &err), SHUNT_BAD_ARGUMENT);
}

Test(url, bad_ones_are_refused_with_a_reason)
{
    static const char *const rows[] = {
        "",
        "127.0.0.1",
        "localhost:7480",
        "http://localhost",
        "shunt:/localhost",
        "SHUNT://localhost",
        "shunt://",
        "shunt://a,",
        "shunt://,a",
        "shunt://a,,b",
        "shunt://a:1,b:0",
        "shunt://a/,b",
        "shunt://:7480",
        "shunt://h?ca=a",
        "shunts://h?",
        "shunts://h?ca=",
        "shunts://h?ca",
        "shunts://h?cert=c",
        "shunts://h?key=k",
        "shunts://h?ca=a&ca=b",
        "shunts://h?x=y",
        "shunts://h?ca=%2",
        "shunts://h?ca=%00",
        "shunts://h?ca=a&",
        "shunts://?ca=a",
        "shunt:///",
        "shunt://h:",
        "shunt://h:0",
        "shunt://h:65536",
        "shunt://h:99999999999999999999",
        "shunt://h:-1",
        "shunt://h:+1",
        "shunt://h: 1",
        "shunt://h:1x",
        "shunt://h:1:2",
        "shunt://u@h",
        "shunt://h/path",
        "shunt://h?x=1",
        "shunt://h h",
        "shunt://::1",
        "shunt://[::1",
        "shunt://[::1]x",
        "shunt://[]",
        "shunt://[1.2.3.4]",
        "shunt://[localhost]",
        "shunt://h\n",
        "shunt://-h",
        "shunt://.h",
        "shunt://h\xc3\xa4",
        "shunt://[%eth0]",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url_list u;
        struct shunt_error err = {0};
        cr_assert_eq(url_parse(rows[i], &u, &err), SHUNT_BAD_ARGUMENT, "%s", rows[i]);
        cr_assert_gt(strlen(err.text), 10);
    }
}

Test(url, a_path_of_this_machine_is_all_there_is)
{
    static const struct {
        const char *text, *path;
    } good[] = {{"shunt+unix:///run/shunt/shunt.sock", "/run/shunt/shunt.sock"},
                {"shunt+unix:///a%20b%3F,c:d", "/a b?,c:d"}};
    static const char *const bad[] = {"shunt+unix://",       "shunt+unix:///",          "shunt+unix://run/x",
                                      "shunt+unix:///a?x=y", "shunt+unix:///a&b",       "shunt+unix:///a#b",
                                      "shunt+unix:///a%2",   "shunt+unix:///a%00",      "shunt+unix:///a/",
                                      "shunts+unix:///a",    "shunt+unix://localhost/a"};
    struct url_list u;
    char text[URL_TEXT_BYTES];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct shunt_error err = {0};
        cr_assert_eq(url_parse(good[i].text, &u, &err), 0, "%s", err.text);
        cr_assert_eq(u.count, 1);
        cr_assert(url_is_local(&u.hosts[0]) && !u.tls.wanted);
        cr_assert_str_eq(u.hosts[0].host, good[i].path);
        cr_assert_str_eq(url_text(text, &u.hosts[0]), good[i].path);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct shunt_error err = {0};
        cr_assert_eq(url_parse(bad[i], &u, &err), SHUNT_BAD_ARGUMENT, "%s", bad[i]);
        cr_assert_gt(strlen(err.text), 10);
    }
}

Test(url, a_path_ends_at_its_limit)
{
    char text[400] = "shunt+unix:///";
    size_t head = strlen(text) - 1; /* the path begins with its slash */
    struct url_list u;
    memset(text + head + 1, 'a', URL_PATH_BYTES_MAX);
    cr_assert_eq(url_parse(text, &u, NULL), SHUNT_BAD_ARGUMENT);
    text[head + URL_PATH_BYTES_MAX] = '\0';
    cr_assert_eq(url_parse(text, &u, NULL), 0);
    cr_assert_eq(strlen(u.hosts[0].host), URL_PATH_BYTES_MAX);
}

Test(url, who_we_are_stands_behind_the_question_mark)
{
    static const struct {
        const char *text, *user, *password_file, *token_file;
        bool insecure;
    } good[] = {
        {"shunt://h?user=ann&password-file=/p%20q", "ann", "/p q", "", false},
        {"shunts://h,i/?ca=a&token-file=t&insecure=yes", "", "", "t", true},
        {"shunt://h?insecure=yes", "", "", "", true},
    };
    static const char *const bad[] = {
        "shunt://h?user=",         "shunt://h?user=a&user=b", "shunt://h?password=p",
        "shunt://h?token=t",       "shunt://h?insecure=no",   "shunt://h?insecure=yes1",
        "shunt://h?token-file=t&", "shunt://h?key=k",         "shunt+unix:///s?token-file=t"};
    struct url_list u;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct shunt_error err = {0};
        cr_assert_eq(url_parse(good[i].text, &u, &err), 0, "%s", err.text);
        cr_assert_str_eq(u.auth.user, good[i].user);
        cr_assert_str_eq(u.auth.password_file, good[i].password_file);
        cr_assert_str_eq(u.auth.token_file, good[i].token_file);
        cr_assert_eq(u.auth.insecure, good[i].insecure);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(url_parse(bad[i], &u, NULL), SHUNT_BAD_ARGUMENT, "%s", bad[i]);
    char text[200] = "shunt://h?user=";
    memset(text + strlen(text), 'u', NAME_BYTES_MAX);
    cr_assert_eq(url_parse(text, &u, NULL), 0);
    text[strlen(text)] = 'u';
    cr_assert_eq(url_parse(text, &u, NULL), SHUNT_BAD_ARGUMENT);
}

Test(url, a_host_ends_at_its_limit)
{
    char text[400] = "shunt://";
    struct url_list u;
    memset(text + 8, 'a', URL_HOST_BYTES_MAX + 1);
    cr_assert_eq(url_parse(text, &u, NULL), SHUNT_BAD_ARGUMENT);
    text[8 + URL_HOST_BYTES_MAX] = '\0';
    cr_assert_eq(url_parse(text, &u, NULL), 0);
}

Test(options, a_value_is_set_changed_and_taken_out)
{
    struct shunt_options *o = shunt_options_new();
    cr_assert_eq(shunt_options_set(o, "a", "1"), 0);
    cr_assert_eq(shunt_options_set(o, "b", "2"), 0);
    cr_assert_eq(shunt_options_set(o, "a", "3"), 0);
    cr_assert_str_eq(options_get(o, "a"), "3");
    cr_assert_eq(shunt_options_set(o, "a", NULL), 0);
    cr_assert_eq(shunt_options_set(o, "never", NULL), 0);
    cr_assert_null(options_get(o, "a"));
    cr_assert_str_eq(options_at(o, 0)->value, "2");
    cr_assert_null(options_at(o, 1));
    cr_assert_null(options_get(NULL, "a"));
    shunt_options_free(o);
    shunt_options_free(NULL);
}

Test(settings, bad_values_are_refused_and_the_text_names_the_option)
{
    static const char *const rows[][2] = {
        {"windw", "1"},           {"window", "0"},
        {"window", "-1"},         {"window", "1.5"},
        {"window", ""},           {"window-bytes", "x"},
        {"frame-bytes", "10"},    {"frame-bytes", "1GiB"},
        {"idempotent", "true"},   {"marks", ""},
        {"mark-time", "-1us"},    {"mark-time", "2s"},
        {"mark-time", "us"},      {"mark-time", "2000000us"},
        {"connect-timeout", "0"}, {"connect-timeout", "5"},
        {"reconnect-min", "0"},   {"reconnect-max", "1ms"},
        {"client", "\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct shunt_options *o = shunt_options_new();
        struct settings s;
        struct shunt_error err;
        cr_assert_eq(shunt_options_set(o, rows[i][0], rows[i][1]), 0);
        cr_assert_eq(settings_read(o, &s, &err), SHUNT_BAD_ARGUMENT, "%s %s", rows[i][0], rows[i][1]);
        cr_assert_not_null(strstr(err.text, rows[i][0]), "%s", err.text);
        shunt_options_free(o);
    }
}

Test(settings, values_and_defaults)
{
    struct shunt_options *o = shunt_options_new();
    struct settings s;
    cr_assert_eq(settings_read(NULL, &s, NULL), 0);
    cr_assert_eq(s.mark_time_us, 200);
    cr_assert_eq(s.window, 4096);
    cr_assert_gt(strlen(s.client), 2);
    (void)shunt_options_set(o, "mark-time", "1ms");
    (void)shunt_options_set(o, "window-bytes", "1MiB");
    cr_assert_eq(settings_read(o, &s, NULL), 0);
    cr_assert_eq(s.mark_time_us, 1000);
    cr_assert_eq(s.window_bytes, 1048576);
    (void)shunt_options_set(o, "mark-time", "50us");
    cr_assert_eq(settings_read(o, &s, NULL), 0);
    cr_assert_eq(s.mark_time_us, 50);
    shunt_options_free(o);
}

struct expected {
    const char *option, *value;
    bool of_group;
    int code;
    const char *field;
    int64_t number; /* -1: nil */
};

Test(policy, settings_become_fields_of_the_wire)
{
    static const struct expected rows[] = {
        {"max-attempts", "3", true, 0, "max_attempts", 3},
        {"max-attempts", "0", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"max-attempts", "inherit", true, 0, "max_attempts", -1},
        {"lease", "1h30m", true, 0, "lease_ms", 5400000},
        {"lease", "9ms", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"lease", "13h", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"lease", "-1s", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"lease", "30", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"expired", "discard", true, 0, "expired", 1},
        {"expired", "dlq", true, 0, "expired", 0},
        {"expired", "1", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"order", "key", true, 0, "order", 1},
        {"order", "none", false, 0, "order", 0},
        {"order", "keys", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"on-dead", "block", true, 0, "on_dead", 1},
        {"on-dead", "follow", true, 0, "on_dead", 2},
        {"on-dead", "stop", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"follow-max", "0", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"follow-max", "1000000", true, 0, "follow_max", 1000000},
        {"fair", "key", true, 0, "fair", 1},
        {"fair", "turns", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"key-run", "100", true, 0, "key_run", 100},
        {"key-run", "101", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"key-run", "0", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"order", "inherit", true, 0, "order", -1},
        {"max-bytes", "1GiB", false, 0, "max_bytes", 1073741824},
        {"max-bytes", "1GiB", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"ttl", "0", false, 0, "ttl_ms", 0},
        {"max_attempts", "3", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"backoff", "1s", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"backoff", "..5m", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"backoff", "1s..", true, SHUNT_BAD_ARGUMENT, NULL, 0},
        {"backoff", "1s...5m", true, SHUNT_BAD_ARGUMENT, NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct shunt_options *o = shunt_options_new();
        struct policy_change change;
        struct shunt_error err;
        (void)shunt_options_set(o, rows[i].option, rows[i].value);
        int rc = policy_args_read(o, rows[i].of_group, &change, &err);
        cr_assert_eq(rc, rows[i].code, "%s %s: %d", rows[i].option, rows[i].value, rc);
        if (rc == 0) {
            int field = policy_find(rows[i].field, strlen(rows[i].field));
            bool reset = rows[i].number < 0;
            cr_assert(change.reset == (reset ? 1u << field : 0) &&
                      change.set.given == (reset ? 0 : 1u << field));
            cr_assert(reset || change.set.value[field] == rows[i].number);
        } else {
            cr_assert_not_null(strstr(err.text, rows[i].option), "%s", err.text);
        }
        shunt_options_free(o);
    }
}

Test(policy, backoff_sets_both_of_its_ends)
{
    struct shunt_options *o = shunt_options_new();
    struct policy_change change;
    (void)shunt_options_set(o, "backoff", "10ms..50ms");
    cr_assert_eq(policy_args_read(o, true, &change, NULL), 0);
    cr_assert(change.set.given == (1u << POLICY_backoff_min_ms | 1u << POLICY_backoff_max_ms) &&
              !change.reset);
    cr_assert_eq(change.set.value[POLICY_backoff_min_ms], 10);
    cr_assert_eq(change.set.value[POLICY_backoff_max_ms], 50);
    shunt_options_free(o);
}

Test(policy, every_listed_setting_is_accepted_with_its_initial_value)
{
    struct shunt_setting s;
    size_t i = 0;
    for (; shunt_setting(i, &s); i++) {
        struct shunt_options *o = shunt_options_new();
        struct policy_change change;
        struct shunt_error err;
        (void)shunt_options_set(o, s.name, s.initial);
        cr_assert_eq(policy_args_read(o, s.of_group, &change, &err), 0, "%s %s: %s", s.name, s.initial,
                     err.text);
        shunt_options_free(o);
    }
    cr_assert_eq(i, POLICY_COUNT - 1, "all of them, back-off as one");
}

Test(backoff, waits_stay_within_a_bound_that_doubles_to_its_maximum)
{
    static const int64_t bounds_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct random r = {.state = 42};
    int low = 0;
    for (int round = 0; round < 1000; round++) {
        struct backoff b = {.min_ms = 50, .max_ms = 5000};
        for (size_t i = 0; i < 10; i++) {
            cr_assert_eq(backoff_bound_us(&b), bounds_ms[i] * 1000);
            int64_t wait_us = backoff_next_us(&b, &r);
            cr_assert_geq(wait_us, 1);
            cr_assert_leq(wait_us, bounds_ms[i] * 1000);
            low += wait_us < bounds_ms[i] * 100;
        }
        backoff_reset(&b);
        cr_assert_eq(backoff_bound_us(&b), 50000);
    }
    cr_assert_geq(low, 700, "full jitter: a tenth of the waits is in the lowest tenth");
    cr_assert_leq(low, 1300);
}

Test(backoff, the_largest_settings_do_not_overflow)
{
    struct random r = {.state = 1};
    struct backoff b = {.min_ms = 86400000, .max_ms = 86400000};
    for (int i = 0; i < 200; i++)
        cr_assert_leq(backoff_next_us(&b, &r), 86400000000);
}

Test(error, text_is_cut_and_names_come_from_the_table)
{
    struct shunt_error err;
    char large[1000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    cr_assert_eq(error_set(&err, SHUNT_TOPIC_FULL, "%s", large), SHUNT_TOPIC_FULL);
    cr_assert_eq(strlen(err.text), sizeof err.text - 1);
    cr_assert(err.may_retry);
    cr_assert_eq(error_set(NULL, SHUNT_STALE, NULL), SHUNT_STALE);
    error_set(&err, SHUNT_STALE, NULL);
    cr_assert_str_eq(err.text, shunt_error_text(SHUNT_STALE));
    cr_assert(!err.may_retry);
    cr_assert_str_eq(shunt_error_name(SHUNT_STALE), "STALE");
    cr_assert_str_eq(shunt_error_name(12345), "UNKNOWN");
}

Test(version, the_number_is_that_of_the_text)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%d.%d.%d", SHUNT_VERSION_NUM >> 16, SHUNT_VERSION_NUM >> 8 & 255,
                   SHUNT_VERSION_NUM & 255);
    cr_assert_str_eq(shunt_version(), text);
    cr_assert_eq(shunt_version_num(), SHUNT_VERSION_NUM);
}
