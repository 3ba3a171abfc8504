/* test_notify: what the service manager hears. */
#include "broker/notify.h"
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager(const struct sockaddr_un *address, size_t path_len)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    cr_assert_geq(fd, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
    cr_assert_eq(bind(fd, (const struct sockaddr *)address, len), 0);
    return fd;
}

static void expect_heard(int fd, const char *text)
{
    char got[128] = "";
    cr_assert_gt(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), (ssize_t)0);
    cr_expect_eq(strncmp(got, text, strlen(text)), 0, "%s", got);
}

Test(notify, a_socket_in_the_file_system_is_told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/shunt-notify-XXXXXX";
    cr_assert(mkdtemp(dir));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
    int fd = manager(&address, strlen(address.sun_path) + 1);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    notify_send("READY=1");
    expect_heard(fd, "READY=1");
    notify_reloading();
    expect_heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
    close(fd);
    unlink(address.sun_path);
    rmdir(dir);
}

Test(notify, a_socket_in_the_abstract_space_is_told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    (void)snprintf(name, sizeof name, "@shunt-notify-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    int fd = manager(&address, strlen(name));
    setenv("NOTIFY_SOCKET", name, 1);
    notify_send("STOPPING=1");
    expect_heard(fd, "STOPPING=1");
    close(fd);
}

Test(notify, without_a_manager_nothing_happens)
{
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "relative/path", 1);
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    notify_send("READY=1");
}

Test(notify, the_watchdog_is_only_for_the_process_that_is_named)
{
    char pid[32];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    cr_expect_eq(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    cr_expect_eq(notify_watchdog_ms(), 30000);
    setenv("WATCHDOG_PID", "1", 1);
    cr_expect_eq(notify_watchdog_ms(), 0);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    cr_expect_eq(notify_watchdog_ms(), 30000);
    setenv("WATCHDOG_USEC", "soon", 1);
    cr_expect_eq(notify_watchdog_ms(), 0);
}
