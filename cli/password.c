/* password: see password.h. */
#include "cli/password.h"

#include <argon2.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/call.h"
#include "cli/input.h"

/* 64 MiB and three passes: some tenths of a second for who knows the password, and as much for each guess. */
#define MEMORY_KIB 65536
#define PASSES     3
#define LANES      1
#define SALT_BYTES 16
#define HASH_BYTES 32

#define PASSWORD_BYTES_MIN 8
#define PASSWORD_BYTES_MAX 1024

struct password {
    char text[PASSWORD_BYTES_MAX + 2]; /* one more, and the terminator */
    size_t size;
};

static void forget(struct password *p)
{
    explicit_bzero(p, sizeof *p);
}

/* ---- from a file ---- */

static int read_file(const char *path, struct password *ret)
{
    struct input in = {0};
    int error = input_read(path, &in);
    if (error) {
        call_complain("%s: %s", strcmp(path, "-") == 0 ? "standard input" : path, strerror(error));
        return EXIT_FAILED;
    }
    const char *end = in.count ? memchr(in.bytes, '\n', in.count) : NULL;
    ret->size = end ? (size_t)(end - in.bytes) : in.count;
    if (ret->size > PASSWORD_BYTES_MAX + 1)
        ret->size = PASSWORD_BYTES_MAX + 1;
    if (ret->size)
        memcpy(ret->text, in.bytes, ret->size);
    if (in.bytes)
        explicit_bzero(in.bytes, in.count);
    free(in.bytes);
    return EXIT_OK;
}

/* ---- from the terminal ---- */

/* False: it ended, or is longer than a password. */
static bool hear_line(int fd, struct password *ret)
{
    char byte = 0;
    for (ret->size = 0; read(fd, &byte, 1) == 1 && byte != '\n';) {
        if (ret->size > PASSWORD_BYTES_MAX)
            return false;
        ret->text[ret->size++] = byte;
    }
    return byte == '\n';
}

static bool ask(int fd, const char *what, struct password *ret)
{
    struct termios before, silent;
    bool heard = false;
    if (tcgetattr(fd, &before))
        return false;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    silent.c_lflag |= ECHONL;
    if (tcsetattr(fd, TCSAFLUSH, &silent)) /* before it asks: nothing of the answer is shown */
        return false;
    if (dprintf(fd, "%s: ", what) > 0)
        heard = hear_line(fd, ret);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    return heard;
}

static int ask_twice(const struct call *call, struct password *ret)
{
    struct password again = {.size = 0};
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int code = EXIT_OK;
    if (fd < 0)
        return call_misused(call, "no terminal to ask for the password on: give --password-file FILE");
    if (!ask(fd, "New password", ret) || !ask(fd, "The same again", &again)) {
        call_complain("no password was read from the terminal");
        code = EXIT_FAILED;
    } else if (ret->size != again.size || memcmp(ret->text, again.text, ret->size) != 0) {
        call_complain("the two are not the same: nothing was changed");
        code = EXIT_FAILED;
    }
    (void)close(fd);
    forget(&again);
    return code;
}

/* ---- the verifier ---- */

static int make(const struct password *p, char *to)
{
    uint8_t salt[SALT_BYTES];
    if (getrandom(salt, sizeof salt, 0) != sizeof salt) {
        call_complain("the system gives no random bytes: %s", strerror(errno));
        return EXIT_FAILED;
    }
    int rc = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, p->text, p->size, salt, sizeof salt, HASH_BYTES,
                                   to, PASSWORD_VERIFIER_ROOM);
    if (rc == ARGON2_OK)
        return EXIT_OK;
    call_complain("Argon2id: %s", argon2_error_message(rc));
    return EXIT_FAILED;
}

int password_verifier(struct call *call, char *to)
{
    struct password p = {.size = 0};
    const char *path = options_text(&call->options, "password-file", NULL);
    int code = path ? read_file(path, &p) : ask_twice(call, &p);
    if (!code &&
        (p.size < PASSWORD_BYTES_MIN || p.size > PASSWORD_BYTES_MAX || !utf8_valid(p.text, p.size))) {
        code = call_misused(call, "a password is %d to %d bytes of UTF-8", PASSWORD_BYTES_MIN,
                            PASSWORD_BYTES_MAX);
    }
    if (!code)
        code = make(&p, to);
    forget(&p);
    return code;
}
