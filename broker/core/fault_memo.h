/* fault_memo: fingerprints of the reports that came lately. A flood of deaths mostly brings the same report again and again,
 * byte by byte, and to compare costs a hundredth of reading a stack. What is remembered changes no result. */
#ifndef SHUNT_CORE_FAULT_MEMO_H
#define SHUNT_CORE_FAULT_MEMO_H

#include "broker/core/fingerprint.h"

#define FAULT_MEMO_ENTRIES   8u
#define FAULT_MEMO_BYTES_MAX 4096u /* of one report; a longer one is not remembered */

struct fault_memo {
    struct fault_memo_entry {
        uint64_t fingerprint; /* 0: nothing is remembered */
        struct fault fault;   /* its texts lie in `bytes`, one behind the other */
        char bytes[FAULT_MEMO_BYTES_MAX];
    } entries[FAULT_MEMO_ENTRIES];
};

/* As fingerprint_of(). Zeroed at first. */
uint64_t fault_memo_fingerprint(struct fault_memo *m, const struct fault *f);

#endif
