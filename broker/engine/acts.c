/* acts: see acts.h. */
#include "broker/engine/acts.h"
#include "broker/core/schema.h"
#include "proto/wire.h"

#include <stddef.h>

static const struct {
    uint32_t request;
    const char *name; /* NULL: it is none */
} acts[] = {
#define STEP(NAME, kind, command, make, run, pace, hurry, short_bytes, act) {OP_##NAME, act},
#include "broker/engine/step.def"
#undef STEP
};

#define REFUSED "request_refused"

const char *act_name(uint32_t request)
{
    if (request & AUDIT_REFUSED)
        return REFUSED;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (acts[i].request == request && acts[i].name)
            return acts[i].name;
    }
    return "unknown";
}

uint32_t act_find(struct slice name)
{
    if (slice_is(name, REFUSED))
        return AUDIT_REFUSED;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (acts[i].name && slice_is(name, acts[i].name))
            return acts[i].request;
    }
    return 0;
}

static const enum wire_need needs[] = {
#define REQUEST(NAME, name, number, right, effect, answer) [number] = NEED_##right,
#include "proto/request.def"
};

bool act_is_of_dead(uint32_t request)
{
    static const bool of_dead[WIRE_NEEDS] = {
        [NEED_DLQ_LOOK] = true, [NEED_DLQ_REDRIVE] = true, [NEED_DLQ_REDRIVE_TO] = true,
        [NEED_DLQ_RULE] = true, [NEED_DLQ_PURGE] = true,   [NEED_JOB_LOOK] = true,
        [NEED_JOB] = true,
    };
    uint32_t op = request & ~AUDIT_REFUSED;
    return op < sizeof needs / sizeof *needs && of_dead[needs[op]];
}
