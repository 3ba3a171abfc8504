/* init_admin: see init_admin.h. */
#include "broker/init_admin.h"

#include "base/secret.h"
#include "broker/engine/administrator.h"
#include "broker/engine/engine.h"
#include "broker/exit_code.h"
#include "broker/server_store.h"
#include "broker/store/store.h"
#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/names.h"
#include "proto/token_text.h"
#include "tls/sha256.h"
#include <argon2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHY_BYTES 1024

/* As `shunt user passwd` makes them. */
#define PASSES     3
#define MEMORY_KIB 65536
#define LANES      1
#define SALT_BYTES 16
#define HASH_BYTES 32

static int fail(int exit_code, const char *why)
{
    (void)fprintf(stderr, "shuntd: --init-admin: %s\n", why);
    return exit_code;
}

/* The first line of the file. Returns an exit status. */
static int read_password(const char *path, char *to, size_t bytes)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char why[WHY_BYTES];
    if (!file) {
        (void)snprintf(why, sizeof why, "%s cannot be read", path);
        return fail(EXIT_CODE_USAGE, why);
    }
    bool read = fgets(to, (int)bytes, file) != NULL;
    if (file != stdin)
        (void)fclose(file); /* only read from */
    size_t size = read ? strcspn(to, "\r\n") : 0;
    if (read)
        secret_wipe(to + size, bytes - size);
    if (size && size <= PASSWORD_BYTES_MAX)
        return 0;
    return fail(EXIT_CODE_USAGE, size ? "a password is at most 1024 bytes long" : "the password is empty");
}
_Static_assert(PASSWORD_BYTES_MAX == 1024, "read_password() says the limit in words");

static int make_verifier(const char *password, char *to, size_t bytes)
{
    uint8_t salt[SALT_BYTES];
    if (getentropy(salt, sizeof salt) != 0)
        return fail(EXIT_CODE_SYSTEM, "the system has no random bytes");
    int err = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt, sizeof salt,
                                    HASH_BYTES, to, bytes);
    return err == ARGON2_OK ? 0 : fail(EXIT_CODE_SYSTEM, argon2_error_message(err));
}

static void do_nothing(void *context)
{
    (void)context;
}

static void on_fatal(void *context, int err, const char *text)
{
    (void)context;
    (void)fail(err, text);
    _exit(err == SHUNT_CORRUPT ? EXIT_CODE_DATA : EXIT_CODE_IO);
}

static int tell(uint64_t id, const uint8_t secret[TOKEN_SECRET_BYTES])
{
    char text[TOKEN_TEXT_BYTES + 1];
    token_text_write(text, id, secret);
    bool told = puts(text) >= 0 && fflush(stdout) == 0;
    secret_wipe(text, sizeof text);
    return told ? 0 : fail(EXIT_CODE_IO, "the token could not be written: it is lost");
}

/* An engine on the store of the settings, without a thread. Returns an exit status. */
static int start_engine(const struct config *config, struct flow_totals *totals, struct engine **ret)
{
    char why[WHY_BYTES] = "";
    struct store *store = NULL;
    int err = server_store_open(config, config->text[CONFIG_data], false, &store, why, sizeof why);
    if (err)
        return fail(exit_code_of(err), why);
    struct engine_config engine = {
        .limits = {.max_body_bytes = (uint64_t)config->number[CONFIG_body_bytes_max],
                   .max_topics = (uint64_t)config->number[CONFIG_topics_max],
                   .max_groups = (uint64_t)config->number[CONFIG_groups_max],
                   .resume_wait_ms = config->number[CONFIG_resume_wait_ms],
                   .dedup_window_ms = config->number[CONFIG_dedup_window_ms],
                   .audit_keep_ms = config->number[CONFIG_audit_keep_ms],
                   .audit_bytes_max = (uint64_t)config->number[CONFIG_audit_bytes_max]},
        .totals = totals,
        .notify = do_nothing,
        .fatal = on_fatal};
    err = engine_new(&engine, store, ret, why, sizeof why);
    if (!err)
        return 0;
    store_close(store);
    return fail(exit_code_of(err), why);
}

/* The engine makes it; then the token is told. */
static int make(const struct config *config, const struct administrator *a,
                const uint8_t secret[TOKEN_SECRET_BYTES])
{
    static struct flow_totals totals;
    struct engine *engine = NULL;
    const char *why = NULL;
    uint64_t id = 0;
    int exit_code = start_engine(config, &totals, &engine);
    if (exit_code)
        return exit_code;
    int err = engine_make_administrator(engine, a, &id, &why);
    engine_free(engine);
    if (err) {
        bool misused = err == SHUNT_BAD_NAME || err == SHUNT_BAD_ARGUMENT;
        return fail(misused ? EXIT_CODE_USAGE : exit_code_of(err), why);
    }
    return id ? tell(id, secret) : 0;
}

/* The process and its user: the audit log has them where it has an address otherwise. */
static struct slice local_peer(char *to, size_t bytes)
{
    (void)snprintf(to, bytes, "local:uid=%u,pid=%d", (unsigned)getuid(), (int)getpid());
    return slice_of(to);
}

static int make_with_token(const struct config *config, const char *name)
{
    uint8_t secret[TOKEN_SECRET_BYTES], hash[TOKEN_HASH_BYTES];
    if (getentropy(secret, sizeof secret) != 0 || !sha256(secret, sizeof secret, hash))
        return fail(EXIT_CODE_SYSTEM, "the system has no random bytes, or no memory");
    char peer[AUDIT_PEER_BYTES_MAX];
    const struct administrator a = {
        .name = slice_of(name), .hash = {hash, sizeof hash}, .peer = local_peer(peer, sizeof peer)};
    int exit_code = make(config, &a, secret);
    secret_wipe(secret, sizeof secret);
    return exit_code;
}

static int make_with_password(const struct config *config, const char *name, const char *path)
{
    char password[PASSWORD_BYTES_MAX + 3] = "", verifier[VERIFIER_BYTES_MAX + 1] = "";
    int exit_code = read_password(path, password, sizeof password);
    if (!exit_code)
        exit_code = make_verifier(password, verifier, sizeof verifier);
    secret_wipe(password, sizeof password);
    char peer[AUDIT_PEER_BYTES_MAX];
    const struct administrator a = {
        .name = slice_of(name), .verifier = slice_of(verifier), .peer = local_peer(peer, sizeof peer)};
    return exit_code ? exit_code : make(config, &a, NULL);
}

int init_admin_run(const struct config *config, const char *name, const char *password_file)
{
    if (!name_is_user(slice_of(name)))
        return fail(EXIT_CODE_USAGE, "a user's name has 1 to 100 letters of A-Z a-z 0-9 . _ - @");
    return password_file ? make_with_password(config, name, password_file) : make_with_token(config, name);
}
