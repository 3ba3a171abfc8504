// The public headers compile as C++ and their functions link with C linkage.
#include "client/shunt_access.h"
#include "client/shunt_triage.h"

static enum shunt_outcome handle(void *, const struct shunt_delivery *, struct shunt_verdict *)
{
    return SHUNT_ACK;
}

int main()
{
    shunt_handler *handler = handle;
    shunt_error err{};
    shunt *s = nullptr;
    if (handler == nullptr || shunt_open(nullptr, nullptr, &s, &err) != SHUNT_OK)
        return 1;
    if (shunt_dlq_causes(s, nullptr, nullptr, 0, nullptr, &err) != SHUNT_BAD_ARGUMENT)
        return 1;
    shunt_close(s, 0);
    return 0;
}
