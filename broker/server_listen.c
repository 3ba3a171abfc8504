/* server_listen: the sockets where clients connect. */
#include "broker/exit_code.h"
#include "broker/net/address.h"
#include "broker/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int exit_code_of_errno(int err)
{
    if (err == EACCES || err == EPERM)
        return EXIT_CODE_NOT_PERMITTED;
    bool taken = err == EADDRINUSE || err == EADDRNOTAVAIL || err == EEXIST;
    return taken ? EXIT_CODE_ADDRESS_TAKEN : EXIT_CODE_SYSTEM;
}

/* At `listen`. */
static int listen_at_port(struct server *s, int *ret_fd, char *ret_why, size_t why_bytes)
{
    const char *text = s->config.text[CONFIG_listen];
    const char *ignored;
    struct sockaddr_storage address;
    if (!address_parse(text, &address, &ignored)) {
        (void)snprintf(ret_why, why_bytes, "listen: not an address");
        return EXIT_CODE_CONFIG;
    }
    int err = address_listen(&address, ret_fd, &s->listen_address);
    if (err == EADDRINUSE) {
        (void)snprintf(
            ret_why, why_bytes,
            "%s is taken by another process: stop that process, or choose another address with --listen",
            text);
    } else if (err) {
        (void)snprintf(ret_why, why_bytes, "cannot listen on %s: %s", text, strerror(err));
    }
    return err ? exit_code_of_errno(err) : 0;
}

int server_listen(struct server *s, struct server_doors *ret, char *ret_why, size_t why_bytes)
{
    int exit_code = listen_at_port(s, &ret->tcp, ret_why, why_bytes);
    const char *path = config_unless_off(&s->config, CONFIG_listen_unix);
    if (exit_code || !path)
        return exit_code;
    int err = unix_socket_listen(path, &ret->local, &s->unix_socket, ret_why, why_bytes);
    return err ? exit_code_of_errno(err) : 0;
}
