/* peers: each server is one command line. A word may hold {dir}, {port} and {port2}, {port3}; RabbitMQ gets
 * its name server (epmd) as a child of its own, on a port of its own, so that nothing outlives the run. */
#include "bench/peers/peers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/clock.h"

#define PORTS      3
#define WORD_BYTES 512
#define UP_NS      (60 * NS_PER_S)
#define LOOK_NS    (5 * NS_PER_MS)

/* fsync after each turn's writes and before the answers; no snapshots or rewrites in between. */
static const char *const redis_words[] = {"--port",
                                          "{port}",
                                          "--bind",
                                          "127.0.0.1",
                                          "--dir",
                                          "{dir}",
                                          "--appendonly",
                                          "yes",
                                          "--appendfsync",
                                          "always",
                                          "--save",
                                          "",
                                          "--auto-aof-rewrite-percentage",
                                          "0",
                                          "--stream-node-max-bytes",
                                          "65536",
                                          NULL};
static const char *const beanstalk_words[] = {"-l",    "127.0.0.1", "-p", "{port}", "-b",
                                              "{dir}", "-f",        "0",  NULL};
static const char *const nats_words[] = {"-js", "-a", "127.0.0.1", "-p", "{port}", "-sd", "{dir}", NULL};
/* `sh` starts epmd in the foreground beside the node and goes on as the node itself. */
static const char *const rabbit_words[] = {
    "-c",
    "epmd -port {port2} -address 127.0.0.1 & "
    "export HOME={dir} ERL_EPMD_PORT={port2} RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT={port} "
    "RABBITMQ_DIST_PORT={port3} RABBITMQ_NODENAME=bench{port}@localhost RABBITMQ_MNESIA_BASE={dir}/db "
    "RABBITMQ_LOG_BASE={dir} RABBITMQ_LOGS=- RABBITMQ_ENABLED_PLUGINS_FILE={dir}/plugins "
    "RABBITMQ_CONFIG_FILE={dir}/none RABBITMQ_PID_FILE={dir}/pid RUNNING_UNDER_SYSTEMD=1; "
    "exec /usr/lib/rabbitmq/bin/rabbitmq-server",
    NULL};

const struct peer peers[] = {
    {&link_redis, "redis-server", "redis-server", redis_words, true},
    {&link_rabbit, "rabbitmq-server", "sh", rabbit_words, true},
    {&link_beanstalk, "beanstalkd", "beanstalkd", beanstalk_words, true},
    {&link_nats, "nats-server", "nats-server", nats_words, false},
};
const size_t peers_count = sizeof peers / sizeof *peers;

bool peer_is_there(const struct peer *p)
{
    static const char *const places[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/lib/rabbitmq/bin"};
    char path[256];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", places[i], p->package);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* Ports that are free now; all are held until all are known, so that they differ. */
static bool free_ports(unsigned ports[PORTS])
{
    int fds[PORTS];
    bool ok = true;
    for (int i = 0; i < PORTS; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof at;
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = ok && fds[i] >= 0 && bind(fds[i], (struct sockaddr *)&at, size) == 0 &&
             getsockname(fds[i], (struct sockaddr *)&at, &size) == 0;
        ports[i] = ntohs(at.sin_port);
    }
    for (int i = 0; i < PORTS; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    return ok;
}

/* Copy a word with its {names} replaced. NULL without memory or if it is too long. */
static char *fill_in(const char *word, const char *dir, const unsigned ports[PORTS])
{
    static const char *const names[] = {"{dir}", "{port}", "{port2}", "{port3}"};
    char values[4][DIRECTORY_BYTES], *to = malloc(4 * WORD_BYTES);
    size_t size = 0;
    (void)snprintf(values[0], sizeof values[0], "%s", dir);
    for (int i = 0; i < PORTS; i++)
        (void)snprintf(values[i + 1], sizeof values[0], "%u", ports[i]);
    while (to && *word && size < 3 * WORD_BYTES) {
        bool found = false;
        for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++) {
            if (strncmp(word, names[i], strlen(names[i])) != 0)
                continue;
            found = true;
            size += (size_t)sprintf(to + size, "%s", values[i]);
            word += strlen(names[i]);
        }
        if (!found)
            to[size++] = *word++;
    }
    if (to)
        to[size] = 0;
    return to;
}

/* A server is up when it takes a driver's handshake. */
static bool wait_until_up(const struct peer *p, struct child *c, const char *address, char *why)
{
    uint64_t give_up_ns = clock_ns() + UP_NS;
    struct link_role role = {.address = address, .topic = "bench", .window = 1};
    while (child_alive(c) && clock_ns() < give_up_ns) {
        struct link *l = p->driver->open(&role, why);
        if (l) {
            p->driver->close(l);
            return true;
        }
        clock_sleep_ns(LOOK_NS);
    }
    if (!child_alive(c))
        (void)child_wait_for(c, "\n\n", 0, NULL, 0, why); /* for what it said last */
    return false;
}

bool peer_start(const struct peer *p, struct child *c, const char *parent, char *ret_address, char *why)
{
    const char *argv[CHILD_WORDS_MAX + 1] = {p->program};
    unsigned ports[PORTS];
    *c = (struct child){0};
    if (!child_directory(c, parent, why))
        return false;
    bool ok = free_ports(ports);
    size_t count = 1;
    for (; ok && p->words[count - 1]; count++)
        ok = (argv[count] = fill_in(p->words[count - 1], c->dir, ports)) != NULL;
    if (!ok)
        (void)snprintf(why, WHY_BYTES, "no ports, or no memory");
    (void)snprintf(ret_address, ADDRESS_BYTES, "127.0.0.1:%u", ports[0]);
    ok = ok && child_start(c, argv, why) && wait_until_up(p, c, ret_address, why);
    for (size_t i = 1; i < count; i++)
        free((void *)(uintptr_t)argv[i]);
    if (!ok)
        child_done(c);
    return ok;
}
