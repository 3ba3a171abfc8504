/* test_files: what is refused of certificates and keys on disk, and that the reason names the file. */
#include "proto/errors.h"
#include "tests/unit/tls/certs.h"
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Read `cert` and `key` into a context of their own. */
static int read_own(const char *cert, const char *key, char *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    cr_assert(ctx);
    why[0] = '\0';
    int err = tls_read_own(ctx, cert, key, why, TLS_WHY_BYTES);
    SSL_CTX_free(ctx);
    return err;
}

Test(files, a_key_must_be_closed_to_others)
{
    static const struct {
        mode_t mode;
        int others, roots; /* what is said of it if somebody else owns it, and if root does */
    } rows[] = {
        {0600, 0, 0},
        {0400, 0, 0},
        {0640, SHUNT_BAD_ARGUMENT, 0},
        {0440, SHUNT_BAD_ARGUMENT, 0},
        {0660, SHUNT_BAD_ARGUMENT, SHUNT_BAD_ARGUMENT},
        {0604, SHUNT_BAD_ARGUMENT, SHUNT_BAD_ARGUMENT},
        {0644, SHUNT_BAD_ARGUMENT, SHUNT_BAD_ARGUMENT},
        {0602, SHUNT_BAD_ARGUMENT, SHUNT_BAD_ARGUMENT},
    };
    struct certs c;
    char why[TLS_WHY_BYTES];
    certs_make(&c);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(chmod(c.server.key, rows[i].mode), 0);
        int expected = geteuid() == 0 ? rows[i].roots : rows[i].others;
        cr_assert_eq(read_own(c.server.cert, c.server.key, why), expected, "%03o: %s", (unsigned)rows[i].mode,
                     why);
        if (expected)
            cr_assert(strstr(why, c.server.key) && strstr(why, "chmod 600"), "%s", why);
    }
    certs_remove(&c);
}

Test(files, what_cannot_be_used_is_refused_by_name)
{
    struct certs c;
    char why[TLS_WHY_BYTES];
    certs_make(&c);
    cr_assert_eq(read_own(c.server.cert, c.client.key, why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, c.client.key) && strstr(why, "does not go with the certificate"), "%s", why);
    cr_assert_eq(read_own(c.server.key, c.server.key, why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, "no certificate in PEM"), "%s", why);
    cr_assert_eq(read_own(c.server.cert, c.dir, why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, "not a file"), "%s", why);
    cr_assert_eq(chmod(c.server.cert, 0600), 0);
    cr_assert_eq(read_own(c.server.cert, c.server.cert, why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, "no private key in PEM"), "%s", why);
    cr_assert_eq(read_own("/nowhere/x.pem", c.server.key, why), SHUNT_IO);
    cr_assert_str_eq(why, "/nowhere/x.pem: No such file or directory");
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    cr_assert_eq(tls_read_authorities(ctx, c.server.key, why, sizeof why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, "no certificates of authorities"), "%s", why);
    SSL_CTX_free(ctx);
    certs_remove(&c);
}

/* OpenSSL would ask for it on the terminal. */
Test(files, a_key_with_a_password_is_refused)
{
    struct certs c;
    char why[TLS_WHY_BYTES];
    certs_make(&c);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(c.server.key, "we");
    cr_assert(key && file);
    cr_assert_eq(PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    cr_assert_eq(fclose(file), 0);
    EVP_PKEY_free(key);
    cr_assert_eq(read_own(c.server.cert, c.server.key, why), SHUNT_BAD_ARGUMENT);
    cr_assert(strstr(why, "with a password"), "%s", why);
    certs_remove(&c);
}

Test(files, a_context_knows_whose_it_is_and_when_it_ends)
{
    struct certs c;
    certs_make(&c);
    struct tls_context *fresh = server_context(&c, &c.server, TLS_CLIENT_AUTH_OFF, 13);
    struct tls_context *old = server_context(&c, &c.expired, TLS_CLIENT_AUTH_OFF, 13);
    cr_assert_str_eq(tls_context_subject(fresh), "CN = server");
    int64_t apart_ms = tls_context_expires_ms(fresh) - tls_context_expires_ms(old);
    cr_assert_geq(apart_ms, 3650 * 1000);
    cr_assert_leq(apart_ms, 3670 * 1000);
    tls_context_free(fresh);
    tls_context_free(old);
    certs_remove(&c);
}
