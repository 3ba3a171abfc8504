/* acts: what is called what operators do, in the log and in the audit log: a column of step.def. */
#ifndef SHUNT_ENGINE_ACTS_H
#define SHUNT_ENGINE_ACTS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The act that such a request asks for: "topic_deleted"; "unknown": none, or of another version; "request_refused": with AUDIT_REFUSED,
 * of any. Static storage. */
const char *act_name(uint32_t request);
/* The request whose act is called so; 0: none. */
uint32_t act_find(struct slice name);
/* It is about dead letters, or a job, which mostly is. */
bool act_is_of_dead(uint32_t request);

#endif
