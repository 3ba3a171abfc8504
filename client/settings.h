/* settings: the options of a connection, parsed and with their defaults. */
#ifndef SHUNT_CLIENT_SETTINGS_H
#define SHUNT_CLIENT_SETTINGS_H

#include "client/internal.h"
#include "proto/limits.h"

struct settings {
    char client[CLIENT_NAME_BYTES_MAX + 1];
    char host[CLIENT_NAME_BYTES_MAX + 1];
    char build[CLIENT_NAME_BYTES_MAX + 1];
    int64_t connect_timeout_ms;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    int64_t window; /* messages */
    int64_t window_bytes;
    int64_t frame_bytes;
    int64_t mark_time_us;
    bool idempotent;
    bool marks;
};

/* fails: BAD_ARGUMENT, the text names the option. */
int settings_read(const struct shunt_options *options, struct settings *ret, struct shunt_error *err);

#endif
