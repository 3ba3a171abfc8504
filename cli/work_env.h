/* work_env: the environment a message gives to the command of `work`. */
#ifndef SHUNT_CLI_WORK_ENV_H
#define SHUNT_CLI_WORK_ENV_H

#include <stdbool.h>
#include <stddef.h>

/* Our own environment without what an outer `work` may have left in it, then what is set here. */
struct work_env {
    char **entries; /* ends with NULL; those from `owned` on are ours to free */
    size_t count;
    size_t room;
    size_t owned;
    bool failed; /* without memory */
};

void work_env_init(struct work_env *e, char *const *inherited);
void work_env_done(struct work_env *e);

void work_env_set(struct work_env *e, const char *name, const char *value);
/* SHUNT_HEADER_<KEY>: letters in upper case, all else that is no digit becomes '_'. Of two headers with one
 * such name the first counts. A NUL in the value becomes '?'. */
void work_env_set_header(struct work_env *e, const char *key, size_t key_bytes, const void *value,
                         size_t value_bytes);

#endif
