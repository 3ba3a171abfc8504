/* call: see call.h. */
#include "client/wire/call.h"

#include "base/check.h"
#include "base/list.h"
#include <stdlib.h>

void call_begin(struct call *c, const struct request_form *form, const union request_fields *fields,
                bool repeatable)
{
    *c = (struct call){.magic = CALL_MAGIC, .op = form->op, .repeatable = repeatable, .until_us = INT64_MAX};
    c->fields = form->write(&c->request, fields);
}

void call_done(struct call *c)
{
    check(c->state == CALL_NEW || c->state == CALL_ENDED);
    c->magic = 0;
    mpack_buffer_done(&c->request);
    block_drop(c->block);
    c->block = NULL;
}

struct call *call_new(const struct request_form *form, const union request_fields *fields, bool repeatable,
                      struct notice *notice)
{
    struct call *c = notice ? calloc(1, sizeof *c) : NULL;
    if (c)
        call_begin(c, form, fields, repeatable);
    if (!c || c->request.failed) {
        if (c)
            call_done(c);
        free(c);
        free(notice);
        return NULL;
    }
    c->notice = notice;
    c->until_us = notice->until_us;
    return c;
}

void call_tell(struct call *c, const struct shunt_error *error, struct notice_list *told)
{
    struct notice *notice = c->notice;
    notice->error = *error;
    list_append(told, notice);
    call_done(c);
    free(c);
}
