/* error_numbers: proof at compile time that the enum in shunt.h and the table in proto/errors.def agree. This
 * file includes the public header alone, so that the numbers compared are the ones users compile in. */
#include "client/shunt.h"

#define SHUNT_ERROR(name, number, retry, text)                                                               \
    _Static_assert(SHUNT_##name == number, "SHUNT_" #name " in shunt.h is not what the protocol says");
#include "proto/errors.def"
#undef SHUNT_ERROR

_Static_assert(SHUNT_OK == 0, "0 is success");
