/* metrics: a snapshot as a page of text, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0. The metrics
 * are the rows of metrics.def. */
#ifndef SHUNT_HTTP_METRICS_H
#define SHUNT_HTTP_METRICS_H

#include <stdbool.h>
#include <stdint.h>

struct backup_times;
struct breach_counts;
struct process_stats;
struct snapshot;
struct text;

enum metrics_format {
    METRICS_PLAIN,       /* Prometheus' text format 0.0.4 */
    METRICS_OPENMETRICS, /* OpenMetrics 1.0 */
};
#define METRICS_FORMATS 2

/* What one page is made from. */
struct metrics_view {
    enum metrics_format format;
    const struct snapshot
        *snapshot;           /* NULL: the engine did not answer, and what it would have said is left out */
    int64_t snapshot_age_ms; /* since the engine last answered, or since the start if it never did */
    bool ready;              /* as /readyz says */
    uint64_t log_dropped;    /* log lines that were not written */
    int64_t certificate_expires_ms;       /* by the wall clock; 0: there is none */
    const struct breach_counts *breaches; /* NULL: nobody is told */
    const struct backup_times *backups;   /* NULL: nobody knows */
    const struct process_stats *process;
    const char *version;
};

/* Append the page.  cost: O(rows of the snapshot); memory is the text alone. */
void metrics_write(struct text *to, const struct metrics_view *view);

/* One row of the table, for the test that compares it with docs/metrics.md. */
struct metric_row {
    const char *name;
    const char *type;
    const char *labels;
    const char *unit;
    const char *help;
};

/* The row with this index, NULL past the last. */
const struct metric_row *metrics_row(unsigned index);

#endif
