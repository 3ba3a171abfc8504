/* print_page: writes a metrics page with hostile names to stdout, for other programs to judge: `print_page
 * openmetrics` in that format, else the plain one. The numbers are the same each time. */
#include "broker/http/metrics.h"
#include "broker/http/process.h"
#include "broker/http/text.h"
#include "fake_engine.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct snapshot *s = fake_snapshot(6, true);
    strcpy(s->rows[0].topic, "a\\b\"c\nd{}=,");
    strcpy(s->rows[1].topic, "_other");
    strcpy(s->rows[2].group, "\xff\xfe not utf-8");
    s->commit_seconds.bucket[3] = 5;
    s->commit_seconds.sum = 0.0123;
    s->silents_count = 1;
    strcpy(s->silents[0].client, "worker \"7\"");
    const struct process_stats process = {1.5, 1700000000.25, 4096, 8192, 5, 17, 1024};
    struct text page = {0};
    bool openmetrics = argc > 1 && strcmp(argv[1], "openmetrics") == 0;
    struct metrics_view view = {.format = openmetrics ? METRICS_OPENMETRICS : METRICS_PLAIN,
                                .snapshot = s,
                                .snapshot_age_ms = 12,
                                .process = &process,
                                .version = "0.1 \"x\""};
    metrics_write(&page, &view);
    size_t written = page.failed ? 0 : fwrite(page.data, 1, page.size, stdout);
    int failed = page.failed || written != page.size || fflush(stdout) != 0;
    text_done(&page);
    snapshot_free(s);
    return failed;
}
