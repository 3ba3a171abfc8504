/* fault_memo: fingerprints of the reports that came lately. A flood of deaths mostly brings few reports again and again, with
 * other values in them (fingerprint_alike.h), and to compare costs a fiftieth of reading a stack. What is remembered
 * changes no result. */
#ifndef SHUNT_CORE_FAULT_MEMO_H
#define SHUNT_CORE_FAULT_MEMO_H

#include "broker/core/fingerprint.h"
#include "broker/core/fingerprint_pattern.h"

/* 256 KiB in all. The report that was asked for longest ago goes. A number of one digit more makes another report, so a fault
 * takes a few places. */
#define FAULT_MEMO_PLACES    64u
#define FAULT_MEMO_BYTES_MAX 3800u /* of one report; a longer one is not remembered */

struct fault_memo {
    uint64_t asked; /* how often for a report that is or was remembered, of all places */
    uint32_t last;  /* the place that was asked for last */
    uint64_t
        keys[FAULT_MEMO_PLACES]; /* sizes and kinds of each report, all of them; 0: nothing is remembered */
    struct fault_memo_place {
        uint64_t fingerprint;
        uint64_t asked; /* when it was asked for last */
        struct slice type, given;
        struct pattern message, stack;
        char bytes[FAULT_MEMO_BYTES_MAX]; /* the texts, one behind the other */
    } places[FAULT_MEMO_PLACES];
};
_Static_assert(sizeof(struct fault_memo) <= 256u * 1024, "what it says above");

/* As fingerprint_of(). Zeroed at first. */
uint64_t fault_memo_fingerprint(struct fault_memo *m, const struct fault *f);

#endif
