/* lines, work_answer: what comes from a command that stands. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "cli/work_answer.h"

Test(lines, come_whole_in_whatever_pieces_they_were_sent)
{
    static const char said[] = "one\n\ntwo words\nthree";
    static const char *const expected[] = {"one", "", "two words"};
    for (size_t piece = 1; piece <= sizeof said; piece++) {
        struct lines lines = {0};
        size_t found = 0;
        for (size_t i = 0; i < sizeof said - 1; i += piece) {
            const char *line = NULL;
            size_t bytes = 0;
            lines_add(&lines, said + i, piece < sizeof said - 1 - i ? piece : sizeof said - 1 - i);
            while (lines_next(&lines, &line, &bytes)) {
                cr_assert_lt(found, 3);
                cr_expect_eq(bytes, strlen(expected[found]), "pieces of %zu", piece);
                cr_expect_eq(memcmp(line, expected[found], bytes), 0, "pieces of %zu", piece);
                found++;
            }
        }
        cr_expect_eq(found, 3, "pieces of %zu", piece);
        cr_expect(lines_takes(&lines));
        lines_done(&lines);
    }
}

/* The bound is kept with and without the newline in sight, and what is kept in memory with it. */
Test(lines, are_at_most_so_long)
{
    static char said[LINE_BYTES_MAX + 2];
    for (size_t length = LINE_BYTES_MAX - 1; length <= LINE_BYTES_MAX + 1; length++) {
        for (int ended = 0; ended < 2; ended++) {
            struct lines lines = {0};
            const char *line = NULL;
            size_t bytes = 0;
            memset(said, 'x', sizeof said);
            said[length] = '\n';
            lines_add(&lines, said, length + (size_t)ended);
            bool fits = length <= LINE_BYTES_MAX;
            cr_expect_eq(lines_next(&lines, &line, &bytes), fits && ended, "%zu bytes", length);
            cr_expect_eq(lines_takes(&lines), fits, "%zu bytes", length);
            lines_done(&lines);
        }
    }
}

static const char *refused(const char *line, size_t bytes)
{
    static char why[ANSWER_WHY_BYTES];
    struct answer answer;
    (void)snprintf(why, sizeof why, "(taken)");
    if (answer_read(&answer, line, bytes, "t/1", why))
        answer_done(&answer);
    return why;
}

Test(work_answer, says_what_is_wrong_with_a_line)
{
    static const char *const cases[][2] = {
        {"{\"id\":\"t/1\",\"outcome\":\"ack\"}", "(taken)"},
        {" {\"outcome\" : \"nack\", \"id\":\"t/1\", \"error_type\": null, \"delay_ms\":0} \r", "(taken)"},
        {"", "this line is no answer"},
        {"null", "this line is no answer"},
        {"{\"id\":\"t/1\",\"outcome\":\"ack\"} {}", "this line is no answer"},
        {"{\"id\":\"t/1\",\"id\":\"t/1\",\"outcome\":\"ack\"}", "this line is no answer"},
        {"{\"id\":1,\"outcome\":\"ack\"}", "the answer has no id"},
        {"{\"id\":\"t/2\",\"outcome\":\"ack\"}", "an answer for t/2, while the message is t/1"},
        {"{\"id\":\"t/1\"}", "the answer has no outcome"},
        {"{\"id\":\"t/1\",\"outcome\":null}", "the answer's outcome is"},
        {"{\"id\":\"t/1\",\"outcome\":\"nack\",\"delay_ms\":-1}", "the answer's delay_ms is"},
        {"{\"id\":\"t/1\",\"outcome\":\"nack\",\"delay_ms\":1.5}", "the answer's delay_ms is"},
        {"{\"id\":\"t/1\",\"outcome\":\"nack\",\"delay_ms\":315360000000}", "(taken)"},
        {"{\"id\":\"t/1\",\"outcome\":\"nack\",\"delay_ms\":315360000001}", "the answer's delay_ms is"},
        {"{\"id\":\"t/1\",\"outcome\":\"ack\",\"delay_ms\":1}", "delay_ms goes with"},
        {"{\"id\":\"t/1\",\"outcome\":\"reject\",\"error_stack\":[]}", "the answer's error_stack is a text"},
        {"{\"id\":\"t/1\",\"outcome\":\"release\",\"fingerprint\":\"f\"}", "an error goes with"},
        {"{\"id\":\"t/1\",\"outcome\":\"ack\",\"x\":1}", "an answer has no member x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = refused(cases[i][0], strlen(cases[i][0]));
        cr_expect_eq(strncmp(why, cases[i][1], strlen(cases[i][1])), 0, "%s: %s", cases[i][0], why);
    }
}

Test(work_answer, does_not_let_a_line_command_a_terminal)
{
    static const char line[] = "\x1b[2J\0\xff hello";
    const char *why = refused(line, sizeof line - 1);
    cr_expect_null(strchr(why, '\x1b'));
    cr_expect_null(strchr(why, '\xff'));
}

Test(work_answer, keeps_the_text_of_an_error_behind_a_nul)
{
    static const char line[] =
        "{\"id\":\"t/1\",\"outcome\":\"reject\",\"error_message\":\"a\\u0000b\",\"error_stack\":\"c\\nd\"}";
    char why[ANSWER_WHY_BYTES];
    struct answer answer;
    cr_assert(answer_read(&answer, line, sizeof line - 1, "t/1", why), "%s", why);
    cr_expect_eq(answer.outcome, SHUNT_REJECT);
    cr_expect_str_eq(answer.failure.message, "a?b");
    cr_expect_str_eq(answer.failure.stack, "c\nd");
    cr_expect_null(answer.failure.type);
    answer_done(&answer);
}
