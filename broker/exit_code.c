/* exit_code: from errors to exit statuses. */
#include "broker/exit_code.h"

#include "proto/errors.h"

int exit_code_of(int err)
{
    switch (err) {
    case 0:
        return EXIT_CODE_OK;
    case SHUNT_BAD_ARGUMENT:
        return EXIT_CODE_CONFIG;
    case SHUNT_STORE_LOCKED:
        return EXIT_CODE_LOCKED;
    case SHUNT_STORE_VERSION:
        return EXIT_CODE_VERSION;
    case SHUNT_STORE_TRUNCATED:
    case SHUNT_CORRUPT:
        return EXIT_CODE_DATA;
    case SHUNT_STORE_READ_ONLY:
        return EXIT_CODE_READ_ONLY;
    case SHUNT_NOT_FOUND:
        return EXIT_CODE_NO_STORE;
    case SHUNT_NO_SPACE:
        return EXIT_CODE_NO_SPACE;
    case SHUNT_NO_MEMORY:
        return EXIT_CODE_SYSTEM;
    case SHUNT_IO:
        return EXIT_CODE_IO;
    default:
        return EXIT_CODE_BUG;
    }
}
