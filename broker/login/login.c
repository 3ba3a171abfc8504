/* login: what is remembered, and the way of an attempt. */
#include "broker/login/login.h"

#include "base/big_endian.h"
#include "base/magic.h"
#include "base/secret.h"
#include "broker/login/pool.h"
#include "broker/login/source.h"
#include "broker/login/throttle.h"
#include "proto/errors.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROOF_BYTES 32
#define KEY_BYTES   32
#define WAYS        4

/* That this password was right for this user. */
struct remembered {
    uint64_t user, changed;
    int64_t until_ms; /* 0: none */
    uint8_t proof[PROOF_BYTES];
};

#define LOGIN_TICKET_MAGIC 0x3d70a1c9u
struct login_ticket {
    uint32_t magic;
    struct login *login;
    void *context;
    bool somebody; /* there is such a user, with a password */
    bool right;
    struct throttle_who who;
    struct remembered memory;
};

#define LOGIN_MAGIC 0x5be2f407u
struct login {
    uint32_t magic;
    uint8_t key[KEY_BYTES];
    struct login_pool *pool;
    struct throttle *throttle;
    void (*answer)(void *owner, struct login_ticket *ticket);
    void *owner;
    struct remembered remembered[LOGIN_REMEMBERED];
};

static void verified(void *owner, void *context, bool right);
static void dropped(void *owner, void *context);
static void prove(const struct login *l, const struct login_attempt *a, uint8_t ret[PROOF_BYTES]);
static bool is_remembered(const struct login *l, const struct remembered *what, int64_t now_ms);
static void remember(struct login *l, const struct remembered *what, int64_t now_ms);

int login_new(const struct login_settings *settings, struct login **ret)
{
    struct login *l = calloc(1, sizeof *l);
    uint64_t seed = 0;
    int err = SHUNT_NO_MEMORY;
    if (!l)
        return err;
    l->magic = LOGIN_MAGIC;
    bool random = getentropy(l->key, sizeof l->key) == 0 && getentropy(&seed, sizeof seed) == 0;
    l->throttle = throttle_new(seed);
    const struct login_pool_settings pool = {settings->threads, settings->queue_max, verified, l};
    if (!random)
        err = SHUNT_IO;
    else if (l->throttle)
        err = login_pool_new(&pool, &l->pool);
    if (err) {
        throttle_free(l->throttle);
        free(l);
        return err;
    }
    *ret = l;
    return 0;
}

void login_bind(struct login *l, void (*answer)(void *owner, struct login_ticket *ticket), void *owner)
{
    l->answer = answer;
    l->owner = owner;
}

void login_stop(struct login *l)
{
    login_pool_stop(l->pool, dropped);
}

void login_free(struct login *l)
{
    if (!l)
        return;
    login_pool_free(l->pool);
    throttle_free(l->throttle);
    secret_wipe(l, sizeof *l);
    free(l);
}

enum login_verdict login_password(struct login *l, const struct login_attempt *a, int64_t *ret_retry_ms)
{
    struct login_ticket *t = calloc(1, sizeof *t);
    *ret_retry_ms = 0;
    if (!t)
        return LOGIN_BUSY;
    *t = (struct login_ticket){.magic = LOGIN_TICKET_MAGIC,
                               .login = l,
                               .context = a->context,
                               .somebody = a->verifier.size > 0,
                               .who = {source_of_peer(l->key, a->peer), source_of_name(l->key, a->name)},
                               .memory = {.user = a->user, .changed = a->changed}};
    prove(l, a, t->memory.proof);
    /* What is remembered answers at once, so it must not answer those who guess: the throttle is asked first, and only an address
     * from which this user has logged in is told. */
    int64_t wait_ms = throttle_wait_ms(l->throttle, &t->who, a->now_ms);
    bool trusted = throttle_trusts(l->throttle, &t->who, a->now_ms);
    if (t->somebody && !wait_ms && trusted && is_remembered(l, &t->memory, a->now_ms)) {
        free(t);
        return LOGIN_RIGHT;
    }
    struct login_pool_job job = {.verifier = t->somebody ? a->verifier : slice_of(LOGIN_NOBODYS_VERIFIER),
                                 .password = a->password,
                                 .source = t->who.address,
                                 .due_ms = a->now_ms + wait_ms,
                                 .context = t};
    if (wait_ms >= 0 && login_pool_add(l->pool, &job) == 0)
        return LOGIN_LATER;
    *ret_retry_ms = wait_ms < 0 ? -wait_ms : 0;
    free(t);
    return LOGIN_BUSY;
}

void *login_context(const struct login_ticket *ticket)
{
    return ticket->context;
}

enum login_verdict login_end(struct login *l, struct login_ticket *ticket, int64_t now_ms)
{
    bool right = ticket->right && ticket->somebody;
    if (right) {
        throttle_succeeded(l->throttle, &ticket->who, now_ms);
        remember(l, &ticket->memory, now_ms);
    } else {
        throttle_failed(l->throttle, &ticket->who, now_ms);
    }
    free(ticket);
    return right ? LOGIN_RIGHT : LOGIN_WRONG;
}

void login_drop(struct login_ticket *ticket)
{
    free(ticket);
}

uint64_t login_waiting(struct login *l)
{
    return login_pool_waiting(l->pool);
}

bool login_run(struct login *l, int64_t now_ms)
{
    return login_pool_run(l->pool, now_ms);
}

/* On a thread of the pool. */
static void verified(void *owner, void *context, bool right)
{
    struct login *l = magic_of(owner, login, LOGIN_MAGIC);
    struct login_ticket *t = magic_of(context, login_ticket, LOGIN_TICKET_MAGIC);
    check(t->login == l);
    t->right = right;
    l->answer(l->owner, t);
}

static void dropped(void *owner, void *context)
{
    verified(owner, context, false);
}

/* ---- what is remembered ---- */

static void prove(const struct login *l, const struct login_attempt *a, uint8_t ret[PROOF_BYTES])
{
    uint8_t text[16 + LOGIN_PASSWORD_BYTES_MAX];
    unsigned size = 0;
    check(a->password.size <= LOGIN_PASSWORD_BYTES_MAX);
    put_be64(text, a->user);
    put_be64(text + 8, a->changed);
    if (a->password.size)
        memcpy(text + 16, a->password.data, a->password.size);
    check(HMAC(EVP_sha256(), l->key, KEY_BYTES, text, 16 + a->password.size, ret, &size) &&
          size == PROOF_BYTES);
    secret_wipe(text, sizeof text);
}

/* The first of WAYS places where those of a user lie. */
static size_t place_of(uint64_t user)
{
    return user % (LOGIN_REMEMBERED / WAYS) * WAYS;
}

static bool is_remembered(const struct login *l, const struct remembered *what, int64_t now_ms)
{
    const struct remembered *set = &l->remembered[place_of(what->user)];
    bool found = false;
    for (unsigned i = 0; i < WAYS; i++) {
        bool same = set[i].user == what->user && set[i].changed == what->changed && set[i].until_ms > now_ms;
        found |= same && secret_equal(set[i].proof, what->proof, PROOF_BYTES);
    }
    return found;
}

static void remember(struct login *l, const struct remembered *what, int64_t now_ms)
{
    struct remembered *set = &l->remembered[place_of(what->user)], *oldest = set;
    for (unsigned i = 1; i < WAYS; i++) {
        if (set[i].until_ms < oldest->until_ms)
            oldest = &set[i];
    }
    *oldest = *what;
    oldest->until_ms = now_ms + LOGIN_REMEMBER_MS;
}
