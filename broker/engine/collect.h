/* collect: commands in the order of their steps, until they are applied as one batch (apply.h). */
#ifndef SHUNT_ENGINE_COLLECT_H
#define SHUNT_ENGINE_COLLECT_H

#include <stddef.h>
#include <stdint.h>

struct command;
struct engine;
struct step;

struct collected {
    struct command *commands;
    struct step **asked; /* which step each is of; NULL: nobody waits for it */
    size_t count, commands_capacity, asked_capacity;
    size_t applied;     /* of them; and answered */
    uint64_t rows_seen; /* ledger_rows() when the last result of a batch was told */
};

/* Add a command to the batch; `st`: the step that it is for, NULL: nobody waits for it. */
void collect_command(struct engine *e, const struct command *c, struct step *st);
void collected_free(struct collected *b);

#endif
