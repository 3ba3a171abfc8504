/* planted_quotas: limits that are asked for, and whose answer nobody heeds. */
#include "broker/engine/quotas.h"
#include "broker/engine/step.h"

int __real_quotas_ask(struct session *s, struct step *st, const union request_fields *fields);
int __wrap_quotas_ask(struct session *s, struct step *st, const union request_fields *fields);

int __wrap_quotas_ask(struct session *s, struct step *st, const union request_fields *fields)
{
    (void)__real_quotas_ask(s, st, fields);
    st->wait_ms = 0;
    return 0;
}
