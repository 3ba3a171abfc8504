/* metrics: see metrics.h. Each row of the table names the function that writes its samples; what
 * the engine did not say leaves no trace, not even a header. */
#include "broker/http/metrics.h"

#include "broker/engine/snapshot.h"
#include "broker/http/http.h"
#include "broker/http/metrics_header.h"
#include "broker/http/process.h"
#include "broker/http/text.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Topics beyond the configured number are summed under this name. A user may own a topic called so, hence
 * such a row carries no group label: the series stay apart. */
#define REST_TOPIC "_other"

struct metric {
    struct metric_row row;
    void (*write)(struct text *to, const struct metric *m, const struct metrics_view *v);
    size_t from; /* offset of a field, where `write` wants one */
};

/* ---- parts of a sample ---- */

static const struct snapshot_group *group_at(const struct snapshot *s, size_t index)
{
    if (index < s->rows_count)
        return &s->rows[index];
    return index == s->rows_count && s->has_rest ? &s->rest : NULL;
}

/* `name{topic="…",group="…"`, still open for more labels. */
static void begin_group(struct text *to, const struct metric *m, const struct metrics_view *v,
                        const struct snapshot_group *g)
{
    bool rest = g == &v->snapshot->rest;
    text_add(to, m->row.name);
    text_add(to, "{");
    text_add_label(to, "topic", rest ? REST_TOPIC : g->topic);
    if (!rest) {
        text_add(to, ",");
        text_add_label(to, "group", g->group);
    }
}

static void end_u64(struct text *to, uint64_t value)
{
    text_add(to, "} ");
    text_add_u64(to, value);
    text_add(to, "\n");
}

static void write_plain(struct text *to, const struct metric *m, uint64_t value)
{
    text_add(to, m->row.name);
    text_add(to, " ");
    text_add_u64(to, value);
    text_add(to, "\n");
}

static void write_labelled(struct text *to, const struct metric *m, const char *label, const char *text,
                           uint64_t value)
{
    text_add(to, m->row.name);
    text_add(to, "{");
    text_add_label(to, label, text);
    end_u64(to, value);
}

static uint64_t age_ms(const struct snapshot *s, int64_t wall_ms)
{
    /* A clock set back must not make a negative age. */
    return wall_ms == 0 || wall_ms > s->wall_ms ? 0 : (uint64_t)(s->wall_ms - wall_ms);
}

/* ---- the server ---- */

static void write_up(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    write_plain(to, m, v->snapshot != NULL);
}

static void write_snapshot_age(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    text_add(to, m->row.name);
    text_add(to, " ");
    text_add_ms_as_seconds(to, v->snapshot_age_ms);
    text_add(to, "\n");
}

static void write_ready(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    write_plain(to, m, v->ready);
}

static void write_log_dropped(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    write_plain(to, m, v->log_dropped);
}

/* All series, also without anybody to be told: an alert on their growth sees the first one. */
static void write_breaches(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const ways[] = BREACH_WAY_NAMES, *const tries[] = BREACH_TRY_NAMES;
    for (int way = 0; way < BREACH_WAYS; way++) {
        for (int i = 0; i < BREACH_TRIES; i++) {
            text_add(to, m->row.name);
            text_add(to, "{");
            text_add_label(to, "by", ways[way]);
            text_add(to, ",");
            text_add_label(to, "outcome", tries[i]);
            end_u64(to, v->breaches ? atomic_load(&v->breaches->tries[way][i]) : 0);
        }
    }
}

static void write_certificate(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    if (!v->certificate_expires_ms)
        return;
    text_add(to, m->row.name);
    text_add(to, " ");
    text_add_ms_as_seconds(to, v->certificate_expires_ms);
    text_add(to, "\n");
}

static void write_build_info(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    write_labelled(to, m, "version", v->version, 1);
}

/* ---- groups ---- */

static void write_group_value(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++) {
        uint64_t value;
        memcpy(&value, (const char *)g + m->from, sizeof value);
        begin_group(to, m, v, g);
        end_u64(to, value);
    }
}

/* One sample for each of `count` names of `label`. */
static void write_group_list(struct text *to, const struct metric *m, const struct metrics_view *v,
                             const struct snapshot_group *g, const char *label, const char *const *names,
                             const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        begin_group(to, m, v, g);
        text_add(to, ",");
        text_add_label(to, label, names[i]);
        end_u64(to, values[i]);
    }
}

static void write_state(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[] = {"ready", "in_flight", "delayed"};
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++) {
        const uint64_t values[] = {g->ready, g->in_flight, g->delayed};
        write_group_list(to, m, v, g, "state", names, values, 3);
    }
}

static void write_attempts(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[ATTEMPT_OUTCOMES] = ATTEMPT_OUTCOME_NAMES;
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++)
        write_group_list(to, m, v, g, "outcome", names, g->attempts, ATTEMPT_OUTCOMES);
}

static void write_dead_lettered(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[DEAD_REASONS] = DEAD_REASON_NAMES;
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++)
        write_group_list(to, m, v, g, "reason", names, g->dead_lettered, DEAD_REASONS);
}

/* Without those that have no outcome yet: they would make no counter. */
static void write_redrive_outcomes(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[REDRIVE_OUTCOMES] = REDRIVE_OUTCOME_NAMES;
    const struct snapshot_group *g;
    _Static_assert(REDRIVE_PENDING == 0, "the others follow");
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++)
        write_group_list(to, m, v, g, "outcome", names + 1, g->outcomes + 1, REDRIVE_OUTCOMES - 1);
}

static void write_rule_actions(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[RULE_ACTIONS] = RULE_ACTION_NAMES;
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++)
        write_group_list(to, m, v, g, "action", names, g->rule_actions, RULE_ACTIONS);
}

static void write_causes(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[CAUSE_STATES] = CAUSE_STATE_NAMES;
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++)
        write_group_list(to, m, v, g, "state", names, g->causes, CAUSE_STATES);
}

static void write_group_ms(struct text *to, const struct metric *m, const struct metrics_view *v,
                           const struct snapshot_group *g, int64_t ms)
{
    begin_group(to, m, v, g);
    text_add(to, "} ");
    text_add_ms_as_seconds(to, ms);
    text_add(to, "\n");
}

static int64_t ms_of(const struct metric *m, const struct snapshot_group *g)
{
    int64_t ms;
    memcpy(&ms, (const char *)g + m->from, sizeof ms);
    return ms;
}

/* How long ago that time was, 0 where there is none. */
static void write_group_age(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++)
        write_group_ms(to, m, v, g, (int64_t)age_ms(v->snapshot, ms_of(m, g)));
}

/* That time itself. No series where there is none: `time() - 0` would be an age since 1970. */
static void write_group_time(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++) {
        if (ms_of(m, g) != 0)
            write_group_ms(to, m, v, g, ms_of(m, g));
    }
}

static void write_hot_keys(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const names[KEY_MEASURES] = KEY_MEASURE_NAMES;
    const struct snapshot_group *g;
    for (size_t i = 0; (g = group_at(v->snapshot, i)); i++) {
        for (size_t by = 0; by < KEY_MEASURES; by++) {
            if (!g->hot_key_milli[by])
                continue;
            begin_group(to, m, v, g);
            text_add(to, ",");
            text_add_label(to, "by", names[by]);
            text_add(to, "} ");
            text_add_ms_as_seconds(to, g->hot_key_milli[by]); /* thousandths are written alike */
            text_add(to, "\n");
        }
    }
}

/* ---- the engine ---- */

static void write_refused(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const rights[] = RIGHT_NAMES;
    for (size_t i = 0; i <= RIGHTS; i++)
        write_labelled(to, m, "right", i < RIGHTS ? rights[i] : "administrator", v->snapshot->refused[i]);
}

static void write_limited(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const char *const limits[] = QUOTA_LABELS;
    for (size_t i = 0; i < QUOTA_OWNERS * QUOTA_LIMITS; i++)
        write_labelled(to, m, "limit", limits[i], v->snapshot->limited[i / QUOTA_LIMITS][i % QUOTA_LIMITS]);
}

static void write_engine_value(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    uint64_t value;
    memcpy(&value, (const char *)v->snapshot + m->from, sizeof value);
    write_plain(to, m, value);
}

static void write_silent(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    for (uint32_t i = 0; i < v->snapshot->silents_count; i++) {
        const struct snapshot_silent *s = &v->snapshot->silents[i];
        text_add(to, m->row.name);
        text_add(to, "{");
        text_add_label(to, "client", s->client);
        text_add(to, ",");
        text_add_label(to, "host", s->host);
        text_add(to, ",");
        text_add_label(to, "peer", s->peer);
        text_add(to, "} ");
        text_add_ms_as_seconds(to, s->silent_ms);
        text_add(to, "\n");
    }
}

static void write_clock_error(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    text_add(to, m->row.name);
    text_add(to, " ");
    text_add_ms_as_seconds(to, v->snapshot->clock_error_ms);
    text_add(to, "\n");
}

static void write_backup(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    int64_t wall_ms = 0;
    if (v->backups)
        memcpy(&wall_ms, (const char *)v->backups + m->from, sizeof wall_ms);
    if (wall_ms == 0)
        return;
    text_add(to, m->row.name);
    text_add(to, " ");
    text_add_ms_as_seconds(to, wall_ms);
    text_add(to, "\n");
}

static void write_store_full(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    write_plain(to, m, v->snapshot->full);
}

static void write_store_bytes(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    const struct snapshot *s = v->snapshot;
    write_labelled(to, m, "kind", "used", s->store_used_bytes);
    write_labelled(to, m, "kind", "free", s->store_free_bytes);
    write_labelled(to, m, "kind", "map", s->store_map_bytes);
    write_labelled(to, m, "kind", "map_max", s->store_map_bytes_max);
    write_labelled(to, m, "kind", "allocated", s->store_allocated_bytes);
}

static void write_store_left(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    write_labelled(to, m, "limit", "map", v->snapshot->store_map_left_bytes);
    if (v->snapshot->store_disk_left_bytes != UINT64_MAX)
        write_labelled(to, m, "limit", "disk", v->snapshot->store_disk_left_bytes);
}

/* OpenMetrics wants a bound to be told from an integer, and the same bound to be the same text everywhere. */
static void write_bucket(struct text *to, const struct metric *m, const struct metrics_view *v, double bound,
                         uint64_t value)
{
    text_add(to, m->row.name);
    text_add(to, "_bucket{le=\"");
    text_add_decimal(to, bound);
    if (v->format == METRICS_OPENMETRICS && isfinite(bound) && bound == floor(bound))
        text_add(to, ".0");
    text_add(to, "\"");
    end_u64(to, value);
}

/* The snapshot's buckets count apart, Prometheus' contain each other. `count` is made from the buckets and
 * not taken from the histogram: the two must agree, or the page is not valid. */
static void write_histogram(struct text *to, const struct metric *m, const struct metrics_view *v,
                            const struct histogram *h, const double bounds[HISTOGRAM_BUCKETS - 1])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += h->bucket[i];
        write_bucket(to, m, v, i + 1 < HISTOGRAM_BUCKETS ? bounds[i] : HUGE_VAL, sum);
    }
    text_add(to, m->row.name);
    text_add(to, "_sum ");
    text_add_decimal(to, h->sum);
    text_add(to, "\n");
    text_add(to, m->row.name);
    text_add(to, "_count ");
    text_add_u64(to, sum);
    text_add(to, "\n");
}

static void write_commit_seconds(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const double bounds[HISTOGRAM_BUCKETS - 1] = COMMIT_SECONDS_BOUNDS;
    write_histogram(to, m, v, &v->snapshot->commit_seconds, bounds);
}

static void write_commit_messages(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const double bounds[HISTOGRAM_BUCKETS - 1] = COMMIT_MESSAGES_BOUNDS;
    write_histogram(to, m, v, &v->snapshot->commit_messages, bounds);
}

static void write_attend_seconds(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    static const double bounds[HISTOGRAM_BUCKETS - 1] = ATTEND_SECONDS_BOUNDS;
    write_histogram(to, m, v, &v->snapshot->attend_seconds, bounds);
}

/* ---- the process ---- */

static void write_process_value(struct text *to, const struct metric *m, const struct metrics_view *v)
{
    double value;
    memcpy(&value, (const char *)v->process + m->from, sizeof value);
    if (value < 0)
        return;
    text_add(to, m->row.name);
    text_add(to, " ");
    text_add_decimal(to, value);
    text_add(to, "\n");
}

/* ---- the table ---- */

static const struct metric metrics[] = {
#define NOWHERE        0
#define GROUP(field)   offsetof(struct snapshot_group, field)
#define ENGINE(field)  offsetof(struct snapshot, field)
#define PROCESS(field) offsetof(struct process_stats, field)
#define BACKUP(field)  offsetof(struct backup_times, field)
#define METRIC(name, type, labels, unit, writer, from, help)                                                 \
    {{#name, #type, labels, unit, help}, write_##writer, from},
#include "broker/http/metrics.def"
#undef METRIC
};

/* Writers that can do without a snapshot. */
static bool needs_snapshot(const struct metric *m)
{
    return m->write != write_up && m->write != write_snapshot_age && m->write != write_ready &&
           m->write != write_build_info && m->write != write_log_dropped && m->write != write_breaches &&
           m->write != write_certificate && m->write != write_process_value;
}

void metrics_write(struct text *to, const struct metrics_view *view)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        const struct metric *m = &metrics[i];
        if (needs_snapshot(m) && !view->snapshot)
            continue;
        metrics_header(to, &m->row, view->format);
        m->write(to, m, view);
    }
    if (view->format == METRICS_OPENMETRICS)
        text_add(to, "# EOF\n");
}

const struct metric_row *metrics_row(unsigned index)
{
    return index < sizeof metrics / sizeof metrics[0] ? &metrics[index].row : NULL;
}
