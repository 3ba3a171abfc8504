/* unix_socket: what is made at the path, what is refused, and who is said to be at the other end. */
#include "broker/net/unix_socket.h"
#include "tests/unit/net/fixture.h"
#include "tests/unit/tls/certs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char directory[64], path[80];
};

static void place_make(struct place *p)
{
    (void)snprintf(p->directory, sizeof p->directory, "/tmp/unix-socket-XXXXXX");
    cr_assert_not_null(mkdtemp(p->directory));
    (void)snprintf(p->path, sizeof p->path, "%s/s", p->directory);
}

static void place_remove(const struct place *p)
{
    (void)unlink(p->path);
    cr_assert_eq(rmdir(p->directory), 0);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static int listen_at(const char *path, int *ret_fd, struct unix_socket *ret, const char *word)
{
    char why[UNIX_SOCKET_WHY_BYTES] = "";
    int err = unix_socket_listen(path, ret_fd, ret, why, sizeof why);
    cr_assert_eq(!err, !word, "%s", why);
    cr_assert(!word || (strstr(why, word) && strstr(why, path)), "%s", why);
    return err;
}

Test(unix_socket, its_file_is_for_the_servers_user_alone_whatever_the_umask)
{
    struct place p;
    struct unix_socket s;
    struct stat about;
    int fd = -1;
    place_make(&p);
    umask(0);
    (void)listen_at(p.path, &fd, &s, NULL);
    cr_assert_eq(stat(p.path, &about), 0);
    cr_assert(S_ISSOCK(about.st_mode));
    cr_assert_eq(about.st_mode & 07777, 0600);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
    unix_socket_remove(&s);
    cr_assert_eq(access(p.path, F_OK), -1);
    unix_socket_remove(&s); /* there is none any more */
    place_remove(&p);
}

Test(unix_socket, a_directory_that_others_can_write_to_is_refused)
{
    static const mode_t modes[] = {0720, 0702, 0777, 01777};
    struct place p;
    struct unix_socket s;
    int fd = -1;
    place_make(&p);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        cr_assert_eq(chmod(p.directory, modes[i]), 0);
        cr_assert_eq(listen_at(p.path, &fd, &s, "only the server's user can write to"), EPERM);
        cr_assert_eq(access(p.path, F_OK), -1);
    }
    cr_assert_eq(chmod(p.directory, 0755), 0);
    (void)listen_at(p.path, &fd, &s, NULL);
    close(fd);
    place_remove(&p);
}

Test(unix_socket, a_directory_of_another_user_is_refused)
{
    struct place p;
    struct unix_socket s;
    int fd = -1;
    if (geteuid() != 0)
        cr_skip("only root can give a directory away");
    place_make(&p);
    cr_assert_eq(chown(p.directory, 65534, 65534), 0);
    cr_assert_eq(listen_at(p.path, &fd, &s, "only the server's user can write to"), EPERM);
    place_remove(&p);
}

Test(unix_socket, one_that_nobody_listens_at_is_replaced_and_a_live_one_is_not)
{
    struct place p;
    struct unix_socket first, second;
    int fd = -1, ignored = -1;
    place_make(&p);
    (void)listen_at(p.path, &fd, &first, NULL);
    cr_assert_eq(listen_at(p.path, &ignored, &second, "another process listens"), EADDRINUSE);
    cr_assert_geq(connect_to(p.path), 0, "the one that lives still does");
    close(fd); /* as by a crash: the file stays */
    cr_assert_eq(connect_to(p.path), -1);
    (void)listen_at(p.path, &fd, &second, NULL);
    cr_assert_geq(connect_to(p.path), 0);
    close(fd);
    unix_socket_remove(&second);
    place_remove(&p);
}

Test(unix_socket, one_that_took_its_place_is_not_removed)
{
    struct place p;
    struct unix_socket first, second;
    int fd = -1, other = -1;
    place_make(&p);
    (void)listen_at(p.path, &fd, &first, NULL);
    cr_assert_eq(unlink(p.path), 0); /* by hand, while it lives */
    (void)listen_at(p.path, &other, &second, NULL);
    unix_socket_remove(&first);
    cr_assert_geq(connect_to(p.path), 0);
    close(fd);
    close(other);
    unix_socket_remove(&second);
    cr_assert_eq(access(p.path, F_OK), -1);
    place_remove(&p);
}

Test(unix_socket, what_is_no_socket_stays)
{
    struct place p;
    struct unix_socket s;
    int fd = -1;
    place_make(&p);
    int file = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(file, 0);
    cr_assert_eq(listen_at(p.path, &fd, &s, "no socket"), EEXIST);
    cr_assert_eq(access(p.path, F_OK), 0);
    close(file);
    place_remove(&p);
}

Test(unix_socket, a_directory_that_is_not_there_is_named)
{
    struct unix_socket s;
    int fd = -1;
    cr_assert_eq(listen_at("/tmp/there-is-no-such-directory/s", &fd, &s, "its directory"), ENOENT);
}

Test(unix_socket, a_path_is_absolute_and_ends_at_its_limit)
{
    char path[UNIX_SOCKET_PATH_BYTES_MAX + 2] = "/";
    const char *why = NULL;
    memset(path + 1, 'x', UNIX_SOCKET_PATH_BYTES_MAX);
    cr_assert_not(unix_socket_path_is_valid(path, &why));
    cr_assert_not_null(strstr(why, "107"));
    path[UNIX_SOCKET_PATH_BYTES_MAX] = '\0';
    cr_assert(unix_socket_path_is_valid(path, &why));
    cr_assert_not(unix_socket_path_is_valid("run/s", &why));
    cr_assert_not(unix_socket_path_is_valid("/run/", &why));
    cr_assert_not(unix_socket_path_is_valid("", &why));
}

/* ---- through net ---- */

static void start(struct fixture *f, struct place *p, struct tls_context *tls)
{
    struct unix_socket s;
    int fd = -1;
    place_make(p);
    (void)listen_at(p->path, &fd, &s, NULL);
    fixture_start_all(f, NULL, tls, fd);
}

Test(unix_socket, the_servers_user_is_the_local_administrator)
{
    struct fixture f;
    struct place p;
    char peer[64];
    start(&f, &p, NULL);
    int fd = connect_to(p.path);
    client_hello(&f, fd);
    fixture_until(&f, f.posts == 1);
    cr_assert(f.link->local);
    (void)snprintf(peer, sizeof peer, "unix:uid=%lu,pid=%ld", (unsigned long)geteuid(), (long)getpid());
    cr_assert_str_eq(f.link->peer, peer);
    close(fd);
    fixture_stop(&f);
    place_remove(&p);
}

Test(unix_socket, who_comes_through_the_port_is_not)
{
    struct fixture f;
    struct place p;
    start(&f, &p, NULL);
    int fd = client_greet(&f);
    cr_assert_not(f.link->local);
    close(fd);
    fixture_stop(&f);
    place_remove(&p);
}

Test(unix_socket, another_user_who_gets_to_it_is_not)
{
    struct fixture f;
    struct place p;
    int up[2];
    if (geteuid() != 0)
        cr_skip("only root can become another user");
    start(&f, &p, NULL);
    cr_assert_eq(chmod(p.directory, 0755), 0);
    cr_assert_eq(chmod(p.path, 0666), 0); /* as its owner alone could do */
    cr_assert_eq(pipe(up), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        bool other = setgid(65534) == 0 && setuid(65534) == 0;
        int fd = other ? connect_to(p.path) : -1;
        struct mpack_buffer b = {0};
        write_hello(&b, 1);
        bool sent = fd >= 0 && write(fd, b.data, b.size) == (ssize_t)b.size;
        close(up[1]);
        _exit(sent && read(up[0], &byte, 1) == 0 ? 0 : 1); /* stays until the test has seen it */
    }
    fixture_until(&f, f.posts == 1);
    cr_assert_not(f.link->local);
    cr_assert_eq(strncmp(f.link->peer, "unix:uid=65534,pid=", 19), 0, "%s", f.link->peer);
    close(up[0]);
    close(up[1]);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    fixture_stop(&f);
    place_remove(&p);
}

Test(unix_socket, it_is_plain_where_the_port_speaks_tls)
{
    struct certs certs;
    struct fixture f;
    struct place p;
    certs_make(&certs);
    struct tls_context *tls = server_context(&certs, &certs.server, TLS_CLIENT_AUTH_REQUIRE, 13);
    start(&f, &p, tls);
    int fd = connect_to(p.path);
    client_hello(&f, fd);
    fixture_until(&f, f.posts == 1);
    cr_assert(f.link->local);
    close(fd);
    fixture_stop(&f);
    tls_context_free(tls);
    certs_remove(&certs);
    place_remove(&p);
}
