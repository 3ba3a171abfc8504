/* api_table, guard: which call a request is, and whose it may be. */
#include "broker/http/api_table.h"
#include "broker/http/guard.h"

#include <criterion/criterion.h>
#include <string.h>

static enum api_found find(const char *method, const char *path, struct api_match *ret)
{
    static struct target t; /* parameters lie in it */
    const char *why;
    target_done(&t);
    cr_assert(target_read(path, &t, &why));
    return api_find(method, &t, ret);
}

Test(api_table, a_path_and_a_method_are_one_call)
{
    struct api_match match;
    cr_assert_eq(find("PATCH", "/api/v1/topics/t/groups/g/dlq/causes/c", &match), API_FOUND);
    cr_assert_eq(match.row->op, OP_CAUSE_UPDATE);
    cr_assert_eq(match.parameters_count, 3);
    cr_assert(slice_is(match.parameters[2].name, "cause") && slice_is(match.parameters[2].value, "c"));
    cr_assert_eq(find("HEAD", "/api/v1/stats", &match), API_FOUND);
    cr_assert_eq(match.row->op, OP_STATS);
    cr_assert_eq(find("get", "/api/v1/stats", &match), API_OTHER_METHOD);
    cr_assert_eq(find("POST", "/api/v1/stats", &match), API_OTHER_METHOD);
    cr_assert_eq(find("GET", "/api/v1/stats/x", &match), API_NO_PATH);
    cr_assert_eq(find("GET", "/api/v1", &match), API_FOUND);
    cr_assert_eq(match.row->what, API_LIST);
    cr_assert_eq(find("GET", "/api", &match), API_NO_PATH);
}

Test(api_table, no_two_calls_have_the_same_method_and_path)
{
    for (unsigned i = 0; i < api_rows_count; i++) {
        struct api_match match;
        cr_assert_eq(find(api_rows[i].method, api_rows[i].path, &match), API_FOUND);
        cr_assert_eq(match.row, &api_rows[i], "%s %s is also %s", api_rows[i].method, api_rows[i].path,
                     match.row->request);
    }
}

Test(guard, hosts_of_ours_are_loopback_and_those_of_the_list)
{
    static const char *const ours[] = {"localhost",  "LocalHost:80",      "127.0.0.1", "127.9.9.9:1",
                                       "[::1]:7481", "[0:0:0:0:0:0:0:1]", "a.example", "B.example:9"};
    static const char *const others[] = {"",
                                         ":80",
                                         "evil",
                                         "localhost.",
                                         "localhost.evil",
                                         "127.0.0.1.evil",
                                         "127.0.0.1:80:80",
                                         "[127.0.0.1]",
                                         "[::1",
                                         "::1",
                                         "[::2]",
                                         "[::ffff:127.0.0.1]",
                                         "a.exampl",
                                         "a.example.b",
                                         ",",
                                         "a.example,b.example",
                                         "127.0.0.1 ",
                                         "0x7f.1",
                                         "localhost:x",
                                         "2130706433"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        cr_assert(guard_host_is_ours(ours[i], "a.example, b.example"), "%s", ours[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        cr_assert_not(guard_host_is_ours(others[i], "a.example, b.example"), "%s", others[i]);
    cr_assert_not(guard_host_is_ours("a.example", ""));
    cr_assert_not(guard_host_is_ours("a.example", NULL));
}

/* What is said of a request with these headers. */
static enum problem_code said_by(bool https, const char *const (*headers)[2], size_t count)
{
    struct guard g = {.magic = GUARD_MAGIC, .hosts = "", .https = https};
    struct problem p = {0};
    for (size_t i = 0; i < count; i++)
        guard_host(&g, headers[i][0], headers[i][1]);
    for (size_t i = 0; i < count; i++)
        guard_header(&g, headers[i][0], headers[i][1]);
    if (guard_lets_in(&g, &p))
        (void)guard_is_json(&g, &p);
    return p.code;
}

static enum problem_code said(const char *const (*headers)[2], size_t count)
{
    return said_by(false, headers, count);
}

Test(guard, a_page_that_came_plainly_is_another_site_for_https)
{
    static const char *const plain[][2] = {
        {"Host", "localhost:1"}, {"Origin", "http://localhost:1"}, {"Content-Type", "application/json"}};
    static const char *const secure[][2] = {
        {"Host", "localhost:1"}, {"Origin", "https://localhost:1"}, {"Content-Type", "application/json"}};
    cr_assert_eq(said_by(true, plain, 3), PROBLEM_CROSS_SITE);
    cr_assert_eq(said_by(true, secure, 3), PROBLEM_NONE);
    cr_assert_eq(said_by(false, plain, 3), PROBLEM_NONE);
    cr_assert_eq(said_by(false, secure, 3), PROBLEM_NONE, "by a proxy");
}

Test(guard, headers_in_any_order_decide)
{
    static const char *const good[][2] = {{"origin", "http://localhost:1"},
                                          {"HOST", "localhost:1"},
                                          {"content-type", "application/json;charset=x"}};
    static const char *const two_hosts[][2] = {
        {"Host", "localhost"}, {"Host", "localhost"}, {"Content-Type", "application/json"}};
    static const char *const two_origins[][2] = {{"Host", "localhost"},
                                                 {"Origin", "http://localhost"},
                                                 {"Origin", "http://evil"},
                                                 {"Content-Type", "application/json"}};
    static const char *const two_types[][2] = {
        {"Host", "localhost"}, {"Content-Type", "text/plain"}, {"Content-Type", "application/json"}};
    static const char *const fetched[][2] = {
        {"Host", "localhost"}, {"Sec-Fetch-Site", "same-site"}, {"Content-Type", "application/json"}};
    cr_assert_eq(said(good, 3), PROBLEM_NONE);
    cr_assert_eq(said(good, 1), PROBLEM_WRONG_HOST, "no Host at all");
    cr_assert_eq(said(two_hosts, 3), PROBLEM_WRONG_HOST);
    cr_assert_eq(said(two_origins, 4), PROBLEM_CROSS_SITE);
    cr_assert_eq(said(two_types, 3), PROBLEM_NOT_JSON);
    cr_assert_eq(said(fetched, 3), PROBLEM_CROSS_SITE);
}

Test(problem, it_says_what_is_wrong_and_what_to_do)
{
    struct problem p = {0};
    struct text t = {0};
    cr_assert_not(problem_is(&p, PROBLEM_BAD_FIELD, "a \"b\"\n%s", "\xff"));
    cr_assert_not(problem_is(&p, PROBLEM_NO_CALL, "the first counts"));
    problem_write(&p, &t);
    text_add_bytes(&t, "", 1);
    cr_assert_str_eq(t.data, "{\"type\":\"urn:shunt:problem:BAD_FIELD\",\"status\":400,\"code\":\"BAD_"
                             "FIELD\",\"title\":\"a field is unknown, missing or of another type\","
                             "\"detail\":\"a \\\"b\\\"\\n\\ufffd\",\"hint\":\"correct the field that the "
                             "detail names\",\"retry\":false}\n");
    text_done(&t);
    struct problem unknown = {0};
    (void)problem_is_error(&unknown, SHUNT_CLOSED, ""); /* no server sends it */
    cr_assert_eq(problem_status(&unknown), 500);
}
