/* child_case: driving a pool of children in a test, one job at a time. For plain programs: the test framework
 * forks and catches signals itself. The first claim that fails ends the run with status 1. */
#ifndef SHUNT_TESTS_CHILD_CASE_H
#define SHUNT_TESTS_CHILD_CASE_H

#include "client/worker/child_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define expect(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                            \
            result_print();                                                                                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)
#define expect_has(text, part) expect(strstr(text, part))

/* What `done` was told last, and how often it was called. */
struct result {
    unsigned count;
    void *job;
    enum shunt_outcome outcome;
    struct shunt_verdict verdict;
};
extern struct result result;

void result_print(void);
void on_done(void *context, void *job, enum shunt_outcome outcome, const struct shunt_verdict *v);

struct child_pool *pool_start(const struct child_pool_settings *settings);
int pool_turn(struct child_pool *p, struct shunt_error *err);
void pool_wait_idle(struct child_pool *p, uint32_t children);
void pool_submit(struct child_pool *p, const char *what);
/* Hand one job over and wait for its outcome. */
void pool_do(struct child_pool *p, const char *what);

/* Run all; each must leave neither descriptors nor processes behind. */
void cases_run(void (*const *cases)(void), size_t count);

#endif
