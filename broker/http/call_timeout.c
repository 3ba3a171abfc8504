/* call_timeout: see call_timeout.h. */
#include "broker/http/call_timeout.h"

#include "base/clock.h"
#include "base/magic.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* Digits alone; 0 for anything else, or too much. */
static uint64_t read_ms(const char *text)
{
    uint64_t ms = 0;
    for (; *text; text++) {
        unsigned digit = (unsigned)*text - '0';
        if (digit > 9 || ms > CALL_TIMEOUT_MS_MAX)
            return 0;
        ms = ms * 10 + digit;
    }
    return ms > CALL_TIMEOUT_MS_MAX ? 0 : ms;
}

void call_timeout_header(struct call_timeout *t, const char *name, const char *value)
{
    if (strcasecmp(name, CALL_TIMEOUT_HEADER) != 0)
        return;
    t->seen++;
    t->ms = value ? read_ms(value) : 0;
    t->bad = !t->ms;
}

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    call_timeout_header(magic_of(context, call_timeout, CALL_TIMEOUT_MAGIC), name, value);
    return MHD_YES;
}

void call_timeout_read(struct call_timeout *t, struct MHD_Connection *connection)
{
    t->magic = CALL_TIMEOUT_MAGIC;
    t->since_ms = clock_mono_ms();
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, read_header,
                                    t); /* how many does not matter */
}

bool call_timeout_is_good(const struct call_timeout *t, bool fits, struct problem *ret)
{
    if (!t->seen)
        return true;
    if (!fits) {
        return problem_is(ret, PROBLEM_BAD_FIELD, "this call has no time-out: leave out the header %s",
                          CALL_TIMEOUT_HEADER);
    }
    if (t->seen > 1)
        return problem_is(ret, PROBLEM_BAD_FIELD, "the header %s is given twice", CALL_TIMEOUT_HEADER);
    if (t->bad) {
        return problem_is(ret, PROBLEM_BAD_FIELD, "%s must be a whole number of milliseconds from 1 to %u",
                          CALL_TIMEOUT_HEADER, CALL_TIMEOUT_MS_MAX);
    }
    return true;
}

bool call_timeout_wrap(const struct call_timeout *t, int64_t now_ms, struct mpack_buffer *frame)
{
    struct mpack_buffer within = {0};
    struct mpack_reader r;
    if (!t->ms || frame->failed)
        return !frame->failed;
    mpack_read_init(&r, frame->data + FRAME_HEADER_BYTES, frame->size - FRAME_HEADER_BYTES);
    uint32_t elements = mpack_read_array(&r); /* its op and id, for which time-out and op come */
    uint64_t op = mpack_read_uint(&r), id = mpack_read_uint(&r);
    uint64_t waited = now_ms > t->since_ms ? (uint64_t)(now_ms - t->since_ms) : 0;
    size_t begin = frame_begin(&within, OP_WITHIN, id, elements);
    mpack_write_uint(&within, waited < t->ms ? t->ms - waited : 0);
    mpack_write_uint(&within, op);
    mpack_write_raw(&within, r.at, (size_t)(r.end - r.at));
    frame_end(&within, begin);
    mpack_buffer_done(frame);
    *frame = within;
    return !frame->failed;
}
