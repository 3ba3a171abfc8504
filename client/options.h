/* options: string-keyed options as a short list. Readers for single options are in client/internal.h. */
#ifndef SHUNT_CLIENT_OPTIONS_H
#define SHUNT_CLIENT_OPTIONS_H

#include "client/internal.h"

struct option {
    char *key;
    char *value;
};

/* Row `i` in the order of setting, or NULL past the last; takes NULL options. */
const struct option *options_at(const struct shunt_options *o, size_t i);

#endif
