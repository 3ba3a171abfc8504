/* collect: see collect.h. */
#include "broker/engine/collect.h"
#include "base/array.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <stdlib.h>

void collect_command(struct engine *e, const struct command *c, struct step *st)
{
    struct collected *b = &e->collected;
    if (!array_room(&b->commands, &b->commands_capacity, b->count + 1) ||
        !array_room(&b->asked, &b->asked_capacity, b->count + 1))
        engine_die(e, SHUNT_NO_MEMORY, "no memory for a batch");
    b->asked[b->count] = st;
    b->commands[b->count++] = *c;
}

void collected_free(struct collected *b)
{
    free(b->commands);
    free(b->asked);
    *b = (struct collected){0};
}
