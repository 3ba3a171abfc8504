/* state: what an engine does when it cannot go on. */
#include "broker/engine/state.h"

#include <stdlib.h>

_Noreturn void engine_die(struct engine *e, int err, const char *what)
{
    e->config.fatal(e->config.context, err, what);
    abort(); /* fatal() must not return */
}
