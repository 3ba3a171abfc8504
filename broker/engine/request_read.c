/* request_read: fields that several requests have, or leave out. */
#include "broker/engine/requests.h"
#include "proto/limits.h"

bool request_left_out(struct mpack_reader *r)
{
    return mpack_peek(r) == MPACK_END || mpack_read_is_nil(r);
}

uint64_t request_uint_or_0(struct mpack_reader *r)
{
    return request_left_out(r) ? 0 : mpack_read_uint(r);
}

uint32_t request_limit(struct mpack_reader *r)
{
    uint64_t limit = request_uint_or_0(r);
    return limit == 0 ? PAGE_ROWS_DEFAULT : limit > PAGE_ROWS_MAX ? PAGE_ROWS_MAX : (uint32_t)limit;
}
