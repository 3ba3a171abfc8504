/* fuzz_batch: any bytes as a batch of commands. What is read is written again, and read again it is the same.
 */
#include "broker/core/command.h"
#include "proto/errors.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch batch, again;
    struct batch_memory *memory = NULL, *memory_again = NULL;
    struct mpack_buffer first = {0}, second = {0};
    int err = batch_decode((struct slice){data, size}, &batch, &memory);
    MUST(err == 0 || (err == SHUNT_CORRUPT && !memory));
    if (err)
        return 0;
    MUST(batch_encode(&first, &batch) == 0);
    MUST(batch_decode((struct slice){first.data, first.size}, &again, &memory_again) == 0);
    MUST(again.index == batch.index && again.time_ms == batch.time_ms && again.count == batch.count);
    MUST(batch_encode(&second, &again) == 0);
    MUST(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    batch_memory_free(memory);
    batch_memory_free(memory_again);
    mpack_buffer_done(&first);
    mpack_buffer_done(&second);
    return 0;
}
