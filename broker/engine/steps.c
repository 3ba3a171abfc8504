/* steps: the list of what a turn does. */
#include "base/array.h"
#include "base/check.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <stdlib.h>

struct step *steps_add(struct engine *e, enum step_kind kind, struct session *s)
{
    struct steps *list = &e->steps;
    check(!list->running); /* what runs holds pointers into the list */
    if (!array_room(&list->items, &list->capacity, list->count + 1))
        engine_die(e, SHUNT_NO_MEMORY, "no memory for the steps of a turn");
    struct step *st = &list->items[list->count++];
    *st = (struct step){.kind = kind, .session = s};
    return st;
}

void steps_free(struct steps *list)
{
    free(list->items);
    *list = (struct steps){0};
}
