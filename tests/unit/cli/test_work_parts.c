/* capture, work_env, work_identity: what `work` does around its command. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/capture.h"
#include "cli/sink.h"
#include "cli/work_env.h"
#include "cli/work_identity.h"

/* Read what is in the pipe. */
static size_t read_all(int fd, char *to, size_t room)
{
    size_t total = 0;
    ssize_t got = 0;
    while (total < room && (got = read(fd, to + total, room - total)) > 0)
        total += (size_t)got;
    return total;
}

/* ---- capture */

static char *last_line_of(const char *said)
{
    struct capture c;
    const char *type = NULL;
    char *line = NULL;
    cr_assert(capture_init(&c, NULL));
    capture_add(&c, said, strlen(said));
    (void)capture_diagnose(&c, &type, &line);
    capture_done(&c);
    return line;
}

Test(capture, last_line_is_the_last_that_is_not_blank)
{
    static const char *const cases[][2] = {{"one\ntwo\n", "two"},
                                           {"one\ntwo", "two"},
                                           {"one\n\n \t\r\n", "one"},
                                           {"  padded  \r\n", "padded"},
                                           {"\xff"
                                            "bad\n",
                                            "?bad"},
                                           {"", NULL},
                                           {"\n \n", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *line = last_line_of(cases[i][0]);
        if (cases[i][1])
            cr_expect_str_eq(line ? line : "(none)", cases[i][1]);
        else
            cr_expect_null(line);
        free(line);
    }
}

Test(capture, keeps_the_last_16_kib_however_it_comes)
{
    static char said[100000];
    for (size_t i = 0; i < sizeof said; i++)
        said[i] = (char)('a' + i % 26);
    for (size_t piece = 1; piece <= sizeof said; piece = piece * 7 + 1) {
        struct capture c;
        cr_assert(capture_init(&c, NULL));
        for (size_t i = 0; i < sizeof said; i += piece)
            capture_add(&c, said + i, piece < sizeof said - i ? piece : sizeof said - i);
        char *stack = capture_stack(&c);
        cr_assert_not_null(stack);
        cr_expect_eq(strlen(stack), CAPTURE_TAIL_BYTES, "pieces of %zu", piece);
        cr_expect_eq(memcmp(stack, said + sizeof said - CAPTURE_TAIL_BYTES, CAPTURE_TAIL_BYTES), 0,
                     "pieces of %zu", piece);
        free(stack);
        capture_done(&c);
    }
}

Test(capture, cuts_its_end_between_characters)
{
    static char said[100000];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(said, 'x', shift);
        for (size_t i = shift; i + 3 <= sizeof said; i += 3)
            memcpy(said + i, "\xe2\x82\xac", 3);
        size_t bytes = sizeof said - (sizeof said - shift) % 3;
        for (size_t piece = CAPTURE_TAIL_BYTES - 1; piece <= CAPTURE_TAIL_BYTES + 1; piece++) {
            struct capture c;
            cr_assert(capture_init(&c, NULL));
            for (size_t i = 0; i < bytes; i += piece)
                capture_add(&c, said + i, piece < bytes - i ? piece : bytes - i);
            char *stack = capture_stack(&c);
            cr_assert_not_null(stack);
            cr_expect_eq(strlen(stack), CAPTURE_TAIL_BYTES / 3 * 3);
            cr_expect_null(strchr(stack, '?'), "pieces of %zu, shifted by %zu", piece, shift);
            free(stack);
            capture_done(&c);
        }
    }
}

/* Text of exactly the kept size was not cut: what is no character there is part of it. */
Test(capture, cuts_nothing_that_fits)
{
    static char said[CAPTURE_TAIL_BYTES];
    struct capture c;
    memset(said, 'x', sizeof said);
    said[0] = (char)0x82;
    cr_assert(capture_init(&c, NULL));
    capture_add(&c, said, sizeof said);
    char *stack = capture_stack(&c);
    cr_expect_eq(strlen(stack), sizeof said);
    free(stack);
    capture_done(&c);
}

Test(capture, passes_on_all_bytes_and_lines_whole)
{
    int ends[2];
    char got[64] = "";
    struct sink sink;
    struct capture a;
    struct capture b;
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    cr_assert(sink_open(&sink, ends[1]));
    cr_assert(capture_init(&a, &sink));
    cr_assert(capture_init(&b, &sink));
    capture_add(&a, "a1 ", 3);
    capture_add(&b, "b1\nb2", 5);
    capture_add(&a, "a1\na2", 5);
    capture_end(&a);
    capture_end(&b);
    cr_assert_gt(read(ends[0], got, sizeof got - 1), 0);
    cr_expect_str_eq(got, "b1\na1 a1\na2b2");
    capture_done(&a);
    capture_done(&b);
    sink_close(&sink);
    close(ends[0]);
    close(ends[1]);
}

/* Lines at the bound and over it; pieces that begin and end anywhere. */
Test(capture, passes_on_all_bytes_of_lines_of_any_length)
{
    static char said[6 * CAPTURE_CARRY_BYTES];
    static char got[sizeof said];
    static const size_t lengths[] = {
        1, 100, CAPTURE_CARRY_BYTES - 1, CAPTURE_CARRY_BYTES, CAPTURE_CARRY_BYTES + 1, 7};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(said + bytes, (int)('a' + i), lengths[i]);
        bytes += lengths[i];
        said[bytes - 1] = '\n';
    }
    for (size_t piece = 1; piece < bytes * 3; piece = piece * 5 + 1) {
        struct sink sink;
        struct capture c;
        int ends[2];
        cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
        cr_assert(sink_open(&sink, ends[1]));
        cr_assert(capture_init(&c, &sink));
        for (size_t i = 0; i < bytes; i += piece)
            capture_add(&c, said + i, piece < bytes - i ? piece : bytes - i);
        capture_end(&c);
        size_t total = 0;
        do {
            total += read_all(ends[0], got + total, sizeof got - total);
            sink_pump(&sink);
        } while (sink.count > 0);
        total += read_all(ends[0], got + total, sizeof got - total);
        cr_expect_eq(total, bytes);
        cr_expect_eq(memcmp(got, said, bytes), 0, "pieces of %zu", piece);
        capture_done(&c);
        sink_close(&sink);
        close(ends[0]);
        close(ends[1]);
    }
}

Test(capture, notices_that_nobody_reads)
{
    int ends[2];
    struct sink sink;
    struct capture c;
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(pipe(ends), 0);
    close(ends[0]);
    cr_assert(sink_open(&sink, ends[1]));
    cr_assert(capture_init(&c, &sink));
    capture_add(&c, "line\n", 5);
    cr_expect(sink.broken);
    capture_done(&c);
    sink_close(&sink);
    close(ends[1]);
}

/* ---- sink */

static size_t count_of(char c, const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += text[i] == c;
    return count;
}

/* Nobody reads: nothing waits, whole lines are lost, and each is accounted for. */
Test(sink, drops_whole_lines_and_counts_them)
{
    enum { LINE = 1000, LINES = 4000 };
    static char line[LINE];
    static char got[LINE * LINES];
    struct sink sink;
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0); /* blocking, as we may find it */
    cr_assert(sink_open(&sink, ends[1]));
    for (size_t i = 0; i < LINES; i++) {
        memset(line, (int)('a' + i % 26), sizeof line - 1);
        line[sizeof line - 1] = '\n';
        sink_put(&sink, line, sizeof line);
    }
    cr_expect_gt(sink.dropped, 0u);
    cr_expect_eq(sink_take_dropped(&sink), 0u, "told before there is room");
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    size_t bytes = 0;
    while (sink.count > 0) {
        bytes += read_all(ends[0], got + bytes, sizeof got - bytes);
        sink_pump(&sink);
    }
    bytes += read_all(ends[0], got + bytes, sizeof got - bytes);
    uint64_t dropped = sink_take_dropped(&sink);
    cr_expect_eq(bytes % LINE, 0u);
    cr_expect_eq(bytes / LINE + dropped, (size_t)LINES);
    cr_expect_eq(count_of('\n', got, bytes), bytes / LINE);
    for (size_t i = 0; i < bytes; i += LINE)
        cr_assert_eq(got[i], got[i + LINE - 2], "line %zu is of two", i / LINE);
    cr_expect_eq(sink_take_dropped(&sink), 0u);
    sink_close(&sink);
    close(ends[0]);
    close(ends[1]);
}

Test(sink, asks_for_patience_while_somebody_reads_and_not_for_ever)
{
    static char page[4096];
    struct sink sink;
    int ends[2];
    memset(page, 'x', sizeof page - 1);
    page[sizeof page - 1] = '\n';
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert(sink_open(&sink, ends[1]));
    int64_t now_ms = clock_mono_ms();
    while (sink_takes(&sink, now_ms))
        sink_put(&sink, page, sizeof page);
    cr_expect_eq(sink.dropped, 0u);
    cr_expect_eq(sink_wake_ms(&sink, now_ms), sink.progress_ms + SINK_PATIENCE_MS);
    cr_expect_not(sink_takes(&sink, sink.progress_ms + SINK_PATIENCE_MS - 1));
    cr_expect(sink_takes(&sink, sink.progress_ms + SINK_PATIENCE_MS));
    for (int i = 0; i < 10; i++)
        sink_put(&sink, page, sizeof page);
    sink.progress_ms -= 2 * SINK_PATIENCE_MS;
    cr_expect_eq(read(ends[0], page, sizeof page), (ssize_t)sizeof page);
    sink_pump(&sink);
    cr_expect_not(sink_takes(&sink, clock_mono_ms()), "it read a little: that is worth waiting for");
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    sink_close(&sink);
    close(ends[1]);
}

/* A terminal of somebody else (as under sudo) cannot be opened anew: its descriptor is written to as it is, and it
 * blocks. */
Test(sink, does_not_wait_for_a_terminal_that_nobody_reads, .timeout = 20)
{
    static char lines[8192];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(master, 0);
    cr_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(terminal, 0);
    for (size_t i = 0; i < sizeof lines; i++)
        lines[i] = i % 10 == 9 ? '\n' : 'x';
    struct sink sink;
    if (geteuid() == 0) { /* to whom every terminal opens */
        cr_assert_eq(setegid(65534), 0);
        cr_assert_eq(fchmod(terminal, 0), 0);
        cr_assert_eq(seteuid(65534), 0);
    } else {
        cr_assert_eq(fchmod(terminal, 0), 0);
    }
    cr_assert(sink_open(&sink, terminal));
    cr_assert(!sink.own && sink.fd == terminal);
    for (int i = 0; i < 200; i++) {
        sink_put(&sink, lines, sizeof lines);
        sink_pump(&sink);
    }
    cr_expect_gt(sink.dropped, 0u);
    cr_expect_not(sink.broken);
    sink.count = 0;
    sink_close(&sink);
    close(terminal);
    close(master);
}

/* ---- work_env */

static const char *find(const struct work_env *e, const char *name)
{
    const char *found = NULL;
    size_t len = strlen(name);
    for (size_t i = 0; e->entries[i]; i++) {
        if (strncmp(e->entries[i], name, len) == 0 && e->entries[i][len] == '=') {
            cr_expect_null(found, "%s is there twice", name);
            found = e->entries[i] + len + 1;
        }
    }
    return found;
}

Test(work_env, names_headers_in_capitals_and_drops_stale_ones)
{
    char *inherited[] = {(char[]){"PATH=/bin"}, (char[]){"SHUNT_HEADER_OLD=1"}, (char[]){"SHUNT_TOPIC=outer"},
                         (char[]){"SHUNT_URL=shunt://x"}, NULL};
    struct work_env e;
    work_env_init(&e, inherited);
    work_env_set(&e, "SHUNT_TOPIC", "inner");
    work_env_set_header(&e, "content-type", 12, "text/plain", 10);
    work_env_set_header(&e, "Content.Type", 12, "later", 5);
    work_env_set_header(&e, "\xc3\xa4", 2, "a\0b", 3);
    work_env_set_header(&e, "empty", 5, NULL, 0);
    cr_assert_not(e.failed);
    cr_expect_str_eq(find(&e, "PATH"), "/bin");
    cr_expect_str_eq(find(&e, "SHUNT_URL"), "shunt://x");
    cr_expect_str_eq(find(&e, "SHUNT_TOPIC"), "inner");
    cr_expect_null(find(&e, "SHUNT_HEADER_OLD"));
    cr_expect_str_eq(find(&e, "SHUNT_HEADER_CONTENT_TYPE"), "text/plain");
    cr_expect_str_eq(find(&e, "SHUNT_HEADER___"), "a?b");
    cr_expect_str_eq(find(&e, "SHUNT_HEADER_EMPTY"), "");
    work_env_done(&e);
}

/* ---- work_identity */

Test(work_identity, is_that_of_the_file_that_runs)
{
    const struct {
        const char *path;
        char *words[5];
        const char *name;
    } rows[] = {
        {"/bin/sleep", {(char[]){"sleep"}, (char[]){"/etc/passwd"}}, "sleep"},
        {"/usr/bin/python3.11",
         {(char[]){"python3.11"}, (char[]){"-u"}, (char[]){"/etc/passwd"}, (char[]){"/etc/group"}},
         "passwd"},
        {"/usr/bin/env", {(char[]){"env"}, (char[]){"A=b"}, (char[]){"/etc/passwd"}}, "passwd"},
        {"/bin/sh", {(char[]){"sh"}, (char[]){"-c"}, (char[]){"/etc/passwd"}}, "sh"},
        {"/usr/bin/perl", {(char[]){"perl"}, (char[]){"-e"}, (char[]){"/etc/passwd"}}, "perl"},
        {"/bin/sh", {(char[]){"sh"}, (char[]){"no-such-file"}}, "sh"},
        {"/bin/sh", {(char[]){"sh"}}, "sh"},
        {"/usr/bin/pythonic", {(char[]){"pythonic"}, (char[]){"/etc/passwd"}}, "pythonic"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct work_identity identity;
        char name[64];
        work_identity_of(&identity, rows[i].path, rows[i].words);
        (void)snprintf(name, sizeof name, "%s-%ld", rows[i].name, (long)getpid());
        cr_expect_str_eq(identity.client, name, "row %zu", i);
    }
    struct work_identity identity;
    work_identity_of(&identity, "/nonexistent", (char *[]){NULL});
    cr_expect_str_eq(identity.build, "");
}

Test(work_identity, is_text_within_the_bound_whatever_the_file_is_called)
{
    char path[300] = "/nonexistent/\xff";
    struct work_identity identity;
    for (size_t i = 0; i < 60; i++)
        strcat(path, "\xe2\x82\xac");
    work_identity_of(&identity, path, (char *[]){NULL});
    cr_expect_lt(strlen(identity.client), sizeof identity.client);
    cr_expect(utf8_valid(identity.client, strlen(identity.client)));
    cr_expect_eq(identity.client[0], '?');
}
