/* files: see files.h. */
#include "tls/files.h"

#include "proto/errors.h"
#include "tls/reason.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* It has no password that we know, and the terminal is not ours to ask on. */
static int no_password(char *to, int size, int writing, void *context)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static int cannot_read(const char *path, char *why, size_t why_bytes)
{
    (void)snprintf(why, why_bytes, "%.300s: %s", path, strerror(errno));
    return SHUNT_IO;
}

/* OpenSSL's own reason. */
static int refused(const char *path, const char *what, char *why, size_t why_bytes)
{
    char reason[TLS_REASON_BYTES];
    tls_reason(NULL, reason, sizeof reason);
    (void)snprintf(why, why_bytes, "%.300s: %s: %s", path, what, reason);
    return SHUNT_BAD_ARGUMENT;
}

/* A descriptor of a regular file, open to read. Anything else could keep us waiting. */
static int open_file(const char *path, struct stat *ret, int *ret_fd, char *why, size_t why_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return cannot_read(path, why, why_bytes);
    if (fstat(fd, ret) != 0 || !S_ISREG(ret->st_mode)) {
        (void)close(fd); /* only read from */
        (void)snprintf(why, why_bytes, "%.300s: not a file", path);
        return SHUNT_BAD_ARGUMENT;
    }
    *ret_fd = fd;
    return 0;
}

static int check_closed(const char *path, const struct stat *about, char *why, size_t why_bytes)
{
    mode_t closed = about->st_uid == 0 ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((about->st_mode & closed) == 0)
        return 0;
    (void)snprintf(why, why_bytes,
                   "%.300s: the private key can be read or changed by others (its mode is %03o): "
                   "chmod 600 it, and make a new one if somebody may have read it",
                   path, (unsigned)about->st_mode & 0777);
    return SHUNT_BAD_ARGUMENT;
}

static int read_key(SSL_CTX *ctx, const char *path, char *why, size_t why_bytes)
{
    struct stat about;
    int fd = -1;
    int err = open_file(path, &about, &fd, why, why_bytes);
    if (err)
        return err;
    err = check_closed(path, &about, why, why_bytes);
    BIO *bio = err ? NULL : BIO_new_fd(fd, BIO_NOCLOSE);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    if (!err && !key)
        err = refused(path, "no private key in PEM, or one with a password", why, why_bytes);
    if (!err && SSL_CTX_use_PrivateKey(ctx, key) != 1)
        err = refused(path, "the key does not go with the certificate", why, why_bytes);
    EVP_PKEY_free(key);
    BIO_free(bio);
    (void)close(fd); /* only read from */
    return err;
}

int tls_read_own(SSL_CTX *ctx, const char *cert, const char *key, char *why, size_t why_bytes)
{
    struct stat about;
    int fd = -1;
    int err = open_file(cert, &about, &fd, why, why_bytes);
    if (err)
        return err;
    (void)close(fd); /* OpenSSL opens it again: it has no call that takes a chain from a descriptor */
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return refused(cert, "no certificate in PEM that can be used", why, why_bytes);
    err = read_key(ctx, key, why, why_bytes);
    if (!err && SSL_CTX_check_private_key(ctx) != 1)
        err = refused(key, "the key does not go with the certificate", why, why_bytes);
    return err;
}

int tls_read_authorities(SSL_CTX *ctx, const char *path, char *why, size_t why_bytes)
{
    struct stat about;
    int fd = -1;
    int err = open_file(path, &about, &fd, why, why_bytes);
    if (err)
        return err;
    (void)close(fd); /* as above */
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(ctx, path) != 1)
        return refused(path, "no certificates of authorities in PEM", why, why_bytes);
    return 0;
}
