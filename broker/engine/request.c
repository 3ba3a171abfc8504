/* request: the table of them, from both lists. */
#include "broker/engine/request.h"
#include "broker/engine/requests.h"

#define ALWAYS UINT32_MAX
#define NEVER  0

static const struct request requests[] = {
#define REQUEST(NAME, name_, number, right_, effect_, answer_)                                               \
    [OP_##NAME].name = #NAME, [OP_##NAME].op = (number), [OP_##NAME].read = request_read_##name_,            \
    [OP_##NAME].need = NEED_##right_, [OP_##NAME].effect = EFFECT_##effect_,                                 \
    [OP_##NAME].answer = ANSWER_##answer_,
#include "proto/request.def"
#define STEP(NAME, kind_, command_, make_, run_, pace_, hurry_, short_, act_)                                \
    [OP_##NAME].kind = STEP_##kind_, [OP_##NAME].command = (command_), [OP_##NAME].make = (make_),           \
    [OP_##NAME].run = (run_), [OP_##NAME].pace = REQUEST_##pace_, [OP_##NAME].hurry = (hurry_),              \
    [OP_##NAME].short_bytes_max = (short_), [OP_##NAME].act = (act_),
#include "broker/engine/step.def"
#undef STEP
};

const struct request *request_find(uint64_t op)
{
    if (op >= sizeof requests / sizeof *requests || !requests[op].name)
        return NULL;
    return &requests[op];
}
