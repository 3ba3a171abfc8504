/* work_broker: a name that cannot be looked up counts as a broker that is not there yet: where services start
 * together, the name may come with the container. */
#include "cli/work_broker.h"

#include <inttypes.h>
#include <poll.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/record.h"
#include "cli/signals.h"
#include "client/shunt.h"

/* The library wakes shunt_fd() for each of its attempts; this is in case it does not. */
#define LOOK_MS 1000

/* Wait until something happens; false when a signal to stop came. */
static bool wait_on(const struct call *call, int signal_fd, int64_t give_up_at_ms)
{
    struct pollfd ready[] = {{.fd = shunt_fd(call->shunt), .events = POLLIN},
                             {.fd = signal_fd, .events = POLLIN}};
    int64_t wake_at_ms = clock_deadline(LOOK_MS);
    (void)poll(ready, 2, clock_poll_ms(wake_at_ms < give_up_at_ms ? wake_at_ms : give_up_at_ms));
    return signals_take(signal_fd) == 0;
}

int work_broker_await(struct call *call, const struct shunt_options *options, int signal_fd,
                      int64_t patience_ms, bool *ret_connected)
{
    struct shunt_error err = {0};
    int64_t give_up_at_ms = clock_deadline(patience_ms);
    *ret_connected = false;
    if (shunt_open(call->url, options, &call->shunt, &err))
        return call_failed(call, &err);
    int code = shunt_connect(call->shunt, call->timeout_ms, &err);
    if (code && code != SHUNT_TIMEOUT && !call_is_outage(code))
        return call_failed(call, &err);
    if (code) {
        call_note(call, "%s (%s); trying to connect to %s until it answers", err.text,
                  shunt_error_name(err.code), call->url);
    }
    while (!shunt_connected(call->shunt)) {
        struct shunt_error fatal = {0};
        if (shunt_process(call->shunt, &fatal))
            return call_failed(call, &fatal);
        if (clock_mono_ms() >= give_up_at_ms) {
            (void)call_failed(call, &err);
            return EXIT_UNREACHABLE;
        }
        if (!shunt_connected(call->shunt) && !wait_on(call, signal_fd, give_up_at_ms))
            return EXIT_OK;
    }
    if (code)
        call_note(call, "connected");
    *ret_connected = true;
    return EXIT_OK;
}

struct shunt_value *work_broker_group(struct call *call)
{
    struct shunt_value *group = NULL;
    (void)shunt_group_show(call->shunt, call_word(call, 0), call_group(call), call->timeout_ms, &group, NULL);
    return group;
}

void work_broker_tell_dead(struct call *call, struct shunt_value *group)
{
    int64_t dead = record_integer(group, "dead");
    if (dead > 0) {
        call_note(call, "%" PRId64 " dead %s in dlq:%s:%s, %" PRId64 " of them unattended", dead,
                  call_plural((uint64_t)dead, "letter lies", "letters lie"), call_word(call, 0),
                  call_group(call), record_integer(group, "unattended"));
    }
    shunt_value_free(group);
}
