/* reload: what a changed configuration changes in a running server. */
#ifndef SHUNT_BROKER_RELOAD_H
#define SHUNT_BROKER_RELOAD_H

#include "broker/config.h"
#include "broker/log.h"

/* Take from `fresh` into `now` each value that may change while the server runs; log a line for each that
 * changed and for each that would take a restart. Returns how many changed. */
unsigned reload_merge(struct config *now, struct config *fresh, const struct log *log);

#endif
