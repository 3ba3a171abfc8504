/* test_config: the table of settings, and files that are wrong in every way we could think of. */
#include "broker/config.h"
#include "broker/reload.h"
#include "proto/errors.h"
#include "proto/limits.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Load `text` as a file. `why` has the file's name taken off: "LINE:COLUMN: what is wrong". */
static int load(struct config *c, const char *text, size_t size, char why[CONFIG_WHY_BYTES])
{
    char path[] = "/tmp/shunt-config-XXXXXX", full[CONFIG_WHY_BYTES] = "";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, size), (ssize_t)size);
    close(fd);
    int err = config_load(c, path, full, sizeof full);
    unlink(path);
    why[0] = '\0';
    if (err) {
        cr_assert_eq(strncmp(full, path, strlen(path)), 0, "%s", full);
        (void)snprintf(why, CONFIG_WHY_BYTES, "%s", full + strlen(path) + 1);
    }
    return err;
}

Test(config, every_default_lies_within_its_bounds_and_every_bound_is_accepted)
{
    struct config c;
    char why[CONFIG_WHY_BYTES] = "";
    cr_assert_eq(config_init(&c), 0);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct config_row *row = &config_rows[i];
        cr_assert_eq(config_find(row->name), i);
        if (row->least[0] == '\0')
            continue;
        cr_expect_eq(config_set(&c, (enum config_field)i, row->least, why, sizeof why), 0, "%s", why);
        cr_expect_eq(config_set(&c, (enum config_field)i, row->most, why, sizeof why), 0, "%s", why);
    }
    config_done(&c);
}

Test(config, defaults_agree_with_the_protocols_limits)
{
    struct config c;
    cr_assert_eq(config_init(&c), 0);
    cr_expect_eq(c.number[CONFIG_body_bytes_max], BODY_BYTES_DEFAULT);
    cr_expect_str_eq(c.text[CONFIG_listen], "127.0.0.1:7480");
    cr_expect_eq(PORT_DEFAULT, 7480);
    cr_expect_str_eq(c.text[CONFIG_http], "127.0.0.1:7481");
    cr_expect_eq(HTTP_PORT_DEFAULT, 7481);
    cr_expect_eq(c.number[CONFIG_dedup_window_ms], 3600000);
    char why[CONFIG_WHY_BYTES];
    cr_expect_eq(config_set(&c, CONFIG_body_bytes_max, "16777216", why, sizeof why), 0);
    cr_expect_eq(c.number[CONFIG_body_bytes_max], BODY_BYTES_MAX);
    cr_expect_eq(config_set(&c, CONFIG_body_bytes_max, "16777217", why, sizeof why), SHUNT_BAD_ARGUMENT);
    config_done(&c);
}

Test(config, a_file_sets_what_it_names_and_leaves_the_rest)
{
    struct config c;
    char why[CONFIG_WHY_BYTES];
    static const char text[] =
        "# a comment\nlisten: 0.0.0.0:1234\nmap-size: '2GiB'\n\nhello-timeout:   1.5s\n"
        "max-topics: 7\nlog-level: debug\nhttp: off\n\"data\": /var/lib/shunt\n";
    cr_assert_eq(config_init(&c), 0);
    cr_assert_eq(load(&c, text, sizeof text - 1, why), 0, "%s", why);
    cr_expect_str_eq(c.text[CONFIG_listen], "0.0.0.0:1234");
    cr_expect_eq(c.number[CONFIG_map_bytes], 2ll << 30);
    cr_expect_eq(c.number[CONFIG_hello_ms], 1500);
    cr_expect_eq(c.number[CONFIG_topics_max], 7);
    cr_expect_eq(c.number[CONFIG_log_level], 0);
    cr_expect(config_http_is_off(&c));
    cr_expect_str_eq(c.text[CONFIG_data], "/var/lib/shunt");
    cr_expect_eq(c.number[CONFIG_connections_max], 10000);
    config_done(&c);
}

Test(config, files_without_settings_change_nothing)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "{}\n", "\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct config c;
        char why[CONFIG_WHY_BYTES];
        cr_assert_eq(config_init(&c), 0);
        cr_expect_eq(load(&c, texts[i], strlen(texts[i]), why), 0, "%zu: %s", i, why);
        config_done(&c);
    }
}

Test(config, what_is_wrong_is_named_with_its_line_and_column)
{
    static const struct {
        const char *text, *at, *holds;
    } rows[] = {
        {"listen: 127.0.0.1:1\nlistten: 127.0.0.1:2\n", "2:1:", "`listten`"},
        {"\n\n  lsten: 127.0.0.1:1\n", "3:3:", "`lsten`"},
        {"data: x\ndata: y\n", "2:1:", "twice"},
        {"listen: nonsense\n", "1:9:", "ADDR:PORT"},
        {"listen:\n", "1:8:", "listen"},
        {"data: ''\n", "1:7:", "empty"},
        {"max-topics: many\n", "1:13:", "max-topics"},
        {"max-topics: -1\n", "1:13:", "max-topics"},
        {"max-topics: 0\n", "1:13:", "from 1 to 1000000"},
        {"max-topics: 1000001\n", "1:13:", "from 1 to 1000000"},
        {"max-topics: 99999999999999999999\n", "1:13:", "max-topics"},
        {"hello-timeout: 10\n", "1:16:", "hello-timeout"},
        {"hello-timeout: 10 parsecs\n", "1:16:", "hello-timeout"},
        {"hello-timeout: -1s\n", "1:16:", "hello-timeout"},
        {"hello-timeout: 999999999999d\n", "1:16:", "hello-timeout"},
        {"map-size: 1MiB\n", "1:11:", "from 16MiB to 16TiB"},
        {"map-size: -1GiB\n", "1:11:", "map-size"},
        {"map-size: 99999999TiB\n", "1:11:", "map-size"},
        {"log-level: loud\n", "1:12:", "debug, info"},
        {"data: x\nlisten: [a, b]\n", "2:9:", "plain"},
        {"listen: {a: b}\n", "1:9:", "plain"},
        {"? [a]\n: b\n", "1:3:", "name"},
        {"data: &a x\nlisten: *a\n", "2:9:", "plain"},
        {"- listen\n", "1:1:", "name: value"},
        {"just words\n", "1:1:", "name: value"},
        {"data: x\n---\ndata: y\n", "2:1:", "second document"},
        {"data: x\n\tlisten: y\n", "2:1:", "not YAML"},
        {"data: \"x\nlisten: y\n", "3:1:", "not YAML"},
        {"{data: x\n", "2:1:", "not YAML"},
        {"data: \"a\\0b\"\n", "1:7:", "zero byte"},
        {"data: x\nhttp: \xff\n", "2:7:", "not YAML"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        char why[CONFIG_WHY_BYTES];
        cr_assert_eq(config_init(&c), 0);
        cr_expect_eq(load(&c, rows[i].text, strlen(rows[i].text), why), SHUNT_BAD_ARGUMENT, "%s",
                     rows[i].text);
        cr_expect_eq(strncmp(why, rows[i].at, strlen(rows[i].at)), 0, "%s\nexpected %s, got %s", rows[i].text,
                     rows[i].at, why);
        cr_expect(strstr(why, rows[i].holds), "%s\nexpected %s, got %s", rows[i].text, rows[i].holds, why);
        config_done(&c);
    }
}

Test(config, a_file_over_its_limit_and_a_file_that_is_not_there_are_refused)
{
    struct config c;
    char why[CONFIG_WHY_BYTES];
    size_t size = CONFIG_FILE_BYTES_MAX + 1;
    char *text = malloc(size);
    cr_assert(text);
    memset(text, '\n', size);
    cr_assert_eq(config_init(&c), 0);
    cr_expect_eq(load(&c, text, size, why), SHUNT_BAD_ARGUMENT);
    cr_expect_eq(load(&c, text, size - 1, why), 0, "%s", why);
    cr_expect_eq(config_load(&c, "/nonexistent/shuntd.conf", why, sizeof why), SHUNT_IO);
    cr_expect_eq(config_load(&c, "/", why, sizeof why), SHUNT_IO);
    cr_expect(strstr(why, "directory"), "%s", why);
    free(text);
    config_done(&c);
}

Test(config, a_value_that_is_refused_changes_nothing)
{
    struct config c;
    char why[CONFIG_WHY_BYTES];
    cr_assert_eq(config_init(&c), 0);
    cr_assert_eq(config_set(&c, CONFIG_stop_ms, "1h1h1h", why, sizeof why), SHUNT_BAD_ARGUMENT);
    cr_expect_eq(c.number[CONFIG_stop_ms], 10000);
    cr_expect_str_eq(c.text[CONFIG_stop_ms], "10s");
    config_done(&c);
}

Test(config, commands_and_urls_are_what_can_be_used_as_such)
{
    static const struct {
        enum config_field field;
        const char *value;
        bool good;
    } cases[] = {{CONFIG_on_breach_command, "off", true},
                 {CONFIG_on_breach_command, "page \"to kim\"", true},
                 {CONFIG_on_breach_command, "", false},
                 {CONFIG_on_breach_command, "page \"to kim", false},
                 {CONFIG_on_breach_url, "off", true},
                 {CONFIG_on_breach_url, "https://[::1]:8080/a?b=c&d=%20#e", true},
                 {CONFIG_on_breach_url, "", false},
                 {CONFIG_on_breach_url, "HTTP://x", false},
                 {CONFIG_on_breach_url, "file:///etc/passwd", false},
                 {CONFIG_on_breach_url, "http://", false},
                 {CONFIG_on_breach_url, "http://x/\"\noutput = \"y", false},
                 {CONFIG_on_breach_url, "http://x/\\", false},
                 {CONFIG_on_breach_url, "http://x/\x7f", false},
                 {CONFIG_on_breach_url, "http://x/\xc3\xa4", false}};
    struct config c;
    char why[CONFIG_WHY_BYTES], url[CONFIG_URL_BYTES_MAX + 1] = "http://x/";
    cr_assert_eq(config_init(&c), 0);
    cr_assert_null(config_unless_off(&c, CONFIG_on_breach_url));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int err = config_set(&c, cases[i].field, cases[i].value, why, sizeof why);
        cr_assert_eq(err, cases[i].good ? 0 : SHUNT_BAD_ARGUMENT, "%s", cases[i].value);
    }
    cr_assert_str_eq(config_unless_off(&c, CONFIG_on_breach_command), "page \"to kim\"");
    memset(url + strlen(url), 'x', CONFIG_URL_BYTES_MAX - 1 - strlen(url));
    cr_assert_eq(config_set(&c, CONFIG_on_breach_url, url, why, sizeof why), 0);
    url[CONFIG_URL_BYTES_MAX - 1] = 'x';
    cr_assert_eq(config_set(&c, CONFIG_on_breach_url, url, why, sizeof why), SHUNT_BAD_ARGUMENT);
    config_done(&c);
}

Test(config, a_map_larger_than_its_own_limit_is_refused)
{
    struct config c;
    char why[CONFIG_WHY_BYTES];
    cr_assert_eq(config_init(&c), 0);
    cr_assert_eq(config_check(&c, why, sizeof why), 0);
    cr_assert_eq(config_set(&c, CONFIG_map_bytes, "65GiB", why, sizeof why), 0);
    cr_assert_eq(config_check(&c, why, sizeof why), SHUNT_BAD_ARGUMENT);
    config_done(&c);
}

Test(reload, takes_over_what_may_change_and_leaves_what_needs_a_restart)
{
    struct config now, fresh;
    char why[CONFIG_WHY_BYTES];
    struct log log = {.fd = -1};
    cr_assert_eq(config_init(&now), 0);
    cr_assert_eq(config_init(&fresh), 0);
    cr_assert_eq(config_set(&fresh, CONFIG_topics_max, "5", why, sizeof why), 0);
    cr_assert_eq(config_set(&fresh, CONFIG_data, "elsewhere", why, sizeof why), 0);
    cr_assert_eq(reload_merge(&now, &fresh, &log), 1);
    cr_expect_eq(now.number[CONFIG_topics_max], 5);
    cr_expect_str_eq(now.text[CONFIG_topics_max], "5");
    cr_expect_str_eq(now.text[CONFIG_data], "./data");
    config_done(&fresh);
    config_done(&now);
}

Test(config, a_topic_may_have_as_many_groups_as_a_request_may_name)
{
    cr_assert_eq(strtol(config_rows[CONFIG_groups_max].most, NULL, 10), TOPIC_GROUPS_MAX);
}
