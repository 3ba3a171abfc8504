/* server: ports are the kernel's choice and read from the line in which shuntd says that it listens. */
#include "bench/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/shunt.h"

#define CALL_MS    30000
#define UP_SECONDS 60
#define LISTENING  "event=listening"
#define ARGUMENTS  12

static bool connect_control(struct server *s, char *why)
{
    struct shunt_error err;
    if (shunt_open(s->url, NULL, &s->control, &err) == 0 && shunt_connect(s->control, CALL_MS, &err) == 0)
        return true;
    (void)snprintf(why, WHY_BYTES, "%.250s", err.text);
    return false;
}

static bool launch(struct server *s, char *why)
{
    char data[CHILD_PATH_BYTES + 8], line[1024];
    (void)snprintf(data, sizeof data, "%s/data", s->child.dir);
    const char *argv[ARGUMENTS] = {s->program,    "--data", data,         "--listen",
                                   "127.0.0.1:0", "--http", "127.0.0.1:0"};
    if (s->config[0]) {
        argv[7] = "--config";
        argv[8] = s->config;
    }
    if (!child_start(&s->child, argv, why) ||
        !child_wait_for(&s->child, LISTENING, UP_SECONDS, line, sizeof line, why))
        return false;
    const char *listen = strstr(line, " listen=");
    if (!listen || sscanf(listen, " listen=%100s", line) != 1) {
        (void)snprintf(why, WHY_BYTES, "shuntd did not say where it listens");
        return false;
    }
    (void)snprintf(s->url, sizeof s->url, "shunt://%.100s", line);
    s->pid = s->child.pid;
    return connect_control(s, why);
}

bool server_start(struct server *s, const char *program, const char *config, const char *parent, char *why)
{
    *s = (struct server){0};
    (void)snprintf(s->program, sizeof s->program, "%s", program);
    (void)snprintf(s->config, sizeof s->config, "%s", config ? config : "");
    return child_directory(&s->child, parent, why) && launch(s, why);
}

bool server_join(struct server *s, const char *url, pid_t pid, char *why)
{
    *s = (struct server){.pid = pid};
    if (strlen(url) >= sizeof s->url) {
        (void)snprintf(why, WHY_BYTES, "the URL has more than %u bytes", SERVER_URL_BYTES - 1);
        return false;
    }
    strcpy(s->url, url); /* it fits */
    return connect_control(s, why);
}

bool server_restart(struct server *s, bool kill, char *why)
{
    shunt_close(s->control, 0);
    s->control = NULL;
    child_stop(&s->child, kill);
    return launch(s, why);
}

/* The settings that it has, but for one. */
static bool write_config(const char *path, const char *from)
{
    char line[4096];
    FILE *in = from[0] ? fopen(from, "re") : NULL, *out = fopen(path, "we");
    bool ok = out && (in || !from[0]);
    while (ok && in && fgets(line, sizeof line, in))
        ok = strncmp(line, "journal:", 8) == 0 || fputs(line, out) >= 0;
    ok = ok && fputs("\njournal: off\n", out) >= 0;
    if (in)
        (void)fclose(in); /* it was only read */
    return out && fclose(out) == 0 && ok;
}

bool server_end_journal(struct server *s, char *why)
{
    char path[CHILD_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/no-journal.conf", s->child.dir);
    if (size < 0 || (size_t)size >= sizeof path || !write_config(path, s->config)) {
        (void)snprintf(why, WHY_BYTES, "cannot write a configuration in %.200s", s->child.dir);
        return false;
    }
    memcpy(s->config, path, sizeof path);
    return server_restart(s, false, why);
}

void server_done(struct server *s)
{
    shunt_close(s->control, 0);
    s->control = NULL;
    child_done(&s->child);
}

bool server_topic(struct server *s, const char *name, const char *const *settings, char *why)
{
    struct shunt_error err = {.text = "out of memory"};
    struct shunt_options *o = shunt_options_new();
    bool ok = o != NULL;
    for (size_t i = 0; ok && settings && settings[i]; i += 2)
        ok = shunt_options_set(o, settings[i], settings[i + 1]) == 0;
    int code = ok ? shunt_topic_create(s->control, name, o, CALL_MS, &err) : SHUNT_NO_MEMORY;
    if (code == SHUNT_TOPIC_EXISTS) {
        code = shunt_topic_delete(s->control, name, CALL_MS, NULL, &err);
        if (code == 0)
            code = shunt_topic_create(s->control, name, o, CALL_MS, &err);
    }
    shunt_options_free(o);
    if (code != 0)
        (void)snprintf(why, WHY_BYTES, "topic %.40s: %.200s", name, err.text);
    return code == 0;
}

bool server_group(struct server *s, const char *topic, const char *group, char *why)
{
    struct shunt_error err;
    if (shunt_group_create(s->control, topic, group, NULL, false, CALL_MS, &err) == 0)
        return true;
    (void)snprintf(why, WHY_BYTES, "group %.40s: %.200s", group, err.text);
    return false;
}

/* `part` (may be NULL): of several numbers under the name. */
static uint64_t figure(struct server *s, const char *name, const char *part)
{
    struct shunt_value *figures = NULL;
    if (shunt_stats(s->control, CALL_MS, &figures, NULL) != 0)
        return 0;
    const struct shunt_value *found = shunt_value_get(figures, name);
    int64_t n = shunt_value_integer(part ? shunt_value_get(found, part) : found);
    shunt_value_free(figures);
    return (uint64_t)n;
}

uint64_t server_figure(struct server *s, const char *name)
{
    return figure(s, name, NULL);
}

uint64_t server_store_bytes(struct server *s)
{
    return figure(s, "store_bytes", "used");
}

const char *server_program(void)
{
    static char path[4096];
    static const char *const places[] = {"shuntd", "../sbin/shuntd", "../broker/shuntd",
                                         "../../broker/shuntd"};
    char self[2048];
    if (getenv("SHUNTD"))
        return getenv("SHUNTD");
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = 0;
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        slash[1] = 0;
        (void)snprintf(path, sizeof path, "%s%s", self, places[i]);
        if (access(path, X_OK) == 0)
            return path;
    }
    return "shuntd";
}
