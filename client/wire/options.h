/* options: string-keyed options as a short list. */
#ifndef SHUNT_CLIENT_WIRE_OPTIONS_H
#define SHUNT_CLIENT_WIRE_OPTIONS_H

#include "client/shunt.h"

struct option {
    char *key;
    char *value;
};

/* Row `i` in the order of setting, or NULL past the last; takes NULL options. */
const struct option *options_at(const struct shunt_options *o, size_t i);

/* The value set for `key`, or NULL; takes NULL options. Lives until the option is set again. */
const char *options_get(const struct shunt_options *o, const char *key);
/* BAD_ARGUMENT that names it if an option is set whose key is not in `keys`, a list that ends with NULL. */
int options_allow(const struct shunt_options *o, const char *const *keys, struct shunt_error *err);
/* Read one option if it is set and leave *ret as it is if not. fails: BAD_ARGUMENT, the text names option and
 * reason. */
int options_count(const struct shunt_options *o, const char *key, int64_t min, int64_t max, int64_t *ret,
                  struct shunt_error *err);
int options_duration(const struct shunt_options *o, const char *key, int64_t max_ms, int64_t *ret_ms,
                     struct shunt_error *err);
int options_size(const struct shunt_options *o, const char *key, int64_t min, int64_t max, int64_t *ret_bytes,
                 struct shunt_error *err);
int options_yes(const struct shunt_options *o, const char *key, bool *ret,
                struct shunt_error *err); /* yes|no */

#endif
