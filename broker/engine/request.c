/* request: the table of them. */
#include "broker/engine/request.h"
#include "broker/engine/requests.h"

#define ALWAYS UINT32_MAX
#define NEVER  0

static const struct request requests[] = {
#define REQUEST(op_, kind_, command_, read_, run_, pace_, hurry_, short_, answer_, act_)                     \
    [OP_##op_] = {.name = #op_,                                                                              \
                  .op = OP_##op_,                                                                            \
                  .kind = STEP_##kind_,                                                                      \
                  .command = (command_),                                                                     \
                  .read = (read_),                                                                           \
                  .run = (run_),                                                                             \
                  .pace = REQUEST_##pace_,                                                                   \
                  .hurry = (hurry_),                                                                         \
                  .short_bytes_max = (short_),                                                               \
                  .answer = ANSWER_##answer_,                                                                \
                  .right = (enum wire_right)RIGHT_OF_##op_,                                                  \
                  .act = (act_)},
#include "broker/engine/request.def"
#undef REQUEST
};

const struct request *request_find(uint64_t op)
{
    if (op >= sizeof requests / sizeof *requests || !requests[op].name)
        return NULL;
    return &requests[op];
}

int request_nothing(struct session *s, struct mpack_reader *r, struct step *ret)
{
    (void)s;
    (void)r;
    (void)ret;
    return 0;
}
