/* diagnosis_class: where in a line the class of an exception stands. */
#ifndef SHUNT_CLIENT_WORKER_DIAGNOSIS_CLASS_H
#define SHUNT_CLIENT_WORKER_DIAGNOSIS_CLASS_H

#include <stdbool.h>

#include "proto/limits.h"

/* As in diagnosis.def. */
enum diagnosis_class {
    DIAGNOSIS_CLASS_NONE,
    DIAGNOSIS_CLASS_NAME,
    DIAGNOSIS_CLASS_QUOTED,
    DIAGNOSIS_CLASS_PARENS,
    DIAGNOSIS_CLASS_BEHIND,
    DIAGNOSIS_CLASS_FIXED
};

/* Write the class that `line` names, or "". `word` belongs to BEHIND and FIXED. */
void diagnosis_class(char to[ERROR_TYPE_BYTES_MAX + 1], enum diagnosis_class where, const char *word,
                     const char *line);

/* Does it begin like `java.io.IOException: text`, `TypeError [CODE]: text`, or with words that announce such?
 */
bool diagnosis_names_exception(const char *line);

#endif
