/* cause_share: on which builds and hosts the letters of a cause died. */
#ifndef SHUNT_CORE_CAUSE_SHARE_H
#define SHUNT_CORE_CAUSE_SHARE_H

#include "broker/core/schema.h"

/* Another death, then; an empty name is nobody's and not counted. Names are kept cut, and without control characters. */
void cause_count_build(struct cause_record *r, struct slice name, int64_t now_ms);
void cause_count_host(struct cause_record *r, struct slice name, int64_t now_ms);
/* The build, as a consumer gives it, is one of those counted, or of the CAUSE_PAST_BUILDS_MAX before them. */
bool cause_has_build(const struct cause_record *r, struct slice name);

#endif
