/* metrics_header: the lines before the samples of a metric, which say what it is. */
#ifndef SHUNT_HTTP_METRICS_HEADER_H
#define SHUNT_HTTP_METRICS_HEADER_H

#include "broker/http/metrics.h"

/* Append them. */
void metrics_header(struct text *to, const struct metric_row *row, enum metrics_format format);

#endif
