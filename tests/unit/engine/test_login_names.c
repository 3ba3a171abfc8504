/* test_login_names: a certificate lets in as the user that has one of its names, and as nobody else. Built once more with a planted bug, by which
 * any name will do (planted_names.c); then it must fail. */
#include "broker/core/identity.h"
#include "broker/engine/identify.h"
#include "broker/engine/run.h"
#include "broker/engine/state.h"
#include "broker/login/login.h"
#include "tests/unit/engine/world.h"

#include "proto/frame.h"
#include "proto/wire.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void make_user(struct world *w, const char *name, const char *certificate, bool disabled)
{
    struct slice names = slice_of(certificate);
    steps_add(w->engine, STEP_COMMAND, NULL)->command =
        (struct command){.kind = COMMAND_USER_SET,
                         .user = {.name = slice_of(name),
                                  .presence = PRESENCE_MISSING,
                                  .given = USER_CERTIFICATES | USER_DISABLED,
                                  .certificates = &names,
                                  .certificates_count = 1,
                                  .disabled = disabled}};
    steps_run(w->engine);
    cr_assert_eq(w->engine->steps.items[0].err, 0);
    world_turn(w);
}

/* Whom the certificate with these names lets in; empty: nobody. `names`: each with a `;` behind it. */
static void let_in(struct world *w, const char *names, char ret[NAME_BYTES_MAX + 1])
{
    struct mpack_buffer b = {0};
    struct link *link = link_new(1, &w->totals);
    size_t size = strlen(names);
    link->names = size ? calloc(1, size + 2) : NULL;
    for (size_t i = 0; i < size; i++)
        link->names[i] = (char)(names[i] == ';' ? '\0' : names[i]);
    size_t at = frame_begin(&b, OP_HELLO, 1, 3);
    mpack_write_uint(&b, 1);
    mpack_write_uint(&b, 1);
    mpack_write_map(&b, 0);
    frame_end(&b, at);
    post_frame(w, link, &b, NULL);
    world_turn(w);
    ret[0] = '\0';
    if (link->session && link->session->greeted) {
        cr_assert_eq(link->session->who.how, WHO_CERTIFICATE);
        strcpy(ret, link->session->who.user);
    }
    link_unref(link);
}

Test(login_names, a_certificate_lets_in_as_the_user_that_has_its_name)
{
    static const struct {
        const char *names, *user;
    } rows[] = {
        {"dns:ann.example;", "ann"},
        {"dns:other;dns:ann.example;cn:x;", "ann"},
        {"cn:bob;", "bob"},
        {"dns:bob;", ""}, /* of another kind */
        {"dns:ann.example.evil;", ""},
        {"dns:ANN.example;", ""},
        {"dns:*.example;", ""},
        {"dns:;", ""},
        {"cn:gone;", ""},                /* it is disabled */
        {"dns:ann.example;cn:bob;", ""}, /* names of two users */
        {"", ""},
    };
    struct world w;
    struct login *login = NULL;
    char user[NAME_BYTES_MAX + 1];
    world_start(&w, &(struct engine_config){0});
    cr_assert_eq(login_new(&(struct login_settings){.queue_max = 8}, &login), 0);
    make_user(&w, "ann", "dns:ann.example", false);
    make_user(&w, "bob", "cn:bob", false);
    make_user(&w, "gone", "cn:gone", true);
    w.engine->config.login = login;
    login_bind(login, identify_answered, w.engine);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        let_in(&w, rows[i].names, user);
        cr_assert_str_eq(user, rows[i].user, "%s", rows[i].names);
    }
    login_stop(login);
    world_stop(&w);
    login_free(login);
}
