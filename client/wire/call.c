/* call: see call.h. */
#include "client/wire/call.h"

#include "base/check.h"

void call_begin(struct call *c, const struct request_form *form, const union request_fields *fields,
                bool repeatable)
{
    *c = (struct call){.magic = CALL_MAGIC, .op = form->op, .repeatable = repeatable};
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
