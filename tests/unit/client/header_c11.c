/* shunt.h compiles as C11, pedantic, twice over and as the first include; its symbols link. */
#include "client/shunt.h"

int main(void)
{
    struct shunt_error err;
    struct shunt *s = 0;
    if (shunt_open("shunt://127.0.0.1", 0, &s, &err) != SHUNT_OK)
        return 1;
    shunt_close(s, 0);
    return shunt_version()[0] == '\0';
}
