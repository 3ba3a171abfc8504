/* holders: `group holders`: which consumer holds which message. */
#ifndef SHUNT_CLI_HOLDERS_H
#define SHUNT_CLI_HOLDERS_H

#include "cli/options.h"

struct call;

#define HOLDERS_ROWS_DEFAULT 100
#define HOLDERS_ROWS_MAX     1000000

int holders_run(struct call *call);

#endif
