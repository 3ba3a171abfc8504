/* The public headers compile as C11, pedantic, twice over and as the first include; their symbols link. */
#include "client/shunt_access.h"
#include "client/shunt_triage.h"

#include "client/shunt.h"
#include "client/shunt_access.h"
#include "client/shunt_triage.h"

int main(void)
{
    struct shunt_error err;
    struct shunt *s = 0;
    if (shunt_open("shunt://127.0.0.1", 0, &s, &err) != SHUNT_OK)
        return 1;
    if (shunt_dlq_causes(s, 0, 0, 0, 0, &err) != SHUNT_BAD_ARGUMENT)
        return 1;
    shunt_close(s, 0);
    return shunt_version()[0] == '\0';
}
