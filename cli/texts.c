/* texts: see texts.h. */
#include "cli/texts.h"

#include <string.h>

#include "cli/options.h"

size_t texts_of(const struct options *o, const char *name, const char *to[TEXTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < o->values_count && count < TEXTS_MAX; i++) {
        if (strcmp(o->values[i].row->name, name) == 0)
            to[count++] = o->values[i].text;
    }
    return count;
}
