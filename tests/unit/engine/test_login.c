/* test_login: who is let in, and what a connection may do while its password is being verified. Without threads: the test verifies. */
#include "broker/core/identity.h"
#include "broker/engine/administrator.h"
#include "broker/engine/identify.h"
#include "broker/engine/state.h"
#include "broker/login/login.h"
#include "proto/credentials.h"
#include "proto/errors.h"
#include "proto/frame.h"
#include "proto/token_text.h"
#include "proto/wire.h"
#include "tests/unit/engine/world.h"
#include "tls/sha256.h"

#include <argon2.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD "correct horse"

struct scene {
    struct world w;
    struct login *login;
    struct link *link; /* which nothing was sent on */
    char token[TOKEN_TEXT_BYTES + 1];
    unsigned refused; /* notices */
    char how[32], user[NAME_BYTES_MAX + 1];
};

static void on_refused(void *context, const struct login_notice *notice)
{
    struct scene *s = (struct scene *)context; /* the world stands first in it */
    s->refused++;
    (void)snprintf(s->how, sizeof s->how, "%s", notice->how);
    (void)snprintf(s->user, sizeof s->user, "%s", notice->user);
    cr_assert_null(strstr(notice->why, PASSWORD));
}

/* One without a word, in the place of the first. */
static void fresh_link(struct scene *s)
{
    if (s->link)
        link_unref(s->link);
    s->link = link_new(1, &s->w.totals);
    (void)snprintf(s->link->peer, sizeof s->link->peer, "10.0.0.1:99");
    s->w.told[0].size = 0;
}

static void make_user(struct scene *s, const char *name, const char *password)
{
    char verifier[VERIFIER_BYTES_MAX + 1] = "";
    uint8_t secret[TOKEN_SECRET_BYTES] = {1, 2, 3}, hash[TOKEN_HASH_BYTES];
    uint64_t id = 0;
    const char *why = NULL;
    if (password) {
        cr_assert_eq(argon2id_hash_encoded(2, 19456, 1, password, strlen(password), "sixteen bytes ok", 16,
                                           32, verifier, sizeof verifier),
                     ARGON2_OK);
    }
    memcpy(secret, name, strlen(name));
    cr_assert(sha256(secret, sizeof secret, hash));
    struct administrator a = {
        .name = slice_of(name), .verifier = slice_of(verifier), .hash = {hash, sizeof hash}};
    cr_assert_eq(engine_make_administrator(s->w.engine, &a, &id, &why), 0, "%s", why);
    if (id)
        token_text_write(s->token, id, secret);
}

static void start(struct scene *s)
{
    *s = (struct scene){0};
    world_start(&s->w, &(struct engine_config){.limits.unsent_bytes_max = 1 << 20, .refused = on_refused});
    cr_assert_eq(login_new(&(struct login_settings){.threads = 0, .queue_max = 16}, &s->login), 0);
    s->w.engine->config.login = s->login;
    login_bind(s->login, identify_answered, s->w.engine);
    make_user(s, "tom", NULL); /* and his token */
    make_user(s, "ann", PASSWORD);
    fresh_link(s);
}

static void stop(struct scene *s)
{
    link_unref(s->link);
    login_stop(s->login);
    world_stop(&s->w);
    login_free(s->login);
}

static void put_hello(struct mpack_buffer *to, const struct credentials *c)
{
    size_t at = frame_begin(to, OP_HELLO, 1, 3);
    mpack_write_uint(to, 1);
    mpack_write_uint(to, 1);
    mpack_write_map(to, c ? 2 : 1);
    mpack_write_cstr(to, "client");
    mpack_write_cstr(to, "a test");
    if (c) {
        mpack_write_cstr(to, "auth");
        credentials_write(to, c);
    }
    frame_end(to, at);
}

static void put_ping(struct mpack_buffer *to, uint64_t id)
{
    frame_end(to, frame_begin(to, OP_PING, id, 0));
}

static void say_hello(struct scene *s, const struct credentials *c)
{
    struct mpack_buffer b = {0};
    put_hello(&b, c);
    post_frame(&s->w, s->link, &b, NULL);
    world_turn(&s->w);
}

static struct credentials password(const char *user, const char *text)
{
    return (struct credentials){
        .mechanism = MECHANISM_PASSWORD, .user = slice_of(user), .password = slice_of(text)};
}

/* The answer at `*at` in what was told; moves on. 0: OK; -1: there is none. */
static int next_answer(struct scene *s, size_t *at, uint64_t *ret_id)
{
    struct slice payload;
    size_t need;
    const char *why;
    struct mpack_buffer *told = &s->w.told[0];
    if (frame_next(told->data + *at, told->size - *at, FRAME_BYTES_MAX, &payload, &need, &why) != FRAME_WHOLE)
        return -1;
    *at += FRAME_HEADER_BYTES + payload.size;
    struct mpack_reader r;
    mpack_read_init(&r, payload.data, payload.size);
    (void)mpack_read_array(&r);
    uint64_t op = mpack_read_uint(&r);
    *ret_id = mpack_read_uint(&r);
    return op == OP_OK ? 0 : (int)mpack_read_uint(&r);
}

static void expect(struct scene *s, int err)
{
    size_t at = 0;
    uint64_t id = 0;
    cr_assert_eq(next_answer(s, &at, &id), err);
    cr_assert_eq(id, 1);
    cr_assert_eq(next_answer(s, &at, &id), -1);
    bool closed = !s->link->session || s->link->session->flow.requests >= REQUESTS_CLOSING;
    cr_assert_eq(closed, err != 0);
    cr_assert_eq(s->refused, err != 0);
}

static bool verify(struct scene *s)
{
    bool done = login_run(s->login, s->w.now_ms + 100000);
    world_turn(&s->w);
    return done;
}

Test(login, nobody_is_let_in_who_shows_nothing)
{
    struct scene s;
    start(&s);
    say_hello(&s, NULL);
    expect(&s, SHUNT_UNAUTHENTICATED);
    cr_assert_str_eq(s.how, "certificate");
    stop(&s);
}

Test(login, a_right_password_is_verified_and_what_came_behind_it_goes_on)
{
    struct scene s;
    struct mpack_buffer b = {0};
    size_t at = 0;
    uint64_t id = 0;
    struct credentials c = password("ann", PASSWORD);
    start(&s);
    put_hello(&b, &c);
    put_ping(&b, 2); /* in the same read */
    post_frame(&s.w, s.link, &b, NULL);
    world_turn(&s.w);
    cr_assert_eq(s.link->session->flow.requests, REQUESTS_LOGIN);
    put_ping(&b, 3);
    post_frame(&s.w, s.link, &b, NULL);
    world_turn(&s.w);
    cr_assert_eq(s.w.told[0].size, 0, "nothing is told before it is known who it is");
    cr_assert_null(s.link->session->holder);
    cr_assert(verify(&s));
    world_turn(&s.w);
    for (uint64_t wanted = 1; wanted <= 3; wanted++) {
        cr_assert_eq(next_answer(&s, &at, &id), 0);
        cr_assert_eq(id, wanted);
    }
    cr_assert_eq(s.link->session->who.how, WHO_PASSWORD);
    cr_assert_str_eq(s.link->session->who.user, "ann");
    cr_assert_eq(atomic_load(&s.link->account.held_bytes), 0);
    cr_assert_eq(s.w.engine->logins, 1);
    fresh_link(&s);
    say_hello(&s, &c);
    expect(&s, 0); /* at once: it is remembered */
    stop(&s);
}

Test(login, a_wrong_password_and_an_unknown_name_get_one_answer)
{
    struct scene s;
    struct credentials wrong = password("ann", "wrong"), nobody = password("nobody", PASSWORD);
    start(&s);
    say_hello(&s, &wrong);
    cr_assert_eq(s.w.told[0].size, 0);
    cr_assert(verify(&s));
    expect(&s, SHUNT_UNAUTHENTICATED);
    cr_assert_str_eq(s.how, "password");
    cr_assert_str_eq(s.user, "ann");
    size_t size = s.w.told[0].size;
    char *first = malloc(size);
    memcpy(first, s.w.told[0].data, size);
    fresh_link(&s);
    s.refused = 0;
    say_hello(&s, &nobody);
    cr_assert(verify(&s), "it is verified like any other");
    expect(&s, SHUNT_UNAUTHENTICATED);
    cr_assert_str_eq(s.user, "", "what was given may have been a password");
    cr_assert_eq(s.w.told[0].size, size);
    cr_assert_arr_eq(s.w.told[0].data, first, size);
    free(first);
    stop(&s);
}

Test(login, who_has_no_password_has_none_that_is_right)
{
    struct scene s;
    struct credentials c = password("tom", "");
    start(&s);
    say_hello(&s, &c);
    cr_assert(verify(&s));
    expect(&s, SHUNT_UNAUTHENTICATED);
    stop(&s);
}

Test(login, nothing_is_left_of_a_connection_that_is_lost_meanwhile_but_its_failure)
{
    struct scene s;
    struct credentials c = password("ann", "wrong");
    start(&s);
    say_hello(&s, &c);
    post(&s.w, s.link, PORT_LOST);
    world_turn(&s.w);
    cr_assert_null(s.link->session);
    cr_assert(verify(&s));
    for (unsigned i = 0; i < 100; i++) { /* each leaves before it is told */
        fresh_link(&s);
        say_hello(&s, &c);
        post(&s.w, s.link, PORT_LOST);
        (void)verify(&s);
    }
    fresh_link(&s);
    say_hello(&s, &c);
    (void)verify(&s);
    size_t at = 0;
    uint64_t id;
    cr_assert_eq(next_answer(&s, &at, &id), SHUNT_TOO_MANY, "the address is made to wait");
    stop(&s);
}

Test(login, a_client_that_sends_nothing_more_is_answered)
{
    struct scene s;
    struct credentials c = password("ann", PASSWORD);
    size_t at = 0;
    uint64_t id;
    start(&s);
    say_hello(&s, &c);
    post(&s.w, s.link, PORT_ENDED);
    world_turn(&s.w);
    cr_assert_eq(s.link->session->flow.requests, REQUESTS_LOGIN);
    cr_assert(verify(&s));
    world_turn(&s.w);
    cr_assert_eq(next_answer(&s, &at, &id), 0);
    cr_assert_eq(s.link->session->flow.requests, REQUESTS_CLOSING);
    stop(&s);
}

static void send_behind_hello(struct scene *s, size_t bytes)
{
    struct credentials c = password("ann", PASSWORD);
    say_hello(s, &c);
    for (size_t sent = 0; sent < bytes; sent += 1000) {
        struct mpack_buffer b = {0};
        size_t at = frame_begin(&b, OP_PING, 0, 1);
        memset(mpack_extend(&b, 990), 0xc0, 990);
        b.data[b.size - 990] = 0xdc; /* an array of 987 nils, which no version has given a meaning */
        b.data[b.size - 989] = 987 >> 8;
        b.data[b.size - 988] = 987 & 0xff;
        frame_end(&b, at);
        post_frame(&s->w, s->link, &b, NULL);
        world_turn(&s->w);
    }
}

Test(login, a_stranger_has_no_memory_of_ours)
{
    struct scene s;
    size_t at = 0;
    uint64_t id;
    start(&s);
    send_behind_hello(&s, 40000);
    cr_assert_eq(s.link->session->flow.requests, REQUESTS_LOGIN);
    cr_assert(verify(&s));
    cr_assert_eq(next_answer(&s, &at, &id), 0);
    stop(&s);
}

Test(login, more_than_may_follow_hello_ends_it)
{
    struct scene s;
    size_t at = 0;
    uint64_t id;
    start(&s);
    send_behind_hello(&s, 80000);
    cr_assert_eq(next_answer(&s, &at, &id), SHUNT_TOO_LARGE);
    cr_assert_eq(id, 1);
    cr_assert(verify(&s));
    cr_assert_eq(next_answer(&s, &at, &id), -1, "and the verdict is not told any more");
    stop(&s);
}

Test(login, a_token_is_good_until_it_expires_or_its_user_is_gone)
{
    struct scene s;
    start(&s);
    char tom[TOKEN_TEXT_BYTES + 1];
    make_user(&s, "tim", NULL);
    memcpy(tom, s.token, sizeof tom);
    struct credentials c = {.mechanism = MECHANISM_TOKEN, .token = slice_of(tom)};
    say_hello(&s, &c);
    expect(&s, 0);
    cr_assert_eq(s.link->session->who.how, WHO_TOKEN);
    cr_assert_str_eq(s.link->session->who.user, "tim");
    cr_assert_neq(s.link->session->who.token, 0);
    tom[strlen(tom) - 1] = tom[strlen(tom) - 1] == 'A' ? 'B' : 'A';
    fresh_link(&s);
    say_hello(&s, &c);
    expect(&s, SHUNT_UNAUTHENTICATED);
    cr_assert_str_eq(s.how, "token");
    stop(&s);
}

Test(login, what_is_no_token_is_a_wrong_one)
{
    static const char *const texts[] = {"", "shunt_", "shunt_!", "a password",
                                        "shunt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    struct scene s;
    start(&s);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct credentials c = {.mechanism = MECHANISM_TOKEN, .token = slice_of(texts[i])};
        fresh_link(&s);
        s.refused = 0;
        say_hello(&s, &c);
        expect(&s, SHUNT_UNAUTHENTICATED);
    }
    stop(&s);
}

Test(login, the_local_administrator_shows_nothing)
{
    struct scene s;
    struct credentials c = password("ann", PASSWORD);
    start(&s);
    s.link->local = true;
    say_hello(&s, NULL);
    expect(&s, 0);
    cr_assert_eq(s.link->session->who.how, WHO_LOCAL);
    fresh_link(&s);
    s.link->local = true;
    say_hello(&s, &c);
    cr_assert(verify(&s), "but what it shows counts");
    expect(&s, 0);
    cr_assert_eq(s.link->session->who.how, WHO_PASSWORD);
    stop(&s);
}

Test(login, with_authentication_off_everybody_is_anybody)
{
    struct scene s;
    struct credentials c = password("ann", "wrong");
    start(&s);
    s.w.engine->config.login = NULL;
    say_hello(&s, &c);
    expect(&s, 0);
    cr_assert_eq(s.link->session->who.how, WHO_ANYBODY);
    s.w.engine->config.login = s.login;
    stop(&s);
}

Test(login, a_password_is_wiped_where_it_lay)
{
    struct scene s;
    struct credentials c = password("ann", PASSWORD);
    struct mpack_buffer b = {0};
    start(&s);
    put_hello(&b, &c);
    struct chunk *chunk = chunk_new((uint32_t)b.size);
    size_t size = b.size;
    chunk_ref(chunk);
    post_frame(&s.w, s.link, &b, chunk);
    world_turn(&s.w);
    cr_assert_null(memmem(chunk->data, size, PASSWORD, strlen(PASSWORD)));
    chunk_unref(chunk);
    cr_assert(verify(&s));
    expect(&s, 0);
    stop(&s);
}

Test(login, what_auth_must_be)
{
    static const struct {
        const char *mechanism, *key;
    } rows[] = {{"password", "user"},
                {"password", "password"},
                {"token", "user"},
                {"kerberos", "user"},
                {NULL, "user"}};
    struct scene s;
    start(&s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mpack_buffer b = {0};
        size_t at = frame_begin(&b, OP_HELLO, 1, 3);
        mpack_write_uint(&b, 1);
        mpack_write_uint(&b, 1);
        mpack_write_map(&b, 1);
        mpack_write_cstr(&b, "auth");
        mpack_write_map(&b, rows[i].mechanism ? 2 : 1);
        if (rows[i].mechanism) {
            mpack_write_cstr(&b, "mechanism");
            mpack_write_cstr(&b, rows[i].mechanism);
        }
        mpack_write_cstr(&b, rows[i].key);
        mpack_write_cstr(&b, "x");
        frame_end(&b, at);
        fresh_link(&s);
        s.refused = 0;
        post_frame(&s.w, s.link, &b, NULL);
        world_turn(&s.w);
        expect(&s, SHUNT_BAD_ARGUMENT);
    }
    stop(&s);
}
