/* form: see form.h. */
#include "broker/http/form.h"

#include <stdbool.h>

/* clang-format off */
#define MAP(name)                                              static const struct form_field map_##name[] = {
#define KEY(kind, name)                                            {#name, #kind, true},
#define MAP_END                                                {0}};
#define REQUEST(NAME, name, number, right, effect, answer)     static const struct form_field fields_of_##name[] = {
#define FIELD(kind, name)                                          {#name, #kind, false},
#define OPTIONAL(kind, name)                                       {#name, #kind, true},
#define LIST(kind, name, max, code, text, shown)                   {#name, #kind, false},
#define OPTIONAL_LIST(kind, name, max, code, text)                 {#name, #kind, true},
#define END                                                    {0}};
/* clang-format on */
#include "proto/request.def"

/* Not in request.def, because one function reads it; exactly one of them is given. */
static const struct form_field map_which[] = {
    {"ids", "names", true}, {"count", "uint", true}, {"matching", "uint", true}, {"all", "flag", true}, {0}};

static const struct {
    const char *kind;
    const struct form_field *keys;
} maps[] = {
#define MAP(name) {#name, map_##name},
#include "proto/request.def"
    {"which", map_which},
};

static const struct form forms[] = {
#define REQUEST(NAME, name, number, right, effect, answer)                                                   \
    {#NAME, OP_##NAME, EFFECT_##effect, ANSWER_##answer, fields_of_##name},
#include "proto/request.def"
};

const struct form *form_of(unsigned op)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (forms[i].op == op)
            return &forms[i];
    }
    return NULL;
}

const struct form_field *form_map(const char *kind)
{
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        if (strcmp(maps[i].kind, kind) == 0)
            return maps[i].keys;
    }
    return NULL;
}

const struct form_field *form_find(const struct form_field *fields, struct slice name)
{
    for (; fields->name; fields++) {
        if (slice_is(name, fields->name))
            return fields;
    }
    return NULL;
}
