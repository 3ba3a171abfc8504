/* acts: see acts.h. */
#include "broker/engine/acts.h"
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

const char *act_name(uint32_t request)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (acts[i].request == request && acts[i].name)
            return acts[i].name;
    }
    return "unknown";
}

uint32_t act_find(struct slice name)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (acts[i].name && slice_is(name, acts[i].name))
            return acts[i].request;
    }
    return 0;
}
