/* head: which requests can be read in one way alone. */
#include "broker/http/head.h"

#include <criterion/criterion.h>
#include <string.h>

struct row {
    const char *why; /* what the refusal says; NULL: it is sound */
    bool body;
    const char *headers[6]; /* name and value in turn, up to a NULL name */
};

static const struct row rows[] = {
    {NULL, false, {"Host", "x"}},
    {NULL, false, {"Content-Length", "0"}},
    {NULL, false, {"Content-Length", "000 \t"}},
    {NULL, true, {"content-length", "10"}},
    {NULL, true, {"Content-Length", "010", "Authorization", "Bearer x"}},
    {NULL, true, {"transfer-encoding", "Chunked "}},
    {"there are 2 Content-Length headers", true, {"Content-Length", "5", "content-length", "5"}},
    {"there are 2 Content-Length headers", false, {"Content-Length", "0", "Content-Length", "5"}},
    {"there are 2 Transfer-Encoding headers",
     true,
     {"Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"}},
    {"there are both Content-Length and Transfer-Encoding",
     true,
     {"Transfer-Encoding", "chunked", "Content-Length", "5"}},
    {"there are both Content-Length and Transfer-Encoding",
     true,
     {"Content-Length", "0", "Transfer-Encoding", "chunked"}},
    {"Content-Length is not one number", true, {"Content-Length", "5, 5"}},
    {"Content-Length is not one number", true, {"Content-Length", "+5"}},
    {"Content-Length is not one number", true, {"Content-Length", "5 5"}},
    {"Content-Length is not one number", false, {"Content-Length", ""}},
    {"Content-Length is not one number", false, {"Content-Length", NULL}},
    {"Transfer-Encoding is not `chunked`", true, {"Transfer-Encoding", "gzip, chunked"}},
    {"Transfer-Encoding is not `chunked`", true, {"Transfer-Encoding", "chunkedx"}},
    {"Transfer-Encoding is not `chunked`", true, {"Transfer-Encoding", NULL}},
    {"there are 2 Authorization headers", false, {"Authorization", "Bearer x", "AUTHORIZATION", "Bearer x"}},
};

Test(head, what_two_could_read_in_two_ways_is_refused)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct head h = {.magic = HEAD_MAGIC};
        struct problem problem = {0};
        for (size_t k = 0; k < 6 && rows[i].headers[k]; k += 2)
            head_header(&h, rows[i].headers[k], rows[i].headers[k + 1]);
        bool sound = head_is_sound(&h, &problem);
        cr_assert_eq(sound, !rows[i].why, "%zu: %s", i, problem.detail);
        cr_assert_str_eq(problem.detail, rows[i].why ? rows[i].why : "", "%zu", i);
        cr_assert_eq(head_has_body(&h), rows[i].body, "%zu", i);
        cr_assert(sound || problem_status(&problem) == 400);
    }
}
