/* diagnosis: which line of a program's last words says what failed, and what of. SAID is the folder of
 * said/README.md. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/worker/diagnosis.h"

/* Feed `text` in pieces; the result lives as long as *d. */
static void diagnose(struct shunt_diagnosis *d, const char *text, size_t bytes, size_t piece,
                     const char **type, const char **message)
{
    diagnosis_init(d);
    for (size_t i = 0; i < bytes; i += piece)
        shunt_diagnosis_add(d, text + i, piece < bytes - i ? piece : bytes - i);
    (void)shunt_diagnosis_read(d, type, message); /* without words the message is "" */
}

static void expect(const char *text, const char *type, const char *message)
{
    struct shunt_diagnosis d;
    const char *got_type = NULL;
    const char *got_message = NULL;
    diagnose(&d, text, strlen(text), strlen(text) + 1, &got_type, &got_message);
    cr_expect_str_eq(got_message, message, "of: %s", text);
    cr_expect_str_eq(got_type ? got_type : "-", type ? type : "-", "of: %s", text);
}

static char *read_file(const char *name, size_t *ret_bytes)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", SAID, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    char *text = calloc(1, 1 << 20);
    cr_assert_not_null(text);
    *ret_bytes = fread(text, 1, (1 << 20) - 1, file);
    (void)fclose(file);
    return text;
}

static void expect_sample(const char *name, const char *type, const char *message)
{
    static const size_t pieces[] = {1, 7, 4096, 1 << 20};
    char file[128];
    size_t bytes = 0;
    (void)snprintf(file, sizeof file, "%s.said", name);
    char *text = read_file(file, &bytes);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct shunt_diagnosis d;
        const char *got_type = NULL;
        const char *got_message = NULL;
        diagnose(&d, text, bytes, pieces[i], &got_type, &got_message);
        cr_expect_str_eq(got_message, message, "%s in pieces of %zu", name, pieces[i]);
        cr_expect_str_eq(got_type ? got_type : "-", type, "%s in pieces of %zu", name, pieces[i]);
    }
    free(text);
}

static size_t count_samples(void)
{
    size_t count = 0;
    DIR *folder = opendir(SAID);
    cr_assert_not_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strstr(entry->d_name, ".said") != NULL;
    (void)closedir(folder);
    return count;
}

/* A row is `NAME CLASS LINE`. */
Test(diagnosis, finds_what_real_programs_failed_of)
{
    size_t bytes = 0;
    size_t count = 0;
    char *rest = read_file("expected.txt", &bytes);
    char *all = rest;
    for (char *row; (row = strsep(&rest, "\n")) && *row; count++) {
        const char *name = strsep(&row, " ");
        const char *type = strsep(&row, " ");
        cr_assert_not_null(row, "%s", name);
        expect_sample(name, type, row);
    }
    cr_expect_eq(count, count_samples());
    free(all);
}

Test(diagnosis, knows_shapes_of_other_versions)
{
    expect("thread 'main' panicked at 'order 17', src/main.rs:4:10\nnote: run with `RUST_BACKTRACE=1`\n",
           "panic", "thread 'main' panicked at 'order 17', src/main.rs:4:10");
    expect("orders.rb:3:in 'load': order 17 (RuntimeError)\n\tfrom orders.rb:7:in '<main>'\n", "RuntimeError",
           "orders.rb:3:in 'load': order 17 (RuntimeError)");
    expect("Unhandled exception. System.InvalidOperationException: order 17\n   at Program.Main() in "
           "/srv/P.cs:line 3\n",
           "System.InvalidOperationException",
           "Unhandled exception. System.InvalidOperationException: order 17");
    expect("libc++abi: terminating due to uncaught exception of type std::runtime_error: order 17\n",
           "std::runtime_error",
           "libc++abi: terminating due to uncaught exception of type std::runtime_error: order 17");
    expect("** (RuntimeError) order 17\n    orders.exs:1: (file)\n", "RuntimeError",
           "** (RuntimeError) order 17");
    expect("Fatal error: exception Failure(\"order 17\")\nRaised at Stdlib.failwith in file \"stdlib.ml\", "
           "line 29\nCalled from Dune\n",
           "Failure", "Fatal error: exception Failure(\"order 17\")");
    expect("Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n  "
           "File \"x.py\", line 3 in f\n",
           NULL, "Fatal Python error: Segmentation fault");
    expect("orders.Validation: 3 errors\ncustomer\n  missing\naddress\n  missing\nsum\n  below 0\ndate\n  in "
           "the past\n",
           NULL, "in the past");
    expect("Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    g()\norders.Validation: 4 "
           "errors\ncustomer\n"
           "  missing\naddress\n  missing\nsum\n  below 0\ndate\n  in the past\n",
           "orders.Validation", "orders.Validation: 4 errors");
}

Test(diagnosis, is_the_last_line_where_nothing_is_known)
{
    expect("", NULL, "");
    expect(" \n\t\r\n", NULL, "");
    expect("one\ntwo\n", NULL, "two");
    expect("one\ntwo", NULL, "two");
    expect("  one  \r\n\n", NULL, "one");
    expect("10 %\r20 %\rcannot go on", NULL, "cannot go on");
    expect("    at the end of the day: nothing\n", NULL, "at the end of the day: nothing");
    expect("Error: no such order\n", NULL, "Error: no such order");
}

Test(diagnosis, is_not_a_failure_that_was_got_over)
{
    expect(
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    g()\nValueError: got over\n"
        "retrying\nretrying\nretrying\nretrying\ngiving up: the disk is full\n",
        NULL, "giving up: the disk is full");
    expect("java.io.IOException: got over\n\tat a.B.c(B.java:1)\njava.io.IOException: the last\n\tat "
           "a.B.c(B.java:1)\n",
           "java.io.IOException", "java.io.IOException: the last");
    expect("panic: got over\n\ngoroutine 1 [running]:\nmain.main()\n\nTraceback (most recent call last):\n"
           "  File \"x.py\", line 1\nKeyError: 'x'\n",
           "KeyError", "KeyError: 'x'");
}

Test(diagnosis, goes_with_a_message_of_several_lines)
{
    expect(
        "app.NoCustomer: order 17\nsee the log\nor ask\nsomebody\nelse\n\tat app.Orders.load(Orders.java:1)\n"
        "Caused by: app.Other: because\nof that\n\tat app.Orders.load(Orders.java:2)\n",
        "app.NoCustomer", "app.NoCustomer: order 17");
}

Test(diagnosis, cuts_between_characters)
{
    static char said[100000];
    struct shunt_diagnosis d;
    const char *type = NULL;
    const char *message = NULL;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(said, 'x', shift);
        for (size_t i = shift; i + 3 <= sizeof said; i += 3)
            memcpy(said + i, "\xe2\x82\xac", 3);
        diagnose(&d, said, sizeof said - 4, 4096, &type, &message);
        size_t bytes = strlen(message);
        cr_expect_leq(bytes, (size_t)DIAGNOSIS_LINE_BYTES);
        cr_expect_gt(bytes, (size_t)DIAGNOSIS_LINE_BYTES - 3);
        cr_expect_eq((bytes - shift) % 3, 0, "%zu bytes", bytes);
    }
}

/* At the bound and beyond it, and what no text should hold. */
Test(diagnosis, takes_lines_of_any_length_and_content)
{
    static char said[4 * DIAGNOSIS_LINE_BYTES];
    struct shunt_diagnosis d;
    const char *type = NULL;
    const char *message = NULL;
    for (size_t bytes = DIAGNOSIS_LINE_BYTES - 1; bytes <= DIAGNOSIS_LINE_BYTES + 5; bytes++) {
        memset(said, 'x', bytes);
        diagnose(&d, said, bytes, 100, &type, &message);
        cr_expect_eq(strlen(message), bytes < DIAGNOSIS_LINE_BYTES ? bytes : DIAGNOSIS_LINE_BYTES);
    }
    memset(said, ' ', sizeof said);
    memcpy(said + sizeof said - 5, "words", 5);
    diagnose(&d, said, sizeof said, 100, &type, &message);
    cr_expect_str_eq(message, "words");
    diagnose(&d, "a\0b", 3, 1, &type, &message);
    cr_expect_str_eq(message, "a?b");
}
