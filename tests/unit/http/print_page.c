/* print_page: writes a metrics page with hostile names to stdout, for `promtool check metrics` to judge. */
#include "broker/http/metrics.h"
#include "broker/http/process.h"
#include "broker/http/text.h"
#include "fake_engine.h"
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct snapshot *s = fake_snapshot(6, true);
    strcpy(s->rows[0].topic, "a\\b\"c\nd{}=,");
    strcpy(s->rows[1].topic, "_other");
    strcpy(s->rows[2].group, "\xff\xfe not utf-8");
    s->commit_seconds.bucket[3] = 5;
    s->commit_seconds.sum = 0.0123;
    struct process_stats process;
    process_read(&process);
    struct text page = {0};
    struct metrics_view view = {
        .snapshot = s, .snapshot_age_ms = 12, .process = &process, .version = "0.1 \"x\""};
    metrics_write(&page, &view);
    size_t written = page.failed ? 0 : fwrite(page.data, 1, page.size, stdout);
    int failed = page.failed || written != page.size || fflush(stdout) != 0;
    text_done(&page);
    snapshot_free(s);
    return failed;
}
