/* problem: see problem.h. */
#include "broker/http/problem.h"

#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>

struct row {
    const char *name, *title, *hint;
    unsigned status;
    bool retry;
};

static const struct row http_rows[] = {
    {0},
#define OF_ERROR(NAME, status, hint)
#define OF_HTTP(NAME, status, retry, title, hint) {#NAME, title, hint, status, retry},
#include "broker/http/problem.def"
#undef OF_ERROR
#undef OF_HTTP
};

/* What an error of the protocol comes to here. */
static bool find_error(int err, struct row *ret)
{
    switch (err) {
#define OF_ERROR(NAME, status, hint)                                                                         \
    case SHUNT_##NAME:                                                                                       \
        *ret = (struct row){#NAME, err_text(err), hint, status, err_may_retry(err)};                         \
        return true;
#define OF_HTTP(NAME, status, retry, title, hint)
#include "broker/http/problem.def"
#undef OF_ERROR
#undef OF_HTTP
    default:
        return false;
    }
}

static struct row row_of(const struct problem *p)
{
    struct row row = {0};
    if (!p->err)
        return http_rows[p->code];
    if (!find_error(p->err, &row))
        (void)find_error(SHUNT_INTERNAL, &row); /* it is in the table */
    return row;
}

bool problem_is(struct problem *p, enum problem_code code, const char *format, ...)
{
    va_list args;
    if (!problem_is_none(p))
        return false;
    p->code = code;
    va_start(args, format);
    (void)vsnprintf(p->detail, sizeof p->detail, format, args); /* a detail may be cut … */
    va_end(args);
    utf8_mend(p->detail); /* … between characters */
    return false;
}

bool problem_is_error(struct problem *p, int err, const char *detail)
{
    if (!problem_is_none(p))
        return false;
    p->err = err;
    (void)snprintf(p->detail, sizeof p->detail, "%s", detail);
    utf8_mend(p->detail);
    return false;
}

void problem_read_wait(struct problem *p, struct mpack_reader *r)
{
    (void)mpack_read_bool(r); /* whether it may be tried again: the table has that */
    if (mpack_peek(r) == MPACK_INT)
        p->retry_after_ms = mpack_read_int(r);
}

unsigned problem_status(const struct problem *p)
{
    return row_of(p).status;
}

bool problem_may_pass(const struct problem *p)
{
    return row_of(p).retry;
}

static void member(struct text *to, const char *name, const char *value)
{
    text_add(to, ",\"");
    text_add(to, name);
    text_add(to, "\":");
    text_add_json(to, value);
}

void problem_write(const struct problem *p, struct text *to)
{
    struct row row = row_of(p);
    text_add(to, "{\"type\":\"urn:shunt:problem:");
    text_add(to, row.name);
    text_add(to, "\",\"status\":");
    text_add_u64(to, row.status);
    member(to, "code", row.name);
    member(to, "title", row.title);
    if (p->detail[0])
        member(to, "detail", p->detail);
    member(to, "hint", row.hint);
    if (p->accepted) {
        text_add(to, ",\"accepted\":");
        text_add_u64(to, p->accepted);
        text_add(to, ",\"first_seq\":");
        text_add_u64(to, p->first_seq);
    }
    if (p->retry_after_ms > 0) {
        text_add(to, ",\"retry_after_ms\":");
        text_add_u64(to, (uint64_t)p->retry_after_ms);
    }
    text_add(to, row.retry ? ",\"retry\":true}\n" : ",\"retry\":false}\n");
}
