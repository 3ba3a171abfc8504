/* metrics: the page made from a snapshot, sample by sample, and the documentation against the table. */
#include "broker/http/metrics.h"

#include "broker/http/http.h"
#include "broker/http/process.h"
#include "broker/http/text.h"
#include "fake_engine.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct process_stats process = {1.5, 1700000000.25, 4096, 8192, 5, 17, 1024};

static const struct breach_counts breaches = {.tries[BREACH_URL][BREACH_GIVEN_UP] = 6};

static const struct backup_times backups = {.succeeded_ms = 1500}; /* none failed */

/* The page as a string; the caller frees it. */
static char *page_of(const struct snapshot *s)
{
    struct text t = {0};
    struct metrics_view view = {.snapshot = s,
                                .snapshot_age_ms = 250,
                                .ready = true,
                                .log_dropped = 8,
                                .certificate_expires_ms = 2500,
                                .breaches = &breaches,
                                .backups = s ? &backups : NULL,
                                .process = &process,
                                .version = "1.2.3"};
    metrics_write(&t, &view);
    text_add_bytes(&t, "", 1);
    cr_assert(!t.failed);
    return t.data;
}

static bool has_line(const char *page, const char *line)
{
    size_t size = strlen(line);
    for (const char *at = page; (at = strstr(at, line)); at++) {
        if ((at == page || at[-1] == '\n') && at[size] == '\n')
            return true;
    }
    return false;
}

static void expect_line(const char *page, const char *line)
{
    cr_assert(has_line(page, line), "no line `%s` in\n%s", line, page);
}

static unsigned count_lines(const char *page, const char *prefix)
{
    unsigned count = 0;
    for (const char *at = page; (at = strstr(at, prefix)); at++)
        count += at == page || at[-1] == '\n';
    return count;
}

Test(metrics, a_group_has_its_numbers)
{
    struct snapshot *s = fake_snapshot(1, false);
    struct snapshot_group *g = &s->rows[0];
    g->acked = 11, g->expired = 12, g->discarded = 13, g->purged = 14, g->deliveries = 15, g->redriven = 16;
    g->moved = 25;
    g->oldest_in_flight_ms = s->wall_ms - 2500, g->dlq_retention_ms = 3600000;
    g->paused = 1, g->consumers = 17, g->conservation_error = 18, g->dead = 19,
    g->oldest_dead_ms = s->wall_ms - 90500;
    g->attempts[ATTEMPT_LEASE_EXPIRED] = 20, g->dead_lettered[DEAD_CORRUPT] = 21;
    g->outcomes[REDRIVE_PENDING] = 22, g->outcomes[REDRIVE_ACKED] = 23, g->outcomes[REDRIVE_GONE] = 24;
    g->rule_actions[RULE_DISCARD] = 26, g->rule_actions[RULE_MOVE] = 27;
    char *page = page_of(s);
    expect_line(page, "shunt_messages{topic=\"topic0\",group=\"group0\",state=\"ready\"} 1");
    expect_line(page, "shunt_messages{topic=\"topic0\",group=\"group0\",state=\"in_flight\"} 2");
    expect_line(page, "shunt_messages{topic=\"topic0\",group=\"group0\",state=\"delayed\"} 3");
    expect_line(page, "shunt_oldest_ready_age_seconds{topic=\"topic0\",group=\"group0\"} 1.5");
    expect_line(page, "shunt_oldest_in_flight_age_seconds{topic=\"topic0\",group=\"group0\"} 2.5");
    expect_line(page, "shunt_dlq_retention_seconds{topic=\"topic0\",group=\"group0\"} 3600");
    expect_line(page, "shunt_published_total{topic=\"topic0\",group=\"group0\"} 100");
    expect_line(page, "shunt_acked_total{topic=\"topic0\",group=\"group0\"} 11");
    expect_line(page, "shunt_expired_total{topic=\"topic0\",group=\"group0\"} 12");
    expect_line(page, "shunt_discarded_total{topic=\"topic0\",group=\"group0\"} 13");
    expect_line(page, "shunt_purged_total{topic=\"topic0\",group=\"group0\"} 14");
    expect_line(page, "shunt_moved_total{topic=\"topic0\",group=\"group0\"} 25");
    expect_line(page, "shunt_deliveries_total{topic=\"topic0\",group=\"group0\"} 15");
    expect_line(page, "shunt_redriven_total{topic=\"topic0\",group=\"group0\"} 16");
    expect_line(page, "shunt_consumers{topic=\"topic0\",group=\"group0\"} 17");
    expect_line(page, "shunt_groups_paused{topic=\"topic0\",group=\"group0\"} 1");
    expect_line(page, "shunt_conservation_error{topic=\"topic0\",group=\"group0\"} 18");
    expect_line(page, "shunt_dlq_depth{topic=\"topic0\",group=\"group0\"} 19");
    expect_line(page, "shunt_dlq_oldest_age_seconds{topic=\"topic0\",group=\"group0\"} 90.5");
    expect_line(page, "shunt_dlq_oldest_timestamp_seconds{topic=\"topic0\",group=\"group0\"} 1699999909.5");
    expect_line(page, "shunt_attempts_total{topic=\"topic0\",group=\"group0\",outcome=\"lease_expired\"} 20");
    expect_line(page, "shunt_attempts_total{topic=\"topic0\",group=\"group0\",outcome=\"nacked\"} 0");
    expect_line(page, "shunt_dead_lettered_total{topic=\"topic0\",group=\"group0\",reason=\"corrupt\"} 21");
    expect_line(page, "shunt_redrive_outcomes_total{topic=\"topic0\",group=\"group0\",outcome=\"acked\"} 23");
    expect_line(page,
                "shunt_redrive_outcomes_total{topic=\"topic0\",group=\"group0\",outcome=\"failed_same\"} 0");
    expect_line(page, "shunt_redrive_outcomes_total{topic=\"topic0\",group=\"group0\",outcome=\"gone\"} 24");
    cr_assert_null(strstr(page, "outcome=\"pending\""));
    expect_line(page, "shunt_rule_actions_total{topic=\"topic0\",group=\"group0\",action=\"discard\"} 26");
    expect_line(page, "shunt_rule_actions_total{topic=\"topic0\",group=\"group0\",action=\"move\"} 27");
    expect_line(page, "shunt_rule_actions_total{topic=\"topic0\",group=\"group0\",action=\"redrive\"} 0");
    free(page);
    snapshot_free(s);
}

Test(metrics, the_hottest_key_of_a_group_is_told_by_each_measure_that_knows_one)
{
    struct snapshot *s = fake_snapshot(2, true);
    s->rows[0].hot_key_milli[KEY_RATE] = 1000, s->rows[0].hot_key_milli[KEY_IN_FLIGHT] = 7;
    s->rest.hot_key_milli[KEY_WAITING] = 510;
    char *page = page_of(s);
    expect_line(page, "shunt_hot_key_share{topic=\"topic0\",group=\"group0\",by=\"rate\"} 1");
    expect_line(page, "shunt_hot_key_share{topic=\"topic0\",group=\"group0\",by=\"in_flight\"} 0.007");
    expect_line(page, "shunt_hot_key_share{topic=\"_other\",by=\"waiting\"} 0.51");
    cr_assert_eq(count_lines(page, "shunt_hot_key_share{"), 3, "no series where no key is known");
    free(page);
    snapshot_free(s);
}

Test(metrics, what_nobody_has_looked_at_has_its_numbers)
{
    struct snapshot *s = fake_snapshot(1, true);
    struct snapshot_group *g = &s->rows[0];
    g->unattended = 5, g->expired_unattended = 6, g->slo_breaches = 7, g->dlq_slo_ms = 90000;
    g->oldest_unattended_ms = s->wall_ms - 30500, g->next_expiry_ms = s->wall_ms + 1500;
    g->causes[CAUSE_REGRESSED] = 8;
    g->blocked_keys = 3, g->oldest_blocked_ms = s->wall_ms - 61500;
    s->rest.unattended = 9, s->rest.slo_breaches = 10, s->rest.oldest_unattended_ms = s->wall_ms - 2000;
    s->rest.causes[CAUSE_NEW] = 11;
    s->attend_seconds.bucket[6] = 1;
    char *page = page_of(s);
    expect_line(page, "shunt_dlq_unattended{topic=\"topic0\",group=\"group0\"} 5");
    expect_line(page, "shunt_dlq_expired_unattended_total{topic=\"topic0\",group=\"group0\"} 6");
    expect_line(page, "shunt_dlq_slo_breaches_total{topic=\"topic0\",group=\"group0\"} 7");
    expect_line(page, "shunt_dlq_slo_seconds{topic=\"topic0\",group=\"group0\"} 90");
    expect_line(page, "shunt_dlq_oldest_unattended_age_seconds{topic=\"topic0\",group=\"group0\"} 30.5");
    expect_line(
        page,
        "shunt_dlq_oldest_unattended_timestamp_seconds{topic=\"topic0\",group=\"group0\"} 1699999969.5");
    expect_line(page,
                "shunt_dlq_next_expiry_timestamp_seconds{topic=\"topic0\",group=\"group0\"} 1700000001.5");
    expect_line(page, "shunt_dlq_causes{topic=\"topic0\",group=\"group0\",state=\"regressed\"} 8");
    cr_assert_eq(count_lines(page, "shunt_dlq_causes{topic=\"topic0\""), CAUSE_STATES, "also those of 0");
    expect_line(page, "shunt_keys_blocked{topic=\"topic0\",group=\"group0\"} 3");
    expect_line(page, "shunt_key_oldest_blocked_age_seconds{topic=\"topic0\",group=\"group0\"} 61.5");
    expect_line(page, "shunt_dlq_unattended{topic=\"_other\"} 9");
    expect_line(page, "shunt_dlq_slo_breaches_total{topic=\"_other\"} 10");
    expect_line(page, "shunt_dlq_oldest_unattended_age_seconds{topic=\"_other\"} 2");
    expect_line(page, "shunt_dlq_causes{topic=\"_other\",state=\"new\"} 11");
    cr_assert_eq(count_lines(page, "shunt_dlq_slo_seconds{topic=\"_other\""), 0, "there is no one setting");
    expect_line(page, "shunt_dlq_attend_delay_seconds_bucket{le=\"120\"} 0");
    expect_line(page, "shunt_dlq_attend_delay_seconds_bucket{le=\"300\"} 1");
    expect_line(page, "shunt_dlq_attend_delay_seconds_count 1");
    free(page);
    snapshot_free(s);
}

Test(metrics, where_nothing_is_unattended_there_is_no_time)
{
    struct snapshot *s = fake_snapshot(1, false);
    char *page = page_of(s);
    expect_line(page, "shunt_dlq_oldest_unattended_age_seconds{topic=\"topic0\",group=\"group0\"} 0");
    cr_assert_eq(count_lines(page, "shunt_dlq_oldest_unattended_timestamp_seconds{"), 0);
    cr_assert_eq(count_lines(page, "shunt_dlq_next_expiry_timestamp_seconds{"), 0);
    cr_assert_eq(count_lines(page, "shunt_dlq_slo_seconds{"), 0);
    free(page);
    snapshot_free(s);
}

Test(metrics, the_engine_and_the_process_have_their_numbers)
{
    struct snapshot *s = fake_snapshot(0, false);
    s->jobs = 7, s->sockets = 9, s->waiting_bytes = 10, s->connections = 3, s->subscriptions = 4,
    s->topics = 5, s->groups = 6, s->full = true;
    s->store_used_bytes = 10, s->store_free_bytes = 20, s->store_map_bytes = 30, s->store_map_bytes_max = 40;
    s->store_allocated_bytes = 50;
    s->clock_error_ms = -86400500;
    s->store_map_left_bytes = 51, s->store_disk_left_bytes = 52;
    char *page = page_of(s);
    expect_line(page, "shunt_up 1");
    expect_line(page, "shunt_ready 1");
    expect_line(page, "shunt_snapshot_age_seconds 0.25");
    expect_line(page, "shunt_build_info{version=\"1.2.3\"} 1");
    expect_line(page, "shunt_log_dropped_total 8");
    expect_line(page, "shunt_tls_certificate_expiry_timestamp_seconds 2.5");
    expect_line(page, "shunt_on_breach_total{by=\"command\",outcome=\"told\"} 0");
    expect_line(page, "shunt_on_breach_total{by=\"url\",outcome=\"given_up\"} 6");
    expect_line(page, "shunt_backup_last_success_timestamp_seconds 1.5");
    cr_expect_not(strstr(page, "\nshunt_backup_last_failure_timestamp_seconds"), "no series");
    expect_line(page, "shunt_jobs 7");
    expect_line(page, "shunt_clock_error_seconds -86400.5");
    expect_line(page, "shunt_sockets 9");
    expect_line(page, "shunt_connections 3");
    expect_line(page, "shunt_waiting_bytes 10");
    expect_line(page, "shunt_subscriptions 4");
    expect_line(page, "shunt_topics 5");
    expect_line(page, "shunt_groups 6");
    expect_line(page, "shunt_store_full 1");
    expect_line(page, "shunt_store_left_bytes{limit=\"map\"} 51");
    expect_line(page, "shunt_store_left_bytes{limit=\"disk\"} 52");
    expect_line(page, "shunt_store_bytes{kind=\"used\"} 10");
    expect_line(page, "shunt_store_bytes{kind=\"free\"} 20");
    expect_line(page, "shunt_store_bytes{kind=\"map\"} 30");
    expect_line(page, "shunt_store_bytes{kind=\"map_max\"} 40");
    expect_line(page, "shunt_store_bytes{kind=\"allocated\"} 50");
    expect_line(page, "process_cpu_seconds_total 1.5");
    expect_line(page, "process_start_time_seconds 1700000000.25");
    expect_line(page, "process_resident_memory_bytes 4096");
    expect_line(page, "process_virtual_memory_bytes 8192");
    expect_line(page, "process_threads 5");
    expect_line(page, "process_open_fds 17");
    expect_line(page, "process_max_fds 1024");
    free(page);
    snapshot_free(s);
}

Test(metrics, an_empty_dlq_has_age_zero_and_no_timestamp)
{
    struct snapshot *s = fake_snapshot(1, false);
    char *page = page_of(s);
    expect_line(page, "shunt_dlq_oldest_age_seconds{topic=\"topic0\",group=\"group0\"} 0");
    cr_assert_eq(count_lines(page, "shunt_dlq_oldest_timestamp_seconds{"), 0);
    free(page);
    snapshot_free(s);
}

Test(metrics, a_clock_set_back_makes_no_negative_age)
{
    struct snapshot *s = fake_snapshot(1, false);
    s->rows[0].oldest_ready_ms = s->wall_ms + 5000;
    char *page = page_of(s);
    expect_line(page, "shunt_oldest_ready_age_seconds{topic=\"topic0\",group=\"group0\"} 0");
    free(page);
    snapshot_free(s);
}

Test(metrics, histogram_buckets_are_cumulative)
{
    struct snapshot *s = fake_snapshot(0, false);
    s->commit_seconds.bucket[0] = 1, s->commit_seconds.bucket[2] = 4, s->commit_seconds.bucket[16] = 2;
    s->commit_seconds.count = 7, s->commit_seconds.sum = 25.0625;
    s->commit_messages.bucket[15] = 3, s->commit_messages.sum = 60000;
    char *page = page_of(s);
    expect_line(page, "shunt_commit_seconds_bucket{le=\"0.0001\"} 1");
    expect_line(page, "shunt_commit_seconds_bucket{le=\"0.00025\"} 1");
    expect_line(page, "shunt_commit_seconds_bucket{le=\"0.0005\"} 5");
    expect_line(page, "shunt_commit_seconds_bucket{le=\"10\"} 5");
    expect_line(page, "shunt_commit_seconds_bucket{le=\"+Inf\"} 7");
    expect_line(page, "shunt_commit_seconds_sum 25.0625");
    expect_line(page, "shunt_commit_seconds_count 7");
    expect_line(page, "shunt_commit_messages_bucket{le=\"16384\"} 0");
    expect_line(page, "shunt_commit_messages_bucket{le=\"32768\"} 3");
    expect_line(page, "shunt_commit_messages_sum 60000");
    expect_line(page, "shunt_commit_messages_count 3");
    cr_assert_eq(count_lines(page, "shunt_commit_seconds_bucket{"), 17);
    free(page);
    snapshot_free(s);
}

Test(metrics, the_other_topics_are_one_series)
{
    struct snapshot *s = fake_snapshot(4, true);
    char *page = page_of(s);
    expect_line(page, "shunt_published_total{topic=\"_other\"} 77");
    cr_assert_eq(count_lines(page, "shunt_published_total{"), 5);
    free(page);
    snapshot_free(s);
}

Test(metrics, a_topic_named_like_the_rest_is_no_duplicate)
{
    struct snapshot *s = fake_snapshot(1, true);
    strcpy(s->rows[0].topic, "_other");
    char *page = page_of(s);
    expect_line(page, "shunt_published_total{topic=\"_other\",group=\"group0\"} 100");
    expect_line(page, "shunt_published_total{topic=\"_other\"} 77");
    free(page);
    snapshot_free(s);
}

Test(metrics, series_are_bounded_by_the_rows)
{
    struct snapshot *s = fake_snapshot(100, true);
    char *page = page_of(s);
    /* At most so many series for each of 101 rows, and a fixed number beside them. */
    unsigned lines = count_lines(page, "shunt_") + count_lines(page, "process_");
    struct snapshot *none = fake_snapshot(0, false);
    char *empty = page_of(none);
    unsigned fixed = count_lines(empty, "shunt_") + count_lines(empty, "process_");
    cr_assert_leq(lines - fixed, 59 * 101);
    cr_assert_lt(fixed, 120);
    free(page);
    free(empty);
    snapshot_free(s);
    snapshot_free(none);
}

Test(metrics, a_silent_engine_leaves_the_server_and_the_process)
{
    char *page = page_of(NULL);
    expect_line(page, "shunt_up 0");
    expect_line(page, "shunt_snapshot_age_seconds 0.25");
    expect_line(page, "process_open_fds 17");
    cr_assert_null(strstr(page, "shunt_published_total"));
    cr_assert_null(strstr(page, "shunt_commit_seconds"));
    free(page);
}

Test(metrics, the_process_reads_itself)
{
    struct process_stats stats;
    process_read(&stats);
    cr_assert_gt(stats.resident_bytes, 0);
    cr_assert_gt(stats.virtual_bytes, stats.resident_bytes);
    cr_assert_gt(stats.start_time_seconds, 1.6e9);
    cr_assert_geq(stats.cpu_seconds, 0);
    cr_assert_geq(stats.threads, 1);
    cr_assert_geq(stats.open_fds, 3);
    cr_assert_geq(stats.max_fds, stats.open_fds);
}

Test(metrics, the_documentation_has_each_row_and_no_other)
{
    FILE *file = fopen(SOURCE_ROOT "/docs/metrics.md", "r");
    cr_assert_not_null(file);
    unsigned rows = 0;
    char line[1024], want[1024];
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "| `shunt_", 9) != 0 && strncmp(line, "| `process_", 11) != 0)
            continue;
        const struct metric_row *row = metrics_row(rows++);
        cr_assert_not_null(row, "a row too many: %s", line);
        snprintf(want, sizeof want, "| `%s` | %s | %s | %s | %s |\n", row->name, row->type, row->labels,
                 row->unit, row->help);
        cr_assert_str_eq(line, want);
    }
    fclose(file);
    cr_assert_null(metrics_row(rows), "docs/metrics.md misses %s",
                   metrics_row(rows) ? metrics_row(rows)->name : "");
}
