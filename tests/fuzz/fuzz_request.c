/* fuzz_request: any bytes as the payload of a frame, read as the request that it says it is. */
#include "proto/errors.h"
#include "proto/request.h"
#include "tests/fuzz/fuzz.h"

static const struct {
    request_read_fn *read;
    const struct request_form *form;
} rows[] = {
#define REQUEST(NAME, name, number, right, effect, answer) [number] = {request_read_##name, &request_##name},
#include "proto/request.def"
};

static struct request_source source_of(struct slice bytes)
{
    struct request_source from;
    mpack_read_init(&from.r, bytes.data, bytes.size);
    request_source_init(&from);
    return from;
}

static struct slice whole(const struct mpack_buffer *b)
{
    return (struct slice){b->data, b->size};
}

/* What is written of it is read as the same: written again it is the same bytes. */
static void write_and_read(size_t op, const union request_fields *fields)
{
    struct mpack_buffer first = {0}, second = {0};
    union request_fields again;
    uint32_t count = rows[op].form->write(&first, fields);
    struct request_source from = source_of(whole(&first));
    rows[op].read(&from, &again);
    MUST(request_verdict(&from) == 0);
    MUST(rows[op].form->write(&second, &again) == count);
    MUST(slice_equal(whole(&first), whole(&second)));
    mpack_buffer_done(&first);
    mpack_buffer_done(&second);
}

static void look_at_entries(const struct wire_list *list)
{
    struct request_source from = source_of(list->bytes);
    for (uint32_t i = 0; i < list->count; i++) {
        struct mpack_buffer first = {0}, second = {0};
        struct wire_entry e, again;
        request_read_wire_entry(&from, &e);
        if (from.r.failed)
            return;
        MUST(e.delay_or_extend >= NONE_ms && e.delay_or_extend <= DURATION_MS_MAX + 1);
        MUST(e.outcome <= OUTCOME_LATE || e.outcome == OUTCOME_UNKNOWN);
        request_write_wire_entry(&first, &e);
        struct request_source written = source_of(whole(&first));
        request_read_wire_entry(&written, &again);
        MUST(!written.r.failed);
        request_write_wire_entry(&second, &again);
        MUST(slice_equal(whole(&first), whole(&second)));
        mpack_buffer_done(&first);
        mpack_buffer_done(&second);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union request_fields fields;
    if (!mpack_check(data, size, FRAME_DEPTH_MAX))
        return 0;
    struct request_source from = source_of((struct slice){data, size});
    if (mpack_read_array(&from.r) < 2)
        return 0;
    uint64_t op = mpack_read_uint(&from.r);
    (void)mpack_read_uint(&from.r); /* the request's id */
    if (from.r.failed || op >= sizeof rows / sizeof *rows || !rows[op].read)
        return 0;
    rows[op].read(&from, &fields);
    int err = request_verdict(&from);
    MUST(err_known(err) && (!err || from.why));
    if (err)
        return 0;
    MUST(from.r.at >= data && from.r.at <= data + size);
    if (op == OP_RESOLVE)
        look_at_entries(&fields.resolve.entries);
    write_and_read(op, &fields);
    return 0;
}
