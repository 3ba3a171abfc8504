/* schema_edit: the rows of what an operator made of a dead letter. */
#ifndef SHUNT_CORE_SCHEMA_EDIT_H
#define SHUNT_CORE_SCHEMA_EDIT_H

#include "broker/core/schema.h"

/* Their keys are like those of history. */
#define EDIT_ROW_NOTE    0u /* by whom it was edited */
#define EDIT_ROW_MESSAGE 1u /* the message as it is now, a row like those of messages */

struct edit_record {
    uint64_t number; /* from the numbers of jobs: of this edit and of no other */
    int64_t edited_ms;
    struct slice client, host, peer, reason; /* cut as in the audit log; empty: not known */
};

size_t edit_encode(uint8_t *to, struct slice key, const struct edit_record *r);
int edit_decode(struct slice key, struct slice value, struct edit_record *ret);

#endif
