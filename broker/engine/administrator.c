/* administrator: its commands go the way of all others, into the audit log too, but that nobody asked for them over a connection. */
#include "broker/engine/administrator.h"

#include "base/check.h"
#include "broker/core/identity.h"
#include "broker/engine/run.h"
#include "broker/engine/state.h"
#include "broker/engine/transaction.h"
#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/request.h"
#include "proto/wire.h"

/* As if it had asked by such a request. `text` has AUDIT_ASKED_BYTES_MAX bytes. */
static struct actor actor_of(const struct administrator *a, uint32_t request,
                             const union request_fields *fields, char *text)
{
    return (struct actor){.request = request,
                          .client = slice_of("shuntd --init-admin"),
                          .peer = a->peer,
                          .asked = {text, request_asked(request, fields, text, AUDIT_ASKED_BYTES_MAX)}};
}

/* Returns its error. */
static int do_it(struct engine *e, const struct command *c, uint64_t *ret_number, const char **ret_why)
{
    steps_add(e, STEP_COMMAND, NULL)->command = *c;
    steps_run(e);
    const struct step *st = &e->steps.items[0]; /* it has run, and is still there */
    *ret_number = st->count;
    *ret_why = st->err ? st->why ? st->why : err_text(st->err) : NULL;
    return st->err;
}

int engine_make_administrator(struct engine *e, const struct administrator *a, uint64_t *ret_token,
                              const char **ret_why)
{
    struct slice role = slice_of(ROLE_ADMINISTRATOR);
    struct mpack_buffer roles = {0};
    char user_text[AUDIT_ASKED_BYTES_MAX], token_text[AUDIT_ASKED_BYTES_MAX];
    mpack_write_cstr(&roles, ROLE_ADMINISTRATOR);
    const union request_fields set = {
        .user_set = {.user = a->name,
                     .settings = {.must_be = slice_of("new"),
                                  .password = a->verifier,
                                  .roles = {!roles.failed, {roles.data, roles.size}}}}};
    const union request_fields create = {.token_create = {.user = a->name}};
    const struct actor by_user = actor_of(a, OP_USER_SET, &set, user_text);
    const struct actor by_token = actor_of(a, OP_TOKEN_CREATE, &create, token_text);
    struct command user = {.kind = COMMAND_USER_SET,
                           .by = &by_user,
                           .user = {.name = a->name,
                                    .presence = PRESENCE_MISSING,
                                    .given = USER_PASSWORD | USER_ROLES,
                                    .password = a->verifier,
                                    .roles = &role,
                                    .roles_count = 1}};
    struct command token = {
        .kind = COMMAND_TOKEN_ADD,
        .by = &by_token,
        .token = {.user = a->name, .hash = a->hash, .note = slice_of("made by --init-admin")}};
    uint64_t ignored;
    check(e->magic == ENGINE_MAGIC && !e->threaded);
    *ret_token = 0;
    *ret_why = err_text(SHUNT_NO_MEMORY);
    transaction_look_at_room(e);
    int err = roles.failed ? SHUNT_NO_MEMORY : do_it(e, &user, &ignored, ret_why);
    if (!err && !a->verifier.size)
        err = do_it(e, &token, ret_token, ret_why);
    if (err)
        transaction_abort(e);
    else
        transaction_commit(e);
    mpack_buffer_done(&roles);
    return err;
}
