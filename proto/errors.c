/* errors: names, texts and retry marks of the error codes, made from errors.def. */
#include "proto/errors.h"

#include <stddef.h>

struct error_row {
    int number;
    bool retry;
    const char *name;
    const char *text;
};

static const struct error_row rows[] = {
    {SHUNT_OK, false, "OK", "no error"},
#define SHUNT_ERROR(name, number, retry, text) {number, retry, #name, text},
#include "proto/errors.def"
#undef SHUNT_ERROR
};

static const struct error_row *find(int code);

const char *err_name(int code)
{
    const struct error_row *row = find(code);
    return row ? row->name : "UNKNOWN";
}

const char *err_text(int code)
{
    const struct error_row *row = find(code);
    return row ? row->text : "an error this version does not know";
}

bool err_may_retry(int code)
{
    const struct error_row *row = find(code);
    return row ? row->retry : false;
}

bool err_has_retry_after(int code)
{
    return code == SHUNT_NO_SPACE || code == SHUNT_TOO_MANY || code == SHUNT_SHUTTING_DOWN;
}

bool err_known(int code)
{
    return find(code) != NULL;
}

/* Errors are rare and the table is short: a walk is fast enough. */
static const struct error_row *find(int code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number == code)
            return &rows[i];
    }
    return NULL;
}
