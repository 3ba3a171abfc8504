/* test_log: whatever a value holds, a line stays one line and its pairs stay its own. */
#include "broker/connection_log.h"
#include "broker/log.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

struct capture {
    struct log log;
    int read_fd;
};

static void capture_start(struct capture *c, enum log_level level)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    c->read_fd = fds[0];
    c->log.writer = NULL;
    c->log.fd = fds[1];
    atomic_init(&c->log.level, (int)level);
}

static size_t capture_end(struct capture *c, char *to, size_t size)
{
    close(c->log.fd);
    ssize_t got = read(c->read_fd, to, size - 1);
    cr_assert_geq(got, 0);
    close(c->read_fd);
    to[got] = '\0';
    return (size_t)got;
}

Test(log, values_with_anything_unusual_are_quoted_and_escaped)
{
    static const struct {
        const char *value, *written;
    } rows[] = {
        {"plain-1.2:3/4", " v=plain-1.2:3/4\n"},
        {"", " v=\"\"\n"},
        {"two words", " v=\"two words\"\n"},
        {"a=b", " v=\"a=b\"\n"},
        {"say \"hi\"", " v=\"say \\\"hi\\\"\"\n"},
        {"back\\slash", " v=\"back\\\\slash\"\n"},
        {"x\nts=1 level=error event=fake", " v=\"x\\nts=1 level=error event=fake\"\n"},
        {"\r\t\x1b[31m\x7f", " v=\"\\r\\t\\x1b[31m\\x7f\"\n"},
        {"caf\xc3\xa9 \xff", " v=\"caf\\xc3\\xa9 \\xff\"\n"},
        {"' $(rm -rf /)", " v=\"' $(rm -rf /)\"\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct capture c;
        char text[1024];
        capture_start(&c, LOG_LEVEL_INFO);
        log_event(&c.log, LOG_LEVEL_INFO, "test", "v", rows[i].value);
        capture_end(&c, text, sizeof text);
        const char *pair = strstr(text, " v=");
        cr_assert(pair, "%s", text);
        cr_expect_str_eq(pair, rows[i].written);
        cr_expect_eq(strncmp(text, "ts=20", 5), 0);
        cr_expect(strstr(text, " level=info event=test v="), "%s", text);
    }
}

Test(log, a_line_that_is_too_long_is_cut_and_says_so)
{
    struct capture c;
    static char value[2 * LOG_LINE_BYTES_MAX], text[2 * LOG_LINE_BYTES_MAX];
    for (int kind = 0; kind < 2; kind++) {
        memset(value, kind ? '\n' : 'x', sizeof value - 1);
        value[0] = ' ';
        capture_start(&c, LOG_LEVEL_INFO);
        log_event(&c.log, LOG_LEVEL_INFO, "test", "v", value);
        size_t size = capture_end(&c, text, sizeof text);
        cr_expect_leq(size, (size_t)LOG_LINE_BYTES_MAX);
        cr_expect_geq(size, (size_t)LOG_LINE_BYTES_MAX - 32);
        cr_expect(strstr(text, "\" cut=yes\n"), "the quote is closed before the mark");
        cr_expect_eq(strchr(text, '\n'), text + size - 1);
    }
}

Test(log, lines_below_the_level_are_not_written)
{
    struct capture c;
    char text[1024];
    capture_start(&c, LOG_LEVEL_WARNING);
    log_event(&c.log, LOG_LEVEL_INFO, "hidden", NULL, NULL);
    log_event(&c.log, LOG_LEVEL_ERROR, "seen", NULL, NULL);
    capture_end(&c, text, sizeof text);
    cr_expect(!strstr(text, "hidden"));
    cr_expect(strstr(text, "level=error event=seen\n"));
}

Test(connection_log, lines_about_connections_are_limited_and_the_rest_is_counted)
{
    struct capture c;
    static char text[65536];
    capture_start(&c, LOG_LEVEL_INFO);
    struct connection_log r = {.log = &c.log, .window_ms = -CONNECTION_LOG_WINDOW_MS};
    for (int i = 0; i < CONNECTION_LOG_LINES_MAX + 40; i++)
        connection_log_net(&r, 1000, NET_BAD_FRAME, "1.2.3.4:5", "why not");
    connection_log_net(&r, 1000 + CONNECTION_LOG_WINDOW_MS, NET_REFUSED, "", "");
    capture_end(&c, text, sizeof text);
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    cr_expect_eq(lines, CONNECTION_LOG_LINES_MAX + 2);
    cr_expect(strstr(text, "event=bad_frame peer=1.2.3.4:5 why=\"why not\"\n"));
    cr_expect(strstr(text, "event=lines_suppressed count=40\n"));
    cr_expect(strstr(text, "event=connection_refused\n"));
}
