/* work_env: the environment a message gives to the command of `work`. */
#ifndef SHUNT_CLI_WORK_ENV_H
#define SHUNT_CLI_WORK_ENV_H

#include <stdbool.h>
#include <stddef.h>

/* Linux takes no longer one, its name and NUL included. */
#define WORK_ENV_ENTRY_BYTES (128u * 1024)

struct shunt_delivery;

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

/* NAME: as it is, but a NUL becomes '?'. */
void work_env_set_bytes(struct work_env *e, const char *name, const void *value, size_t value_bytes);

/* All of the above for one message:
 *   SHUNT_TOPIC, SHUNT_GROUP, SHUNT_MESSAGE, SHUNT_ATTEMPT
 *   SHUNT_DEADLINE      if it has a deadline: that, ms since 1970 by the clock of this machine
 *   SHUNT_KEY           if it has one; SHUNT_KEY_BASE64 too if that is no text
 *   SHUNT_HEADER_<KEY>  for each header that has a name of its own there
 *   SHUNT_HEADERS       all of them as a JSON object; not set if longer than WORK_ENV_ENTRY_BYTES, which only
 * keys full of control characters can be NULL without memory; the caller ends and frees it. */
struct work_env *work_env_of(char *const *inherited, const struct shunt_delivery *d);

#endif
