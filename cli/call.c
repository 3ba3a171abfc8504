/* call: stdout is data, stderr is progress and prompts; this file is the latter's only door. */
#include "cli/call.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/command.h"
#include "cli/login.h"
#include "cli/sink.h"
#include "client/shunt_triage.h"

#define GOODBYE_MS_MAX   2000
#define CLIENT_BYTES_MAX 128

static struct sink *voice;

void call_speak_to(struct sink *sink)
{
    voice = sink;
}

static void tell(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void tell(const char *format, va_list arguments)
{
    char line[2048];
    int len = vsnprintf(line, sizeof line, format, arguments);
    if (len < 0)
        return;
    utf8_mend(line);                  /* what was cut to fit */
    utf8_flatten(line, strlen(line)); /* names and errors come from outside; a terminal must not obey them */
    if (voice) {
        char whole[sizeof line + 16];
        int bytes = snprintf(whole, sizeof whole, "shunt: %s\n", line);
        sink_put(voice, whole, (size_t)bytes);
        return;
    }
    (void)fflush(stdout); /* so that both streams read in order on a terminal */
    (void)fprintf(stderr, "shunt: %s\n", line);
}

void call_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
}

void call_note(const struct call *call, const char *format, ...)
{
    if (call->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
}

int call_misused(const struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    const struct command *command = call->command;
    call_complain("see `shunt %s%s%s --help`", command->noun, command->verb ? " " : "",
                  command->verb ? command->verb : "");
    return EXIT_USAGE;
}

int call_exit_code(const struct call *call, const struct shunt_error *err)
{
    switch (err->code) {
    case SHUNT_OK:
        return EXIT_OK;
    case SHUNT_UNREACHABLE:
        return EXIT_UNREACHABLE;
    case SHUNT_TIMEOUT:
    case SHUNT_DEADLINE_EXCEEDED:
    case SHUNT_DISCONNECTED:
        return call->shunt && shunt_connected(call->shunt) ? EXIT_FAILED : EXIT_UNREACHABLE;
    case SHUNT_FORBIDDEN:
    case SHUNT_UNAUTHENTICATED:
        return EXIT_DENIED;
    case SHUNT_BAD_ARGUMENT:
    case SHUNT_BAD_NAME:
    case SHUNT_RESERVED:
        return EXIT_USAGE;
    case SHUNT_NOT_FOUND:
        return EXIT_NOTHING;
    default:
        return EXIT_FAILED;
    }
}

/* Which groups there are, after one was named that there is not. */
static void tell_groups(const struct call *call)
{
    struct shunt_value *topic = NULL;
    char names[1024] = "";
    size_t len = 0;
    if (!call->shunt || !call_word(call, 0) ||
        shunt_topic_show(call->shunt, call_word(call, 0), call->timeout_ms, &topic, NULL))
        return;
    const struct shunt_value *groups = shunt_value_get(topic, "groups");
    for (size_t i = 0; i < shunt_value_count(groups) && len + 1 < sizeof names; i++) {
        const char *name = shunt_value_text(shunt_value_get(shunt_value_at(groups, i), "group"), NULL);
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "", name ? name : "?");
    }
    if (*names) {
        call_complain("the groups of topic %s are: %s%s", call_word(call, 0), names,
                      len + 1 < sizeof names ? "" : "…");
    }
    shunt_value_free(topic);
}

int call_failed(const struct call *call, const struct shunt_error *err)
{
    call_complain("%s (%s)", err->text[0] ? err->text : shunt_error_text(err->code),
                  shunt_error_name(err->code));
    if (err->code == SHUNT_UNKNOWN_GROUP)
        tell_groups(call);
    return call_exit_code(call, err);
}

/* `ann@shunt-4711`: of several people at one machine, the audit log is to tell who it was. */
static void name_operator(struct shunt_options *options)
{
    char name[CLIENT_BYTES_MAX + 1];
    const struct passwd *user = getpwuid(getuid());
    const char *login = getlogin();
    if (!login && user)
        login = user->pw_name;
    if (!options || !login)
        return;
    (void)snprintf(name, sizeof name, "%.64s@shunt-%ld", login, (long)getpid());
    (void)shunt_options_set(options, "client", name); /* what is no text goes by the library's own name */
}

static int open_handle(struct call *call)
{
    struct shunt_error err = {0};
    struct shunt_options *options = shunt_options_new();
    name_operator(options);
    login_by_environment(call->url, options);
    if (options)
        (void)shunt_options_set(options, "request-timeout", "0"); /* commands have their own limit, or none */
    if (options && call->producer)
        (void)shunt_options_set(options, "producer", call->producer); /* without it a number is refused */
    int rc = shunt_open(call->url, options, &call->shunt, &err);
    shunt_options_free(options);
    if (rc == 0 && call->because)
        rc = shunt_set_reason(call->shunt, call->because, &err);
    return rc == 0 ? EXIT_OK : call_failed(call, &err);
}

int call_connect(struct call *call)
{
    struct shunt_error err = {0};
    int opened = open_handle(call);
    if (opened)
        return opened;
    if (shunt_connect(call->shunt, call->timeout_ms, &err) == 0)
        return EXIT_OK;
    int code = call_failed(call, &err);
    if (err.code == SHUNT_UNAUTHENTICATED) {
        call_complain(
            "a token is in the file of SHUNT_TOKEN_FILE, or of token-file= in the URL; a user and "
            "the file of its password are SHUNT_USER and SHUNT_PASSWORD_FILE, or user= and password-file=");
    }
    if (code == EXIT_UNREACHABLE)
        call_complain("is shuntd running, and is %s the right address? (--url, or SHUNT_URL)", call->url);
    return code;
}

void call_disconnect(struct call *call)
{
    shunt_close(call->shunt, call->timeout_ms < GOODBYE_MS_MAX ? call->timeout_ms : GOODBYE_MS_MAX);
    call->shunt = NULL;
    free(call->owned);
    call->owned = NULL;
}

bool call_is_outage(int shunt_code)
{
    return shunt_code == SHUNT_UNREACHABLE || shunt_code == SHUNT_DISCONNECTED ||
           shunt_code == SHUNT_SHUTTING_DOWN || shunt_code == SHUNT_UNAVAILABLE;
}

void call_tell_connection(const struct call *call, bool *connected)
{
    bool now = shunt_connected(call->shunt);
    if (now != *connected)
        call_note(call, "%s", now ? "connected again" : "connection lost; connecting again");
    *connected = now;
}

void call_tell_lost_answer(const struct shunt_error *err)
{
    call_complain("%s: %s (%s)",
                  err->code == SHUNT_STALE ? "an answer came too late: the message will be delivered again"
                                           : "an answer may be lost: the message may be delivered again",
                  err->text[0] ? err->text : shunt_error_text(err->code), shunt_error_name(err->code));
}

const char *call_word(const struct call *call, size_t i)
{
    return i < call->options.words_count ? call->options.words[i] : NULL;
}

const char *call_group(const struct call *call)
{
    return options_text(&call->options, "group", call->group ? call->group : "default");
}

int call_end_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    call_complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

const char *call_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
