/* output: see output.h. */
#include "client/wire/output.h"

#include "base/check.h"
#include "proto/errors.h"

void output_done(struct output *o)
{
    mpack_buffer_done(&o->bytes);
}

uint64_t output_end(const struct output *o)
{
    return o->begin + o->bytes.size;
}

uint64_t output_sent_to(const struct output *o)
{
    return o->begin + o->sent;
}

void output_arrived(struct output *o)
{
    o->reached = output_sent_to(o);
}

size_t output_left(const struct output *o)
{
    return o->bytes.size - o->sent;
}

int output_check(struct output *o, uint64_t end)
{
    check(end >= output_sent_to(o));
    if (!o->bytes.failed)
        return 0;
    o->bytes.failed = false;
    o->bytes.size = (size_t)(end - o->begin);
    return SHUNT_NO_MEMORY;
}

void output_taken(struct output *o, size_t size)
{
    check(size <= output_left(o));
    o->sent += size;
    if (o->sent == o->bytes.size)
        output_forget(o);
}

void output_forget(struct output *o)
{
    o->begin += o->bytes.size;
    o->bytes.size = o->sent = 0;
    o->bytes.failed = false;
}
