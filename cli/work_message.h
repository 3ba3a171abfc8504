/* work_message: a message as the line that a command that stands (`work --stream`) is given. The members are a contract;
 * see docs/workers.md. */
#ifndef SHUNT_CLI_WORK_MESSAGE_H
#define SHUNT_CLI_WORK_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct shunt_delivery;

/* One line of JSON with its newline; the caller frees. `timeout_ms` 0: none. NULL without memory. */
char *work_message_line(const struct shunt_delivery *d, int64_t timeout_ms, size_t *ret_bytes);

#endif
