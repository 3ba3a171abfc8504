/* options: one table of rows, for getopt and for --help. */
#include "bench/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/server.h"

#define EXIT_USAGE 64

enum kind { TEXT, NUMBER, REAL, LIST, FORM };

struct row {
    const char *name;
    enum kind kind;
    size_t at; /* in struct options */
    const char *argument;
    const char *text;
};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
    {"url", TEXT, AT(url), "URL", "use the server at URL (default: start one)"},
    {"pid", NUMBER, AT(pid), "PID", "process id of the server at --url, to see what it uses"},
    {"shuntd", TEXT, AT(shuntd), "FILE", "the server to start ($SHUNTD; next to this program; in PATH)"},
    {"config", TEXT, AT(config), "FILE", "its configuration file"},
    {"data", TEXT, AT(data), "DIR", "where temporary data goes: of server and floors alike ($TMPDIR, /tmp)"},
    {"disk", TEXT, AT(disk), "DISK",
     "real, or model[:FLUSH][,RATE]: files in memory, and a preload library in the server that lets each "
     "flush "
     "take FLUSH and its bytes over RATE (150us,500MB/s). Figures are then of a model"},
    {"size", LIST, AT(sizes), "N,N…", "bytes of a body (100,1024,16384)"},
    {"window", LIST, AT(windows), "N,N…", "messages under way for each publisher (1,64,1024)"},
    {"publishers", NUMBER, AT(publishers), "N", "connections that publish (1)"},
    {"consumers", NUMBER, AT(consumers), "N", "connections that consume (1)"},
    {"threads", NUMBER, AT(threads), "N", "threads of the load (1)"},
    {"prefetch", NUMBER, AT(prefetch), "N", "messages a consumer may hold (2 × window, at least 64)"},
    {"rate", REAL, AT(rate), "N", "messages a second in all; latency counts from when each was due"},
    {"warm", REAL, AT(warm_s), "SECONDS", "how long to run before measuring (0.5)"},
    {"seconds", REAL, AT(seconds), "SECONDS", "how long to measure (3)"},
    {"floor", REAL, AT(floor_s), "SECONDS", "how long to measure each floor; 0 leaves them out (0.7)"},
    {"calm", REAL, AT(calm_us), "US",
     "begin each run only when an fdatasync takes no longer; wait for half a minute at most"},
    {"count", NUMBER, AT(count), "N",
     "messages of drain, delayed, restart and keys (1000000) and store (200000)"},
    {"prefill", NUMBER, AT(prefill), "N", "ready messages that are there before publish begins (0)"},
    {"topics", NUMBER, AT(topics), "N", "topics of the workloads topics (10000) and store (20)"},
    {"connections", NUMBER, AT(connections), "N", "connections of the workload connections (1000)"},
    {"groups", NUMBER, AT(groups), "N", "groups of the workload groups (2, then 4, then 8)"},
    {"keys", NUMBER, AT(keys), "N", "keys of the workload keys (100000)"},
    {"output", FORM, AT(form), "FORM", "table, tsv or json (table)"},
};
#define ROWS (sizeof rows / sizeof *rows)

static void help(void)
{
    printf("Usage: shunt-bench [OPTION…] [WORKLOAD…]\n\n"
           "Put load on a shunt server and compare it with what the machine allows.\n\n"
           "Workloads (publish, e2e and drain unless told):\n"
           "  publish      until confirmed\n"
           "  e2e          publish, consume and ack at the same time\n"
           "  drain        consume and ack a backlog\n"
           "  poison       e2e in which 1 %% is rejected, then nacked to the limit, each with an error\n"
           "  topics       publish to many topics in turn\n"
           "  store        what messages of one topic, and of many in turn, take in the store\n"
           "  connections  publish over many connections\n"
           "  groups       e2e with several groups on one topic\n"
           "  delayed      many messages that wait, then all come due\n"
           "  restart      from SIGKILL, with a backlog, to the first delivery\n"
           "  keys         order by key: restart, memory, and others beside a key whose messages "
           "wait\n\nOptions:\n");
    for (size_t i = 0; i < ROWS; i++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s %s", rows[i].name, rows[i].argument);
        printf("  %-22s %s\n", left, rows[i].text);
    }
    printf("  %-22s this text\n", "--help");
}

static bool read_list(const char *text, struct list *to)
{
    to->count = 0;
    while (to->count < LIST_MAX) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);
        if (end == text || value == 0 || value > UINT32_MAX)
            return false;
        to->values[to->count++] = (uint32_t)value;
        if (*end == 0)
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
    return false;
}

static bool read_number(const struct row *row, const char *text, void *to)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != 0 || text[0] == '-')
        return false;
    if (row->at == AT(count) || row->at == AT(prefill))
        *(uint64_t *)to = value;
    else if (value > 10000000)
        return false;
    else
        *(unsigned *)to = (unsigned)value;
    return true;
}

static bool read_form(const char *text, enum form *to)
{
    static const char *const names[] = {"table", "tsv", "json"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *to = (enum form)i;
            return true;
        }
    }
    return false;
}

static bool read_value(struct options *o, const struct row *row, const char *text)
{
    void *to = (char *)o + row->at;
    char *end = NULL;
    switch (row->kind) {
    case TEXT:
        *(const char **)to = text;
        return true;
    case NUMBER:
        return read_number(row, text, to);
    case REAL:
        *(double *)to = strtod(text, &end);
        return end != text && *end == 0 && *(double *)to >= 0;
    case LIST:
        return read_list(text, to);
    case FORM:
        return read_form(text, to);
    }
    return false;
}

static void set_defaults(struct options *o)
{
    *o = (struct options){.shuntd = server_program(),
                          .sizes = {{100, 1024, 16384}, 3},
                          .windows = {{1, 64, 1024}, 3},
                          .publishers = 1,
                          .consumers = 1,
                          .threads = 1,
                          .warm_s = 0.5,
                          .seconds = 3,
                          .floor_s = 0.7,
                          .connections = 1000,
                          .keys = 100000};
}

static bool are_sound(const struct options *o)
{
    if (o->publishers == 0 || o->consumers == 0 || o->threads == 0 || o->connections == 0 || o->keys == 0)
        return false;
    for (size_t i = 0; i < o->sizes.count; i++) {
        if (o->sizes.values[i] < 16)
            return false; /* a body begins with when it was sent */
    }
    return o->seconds > 0;
}

int options_read(struct options *o, int argc, char **argv)
{
    struct option names[ROWS + 2] = {0};
    set_defaults(o);
    for (size_t i = 0; i < ROWS; i++)
        names[i] = (struct option){rows[i].name, required_argument, NULL, 0};
    names[ROWS] = (struct option){"help", no_argument, NULL, 'h'};
    for (int c, i = 0; (c = getopt_long(argc, argv, "ho:", names, &i)) != -1;) {
        if (c == 'h') {
            help();
            return 0;
        }
        const struct row *row = c == 'o' ? &rows[ROWS - 1] : &rows[i];
        if (c == '?' || !read_value(o, row, optarg)) {
            if (c != '?') {
                (void)fprintf(stderr, "shunt-bench: --%s: `%.60s` will not do; see --help\n", row->name,
                              optarg);
            }
            return EXIT_USAGE;
        }
    }
    if (!are_sound(o)) {
        (void)fprintf(stderr, "shunt-bench: sizes begin at 16; nothing that is counted may be 0\n");
        return EXIT_USAGE;
    }
    o->workloads = argv + optind;
    o->workloads_count = (size_t)(argc - optind);
    return -1;
}
