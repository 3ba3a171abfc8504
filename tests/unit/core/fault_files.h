/* fault_files: reports of failures as consumers send them, kept in files: tests/unit/core/faults/README.md. */
#ifndef SHUNT_TESTS_UNIT_CORE_FAULT_FILES_H
#define SHUNT_TESTS_UNIT_CORE_FAULT_FILES_H

#include "broker/core/fingerprint.h"

#define REPORTS_MAX 512

struct report {
    char name[80]; /* of the file: one fault */
    char how[120]; /* which runtime wrote it */
    struct fault fault;
};

/* All reports of all files of `folder`, in order; ends the test if one cannot be read. The caller frees *ret_bytes, which they
 * point into, file by file, and the array itself. */
struct reports {
    size_t count, texts_count;
    struct report rows[REPORTS_MAX];
    char *texts[REPORTS_MAX];
};
struct reports *reports_read(const char *folder);
void reports_free(struct reports *r);

#endif
