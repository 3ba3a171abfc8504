// shunt.h compiles as C++ and its functions link with C linkage.
#include "client/shunt.h"

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
    shunt_close(s, 0);
    return 0;
}
