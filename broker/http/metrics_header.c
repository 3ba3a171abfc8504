/* metrics_header: see metrics_header.h. */
#include "broker/http/metrics_header.h"

#include "broker/http/text.h"
#include <string.h>

/* True if `name` ends in `suffix`; `*ret_bytes` is then what stands before it. */
static bool ends_in(const char *name, size_t name_bytes, const char *suffix, size_t *ret_bytes)
{
    size_t bytes = strlen(suffix);
    if (name_bytes <= bytes || memcmp(name + name_bytes - bytes, suffix, bytes) != 0)
        return false;
    *ret_bytes = name_bytes - bytes;
    return true;
}

/* One line of what is said about a family, whose name is the first `name_bytes` of the row's. */
static void write_about(struct text *to, const char *what, const struct metric_row *row, size_t name_bytes,
                        const char *value)
{
    text_add(to, "# ");
    text_add(to, what);
    text_add(to, " ");
    text_add_bytes(to, row->name, name_bytes);
    text_add(to, " ");
    text_add(to, value);
    text_add(to, "\n");
}

static void plain(struct text *to, const struct metric_row *row)
{
    size_t bytes = strlen(row->name);
    write_about(to, "HELP", row, bytes, row->help);
    write_about(to, "TYPE", row, bytes, row->type);
}

/* In OpenMetrics a counter's samples end in `_total` and an info's in `_info`, which are no part of the
 * family's name, and a unit is the end of that name. */
static void openmetrics(struct text *to, const struct metric_row *row)
{
    static const char *const units[] = {"_seconds", "_bytes"};
    size_t bytes = strlen(row->name), ignored;
    const char *type = row->type;
    if (ends_in(row->name, bytes, "_info", &bytes)) {
        type = "info";
    } else if (!strcmp(type, "counter")) {
        (void)ends_in(row->name, bytes, "_total",
                      &bytes); /* a test holds every counter's name against this */
    }
    write_about(to, "HELP", row, bytes, row->help);
    write_about(to, "TYPE", row, bytes, type);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ends_in(row->name, bytes, units[i], &ignored))
            write_about(to, "UNIT", row, bytes, units[i] + 1);
    }
}

void metrics_header(struct text *to, const struct metric_row *row, enum metrics_format format)
{
    if (format == METRICS_OPENMETRICS)
        openmetrics(to, row);
    else
        plain(to, row);
}
