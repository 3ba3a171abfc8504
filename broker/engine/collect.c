/* collect: see collect.h. */
#include "broker/engine/collect.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <stdlib.h>

/* Room for one more. */
static struct command *put(struct engine *e, struct step *st)
{
    struct collected *b = &e->collected;
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? b->capacity * 2 : 64;
        struct command *commands = realloc(b->commands, capacity * sizeof *commands);
        if (commands)
            b->commands = commands;
        struct step **asked = realloc(b->asked, capacity * sizeof(struct step *));
        if (asked)
            b->asked = asked;
        if (!commands || !asked)
            engine_die(e, SHUNT_NO_MEMORY, "no memory for a batch");
        b->capacity = capacity;
    }
    b->asked[b->count] = st;
    return &b->commands[b->count++];
}

void collect_command(struct engine *e, const struct command *c, struct step *st)
{
    *put(e, st) = *c;
}

void collected_free(struct collected *b)
{
    free(b->commands);
    free(b->asked);
    *b = (struct collected){0};
}
