/* settings: the options of a connection, as the protocol core goes by them. */
#ifndef SHUNT_CLIENT_WIRE_SETTINGS_H
#define SHUNT_CLIENT_WIRE_SETTINGS_H

#include "proto/credentials.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* The user that the handle says it is. */
struct auth {
    enum mechanism mechanism;
    char user[NAME_BYTES_MAX + 1]; /* with a password */
    char file[1024]; /* where the secret is read for each connection; empty: it is here, for good: */
    char secret[PASSWORD_BYTES_MAX + 1]; /* password or token */
};

struct settings {
    char client[CLIENT_NAME_BYTES_MAX + 1];
    char host[CLIENT_NAME_BYTES_MAX + 1];
    char build[CLIENT_NAME_BYTES_MAX + 1];
    int64_t connect_timeout_ms;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    int64_t retry_budget;  /* percent of the calls of a window that may be tried again; 0: none */
    int64_t retry_reserve; /* and as many without a call */
    int64_t retry_window_ms;
    int64_t request_timeout_ms; /* 0: none */
    int64_t ping_interval_ms;   /* 0: none */
    int64_t window;             /* messages */
    int64_t window_bytes;
    int64_t frame_bytes;
    int64_t mark_time_us;
    bool idempotent;
    bool numbered;                          /* the program numbers its messages, as the producer: */
    uint8_t producer_id[PRODUCER_ID_BYTES]; /* if it does */
    bool marks;
    struct auth auth;
};

#endif
