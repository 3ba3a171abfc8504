/* error: fill the caller's error object. The library itself never logs. */
#include "client/wire/error.h"
#include "base/utf8.h"
#include "proto/errors.h"
#include <stdarg.h>
#include <stdio.h>

int error_set(struct shunt_error *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    err->code = code;
    err->may_retry = err_may_retry(code);
    if (!format) {
        (void)snprintf(err->text, sizeof err->text, "%s", err_text(code)); /* the table's texts are short */
        return code;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args); /* cut to fit, as promised */
    va_end(args);
    utf8_mend(err->text); /* names in it were cut as well */
    return code;
}

const char *shunt_error_name(int code)
{
    return err_name(code);
}

const char *shunt_error_text(int code)
{
    return err_text(code);
}

int shunt_version_num(void)
{
    return SHUNT_VERSION_NUM;
}

const char *shunt_version(void)
{
    return SHUNT_VERSION;
}
