/* stats: the sums that STATS is answered with. */
#ifndef SHUNT_ENGINE_STATS_H
#define SHUNT_ENGINE_STATS_H

#include "broker/core/view.h"

/* Made at most once for a state of the ledger. */
struct totals {
    bool known;     /* in this turn */
    uint64_t index; /* of the ledger when they were made */
    uint64_t memory_bytes;
    struct sums sums;
};

#endif
