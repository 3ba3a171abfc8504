/* auth: who a handle says that it is, where the secret comes from, and where it does not go. */
#include "client/driving/auth.h"
#include "client/driving/secret_file.h"

#include "client/wire/options.h"
#include "proto/errors.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void write_file(const void *bytes, size_t size, mode_t mode)
{
    if (!path[0])
        (void)snprintf(path, sizeof path, "/tmp/shunt-auth-%ld", (long)getpid());
    (void)unlink(path);
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    cr_assert_eq(fchmod(fd, mode), 0);
    (void)close(fd);
}

static void remove_file(void)
{
    if (path[0])
        (void)unlink(path);
}

TestSuite(auth, .fini = remove_file);

/* What URL and options, pairs of which NULL is the last, come to. */
static int read_it(const char *url, struct auth *ret, struct shunt_error *err, ...)
{
    struct url_list hosts;
    struct shunt_options *o = shunt_options_new();
    const char *key;
    va_list pairs;
    va_start(pairs, err);
    while ((key = va_arg(pairs, const char *)))
        (void)shunt_options_set(o, key, va_arg(pairs, const char *));
    va_end(pairs);
    cr_assert_eq(url_parse(url, &hosts, err), 0, "%s", err->text);
    int rc = auth_read(o, &hosts, ret, err);
    shunt_options_free(o);
    return rc;
}

Test(auth, nothing_is_nobody)
{
    struct auth a;
    struct shunt_error err;
    cr_assert_eq(read_it("shunt://h", &a, &err, NULL), 0);
    cr_assert_eq(a.mechanism, MECHANISM_NONE);
}

Test(auth, url_and_options_say_the_same)
{
    struct auth a;
    struct shunt_error err;
    char url[200];
    write_file("a secret\nmore\n", 14, 0600);
    (void)snprintf(url, sizeof url, "shunt://127.0.0.1?user=ann&password-file=%s", path);
    cr_assert_eq(read_it(url, &a, &err, NULL), 0, "%s", err.text);
    cr_assert_eq(a.mechanism, MECHANISM_PASSWORD);
    cr_assert_str_eq(a.user, "ann");
    cr_assert_str_eq(a.secret, "", "it is read when it is needed");
    cr_assert_eq(auth_load(&a, &err), 0);
    cr_assert_str_eq(a.secret, "a secret");
    auth_unload(&a);
    cr_assert_str_eq(a.secret, "");
    write_file("renewed", 7, 0600);
    cr_assert_eq(auth_load(&a, &err), 0);
    cr_assert_str_eq(a.secret, "renewed");
    cr_assert_eq(read_it("shunt://[::1]", &a, &err, "token-file", path, NULL), 0);
    cr_assert_eq(a.mechanism, MECHANISM_TOKEN);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "user", "ann", "password", "p", NULL), 0);
    auth_unload(&a);
    cr_assert_str_eq(a.secret, "p", "one that is no file's stays");
}

Test(auth, what_does_not_fit_is_refused)
{
    struct auth a;
    struct shunt_error err;
    write_file("x", 1, 0600);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "user", "ann", NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "password", "p", NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(read_it("shunt://localhost?user=a", &a, &err, "user", "b", "password", "p", NULL),
                 SHUNT_BAD_ARGUMENT);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "user", "a", "token", "t", NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "token", "t", "token-file", path, NULL),
                 SHUNT_BAD_ARGUMENT);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "token", "", NULL), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(read_it("shunt://localhost", &a, &err, "insecure", "maybe", NULL), SHUNT_BAD_ARGUMENT);
}

Test(auth, a_secret_ends_at_its_limit)
{
    char text[PASSWORD_BYTES_MAX + 2], got[PASSWORD_BYTES_MAX + 1];
    struct shunt_error err;
    memset(text, 'x', sizeof text);
    write_file(text, PASSWORD_BYTES_MAX, 0600);
    cr_assert_eq(secret_file_read(path, got, sizeof got, &err), 0, "%s", err.text);
    cr_assert_eq(strlen(got), PASSWORD_BYTES_MAX);
    write_file(text, PASSWORD_BYTES_MAX + 1, 0600);
    cr_assert_eq(secret_file_read(path, got, sizeof got, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_not_null(strstr(err.text, path));
}

Test(auth, a_file_that_cannot_hold_a_secret_is_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
        mode_t mode;
    } rows[] = {{"x", 1, 0604}, {"x", 1, 0602},   {"x", 1, 0620},
                {"", 0, 0600},  {"\nx", 2, 0600}, {"x\0y", 3, 0600}};
    char got[PASSWORD_BYTES_MAX + 1];
    struct shunt_error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(rows[i].bytes, rows[i].size, rows[i].mode);
        cr_assert_eq(secret_file_read(path, got, sizeof got, &err), SHUNT_BAD_ARGUMENT, "row %zu", i);
    }
    cr_assert_eq(secret_file_read("/tmp", got, sizeof got, &err), SHUNT_BAD_ARGUMENT);
    cr_assert_eq(secret_file_read("/there/is/none", got, sizeof got, &err), SHUNT_IO);
    write_file("x\r\n", 3, 0600);
    cr_assert_eq(secret_file_read(path, got, sizeof got, &err), 0);
    cr_assert_str_eq(got, "x");
}

Test(auth, no_secret_goes_plainly_to_another_machine)
{
    static const struct {
        const char *url;
        int err;
    } rows[] = {{"shunt://broker.example", SHUNT_BAD_ARGUMENT},
                {"shunt://127.0.0.1,10.0.0.1", SHUNT_BAD_ARGUMENT},
                {"shunt://127.example", SHUNT_BAD_ARGUMENT},
                {"shunt://localhost.example", SHUNT_BAD_ARGUMENT},
                {"shunt://[::ffff:10.0.0.1]", SHUNT_BAD_ARGUMENT},
                {"shunt://127.1.2.3", 0},
                {"shunt://[::1]", 0},
                {"shunt://localhost", 0},
                {"shunts://broker.example", 0},
                {"shunt+unix:///s", 0},
                {"shunt://broker.example?insecure=yes", 0}};
    struct auth a;
    struct shunt_error err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(read_it(rows[i].url, &a, &err, "token", "t", NULL), rows[i].err, "%s: %s", rows[i].url,
                     err.text);
    }
    cr_assert_eq(read_it("shunt://broker.example", &a, &err, "token", "t", "insecure", "yes", NULL), 0);
    cr_assert_eq(read_it("shunt://broker.example", &a, &err, NULL), 0,
                 "without a secret there is nothing to lose");
}
