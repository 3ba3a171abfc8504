/* server_settings: the settings in force as the engine and the sockets take them. */
#include "broker/server_private.h"
#include <sys/resource.h>

struct engine_limits server_engine_limits(const struct server *s)
{
    const int64_t *number = s->config.number;
    return (struct engine_limits){
        .max_body_bytes = (uint64_t)number[CONFIG_body_bytes_max],
        .max_topics = (uint64_t)number[CONFIG_topics_max],
        .max_groups = (uint64_t)number[CONFIG_groups_max],
        .in_flight_max = (uint64_t)number[CONFIG_in_flight_max],
        .connections_max = (uint64_t)number[CONFIG_connections_max],
        .resume_wait_ms = number[CONFIG_resume_wait_ms],
        .dedup_window_ms = number[CONFIG_dedup_window_ms],
        .audit_keep_ms = number[CONFIG_audit_keep_ms],
        .audit_bytes_max = (uint64_t)number[CONFIG_audit_bytes_max],
        .unsent_bytes_max = (uint64_t)number[CONFIG_unsent_bytes_max],
        .unsent_total_max = (uint64_t)number[CONFIG_unsent_total_max],
        .inbox_bytes_max = (uint64_t)number[CONFIG_inbox_bytes_max],
        .commit_bytes_max = (uint64_t)number[CONFIG_commit_bytes_max],
        .retry_after_ms = number[CONFIG_retry_after_ms],
        .ack_wait_ms = number[CONFIG_ack_wait_ms],
        .hot_keys = (uint32_t)number[CONFIG_hot_keys],
        .hot_keys_half_life_ms = number[CONFIG_hot_keys_half_life_ms],
        .hot_keys_memory_max = (uint64_t)number[CONFIG_hot_keys_memory],
        .address = {.rates = {[QUOTA_MESSAGES] = (uint64_t)number[CONFIG_address_publish_rate],
                              [QUOTA_BYTES] = (uint64_t)number[CONFIG_address_publish_bytes],
                              [QUOTA_REQUESTS] = (uint64_t)number[CONFIG_address_request_rate]}},
        .user = {.connections = (uint64_t)number[CONFIG_user_connections],
                 .rates = {[QUOTA_MESSAGES] = (uint64_t)number[CONFIG_user_publish_rate],
                           [QUOTA_BYTES] = (uint64_t)number[CONFIG_user_publish_bytes],
                           [QUOTA_REQUESTS] = (uint64_t)number[CONFIG_user_request_rate]}},
        .rate_burst_ms = number[CONFIG_rate_burst_ms]};
}

struct net_limits server_net_limits(const struct server *s)
{
    const int64_t *number = s->config.number;
    uint64_t partial = (uint64_t)number[CONFIG_inbox_bytes_max];
    return (struct net_limits){.connections_max = (uint64_t)number[CONFIG_connections_max],
                               .address_connections_max = (uint64_t)number[CONFIG_address_connections],
                               .accepts_per_second = (uint64_t)number[CONFIG_accept_rate],
                               .hello_ms = number[CONFIG_hello_ms],
                               .frame_ms = number[CONFIG_frame_ms],
                               .write_ms = number[CONFIG_write_ms],
                               .peer_ms = number[CONFIG_peer_ms],
                               .unsent_bytes_max = (uint64_t)number[CONFIG_unsent_bytes_max],
                               .unsent_total_max = (uint64_t)number[CONFIG_unsent_total_max],
                               .retry_after_ms = number[CONFIG_retry_after_ms],
                               .handshakes_max = (uint64_t)number[CONFIG_tls_handshakes],
                               .partial_bytes_max = partial};
}

struct http_handshakes server_http_handshakes(const struct server *s)
{
    const int64_t *number = s->config.number;
    return (struct http_handshakes){.most = (unsigned)number[CONFIG_tls_handshakes],
                                    .ms = number[CONFIG_hello_ms]};
}

void server_raise_descriptors(struct server *s)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* what counts is read back */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    const int64_t *number = s->config.number;
    uint64_t wanted = (uint64_t)(number[CONFIG_connections_max] + number[CONFIG_http_connections] +
                                 2 * number[CONFIG_http_leases] + SERVER_DESCRIPTORS_OWN);
    if (config_http_is_tls(
            &s->config)) { /* a pair for each that is in, and those that are not yet, or leave */
        wanted += (uint64_t)(2 * number[CONFIG_http_connections] + number[CONFIG_tls_handshakes] +
                             SERVER_DESCRIPTORS_LEAVING);
    }
    if (limit.rlim_cur >= wanted)
        return;
    struct log_line line;
    log_begin(&line, &s->log, LOG_LEVEL_WARNING, "few_descriptors");
    log_number(&line, "limit", (int64_t)limit.rlim_cur);
    log_number(&line, "wanted", (int64_t)wanted);
    log_text(&line, "why",
             "the settings of connections and leases need more open files: raise LimitNOFILE or ulimit -n");
    log_end(&line);
}

void server_apply_settings(struct server *s)
{
    struct engine_limits limits = server_engine_limits(s);
    struct net_limits net = server_net_limits(s);
    struct http_handshakes handshakes = server_http_handshakes(s);
    engine_reload(s->engine, &limits);
    net_limits_set(s->net, &net);
    if (s->http)
        http_handshakes_set(s->http, &handshakes);
    atomic_store(&s->log.level, (int)s->config.number[CONFIG_log_level]);
}
