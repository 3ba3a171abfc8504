/* report: results for people (a table), for spreadsheets (TSV) and for programs (JSON). */
#ifndef SHUNT_BENCH_REPORT_H
#define SHUNT_BENCH_REPORT_H

#include "bench/options.h"
#include "bench/result.h"

/* Each is printed as soon as it is known. */
void report_begin(enum form form);
void report_add(enum form form, const struct result *r);
void report_end(enum form form);

#endif
