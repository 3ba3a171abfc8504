/* input: lines are what stands between newlines, however the reads fall. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"

struct seen {
    char text[256];
    size_t count;
    size_t bytes;
    size_t stop_after;
};

static bool note_line(void *context, const char *line, size_t bytes)
{
    struct seen *s = context;
    if (strlen(s->text) + bytes + 3 < sizeof s->text) {
        strcat(s->text, "[");
        strncat(s->text, line, bytes);
        strcat(s->text, "]");
    }
    s->bytes += bytes;
    return ++s->count != s->stop_after;
}

static void write_file(char *path, const char *bytes, size_t count)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    while (count > 0) {
        ssize_t put = write(fd, bytes, count);
        cr_assert_gt(put, 0);
        bytes += put;
        count -= (size_t)put;
    }
    close(fd);
}

static void expect_lines(const char *text, const char *wanted)
{
    char path[] = "/tmp/shunt-input-XXXXXX";
    struct seen s = {0};
    write_file(path, text, strlen(text));
    cr_expect_eq(input_lines(path, INPUT_BODY_BYTES_MAX, NULL, note_line, &s), 0);
    cr_expect_str_eq(s.text, wanted);
    unlink(path);
}

Test(input, lines_are_kept_as_they_are)
{
    expect_lines("", "");
    expect_lines("a", "[a]");
    expect_lines("a\n", "[a]");
    expect_lines("a\n\nb\r\n", "[a][][b\r]");
    expect_lines("\n", "[]");
}

Test(input, a_million_bytes_of_lines_lose_none)
{
    char path[] = "/tmp/shunt-input-XXXXXX";
    size_t count = 3000000;
    char *text = malloc(count);
    struct seen s = {0};
    size_t newlines = 0;
    cr_assert_not_null(text);
    for (size_t i = 0; i < count; i++) {
        text[i] = i * i % 97 == 0 ? '\n' : 'x';
        newlines += text[i] == '\n';
    }
    text[count - 1] = '\n';
    newlines += (count - 1) * (count - 1) % 97 != 0;
    write_file(path, text, count);
    cr_expect_eq(input_lines(path, INPUT_BODY_BYTES_MAX, NULL, note_line, &s), 0);
    cr_expect_eq(s.count, newlines);
    cr_expect_eq(s.bytes + s.count, count);
    unlink(path);
    free(text);
}

Test(input, reading_ends_when_the_receiver_says_so)
{
    char path[] = "/tmp/shunt-input-XXXXXX";
    struct seen s = {.stop_after = 2};
    write_file(path, "a\nb\nc\nd", 7);
    cr_expect_eq(input_lines(path, INPUT_BODY_BYTES_MAX, NULL, note_line, &s), 0);
    cr_expect_str_eq(s.text, "[a][b]");
    unlink(path);
}

Test(input, a_body_may_have_16_mib_and_no_byte_more)
{
    char path[] = "/tmp/shunt-input-XXXXXX";
    size_t most = INPUT_BODY_BYTES_MAX;
    char *text = malloc(most + 1);
    struct input in = {0};
    struct seen s = {0};
    cr_assert_not_null(text);
    memset(text, 'x', most + 1);
    write_file(path, text, most);
    cr_expect_eq(input_read(path, &in), 0);
    cr_expect_eq(in.count, most);
    free(in.bytes);
    cr_expect_eq(input_lines(path, INPUT_BODY_BYTES_MAX, NULL, note_line, &s), 0);
    cr_expect_eq(s.bytes, most);
    unlink(path);
    char longer[] = "/tmp/shunt-input-XXXXXX";
    write_file(longer, text, most + 1);
    cr_expect_eq(input_read(longer, &in), EFBIG);
    cr_expect_eq(input_lines(longer, INPUT_BODY_BYTES_MAX, NULL, note_line, &s), EFBIG);
    unlink(longer);
    free(text);
}

Test(input, what_cannot_be_read_is_an_error)
{
    struct input in = {0};
    cr_expect_eq(input_read("/nonexistent/file", &in), ENOENT);
    cr_expect_eq(input_read("/", &in), EISDIR);
    cr_expect_eq(input_lines("/", INPUT_BODY_BYTES_MAX, NULL, note_line, NULL), EISDIR);
}
