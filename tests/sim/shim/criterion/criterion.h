/* criterion: the assertions that ledger_audit.c uses, for a program without unit tests: a failed one ends
 * the run (audit.c) instead of the process. */
#ifndef SHUNT_TESTS_SIM_SHIM_CRITERION_H
#define SHUNT_TESTS_SIM_SHIM_CRITERION_H

_Noreturn void audit_failed(const char *file, int line, const char *what);

#define AUDIT_FIRST(a, ...) a
#define audit_that(c, text) ((c) ? (void)0 : audit_failed(__FILE__, __LINE__, text))

#define cr_assert(...)        audit_that((AUDIT_FIRST(__VA_ARGS__, 0)), #__VA_ARGS__)
#define cr_assert_eq(a, ...)  audit_that((a) == (AUDIT_FIRST(__VA_ARGS__, 0)), #a " == " #__VA_ARGS__)
#define cr_assert_leq(a, ...) audit_that((a) <= (AUDIT_FIRST(__VA_ARGS__, 0)), #a " <= " #__VA_ARGS__)
#define cr_assert_geq(a, ...) audit_that((a) >= (AUDIT_FIRST(__VA_ARGS__, 0)), #a " >= " #__VA_ARGS__)

#endif
