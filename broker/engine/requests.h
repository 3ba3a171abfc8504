/* requests: the functions that request.def names, and what they share. */
#ifndef SHUNT_ENGINE_REQUESTS_H
#define SHUNT_ENGINE_REQUESTS_H

#include "broker/engine/request.h"

struct group;

/* Whether a field that has a default was left out: nothing follows, or nil, which is taken. */
bool request_left_out(struct mpack_reader *r);
/* An integer that is 0 when it was left out. */
uint64_t request_uint_or_0(struct mpack_reader *r);
/* The rows a listing asks for, within limits; left out: the default. */
uint32_t request_limit(struct mpack_reader *r);

request_fn request_nothing, request_hello, request_publish, request_subscribe, request_credit,
    request_unsubscribe, request_resolve, request_started, request_topic, request_topic_list,
    request_topic_create, request_topic_update, request_topic_delete, request_topic_purge, request_group,
    request_group_create, request_group_update, request_group_delete, request_group_pause, request_peek,
    request_dlq_list, request_dlq_show, request_dlq_redrive, request_dlq_purge, request_job,
    request_job_cancel;
step_fn act_hello, act_goodbye, act_subscribe, act_credit, act_unsubscribe, mark_started, run_publish,
    run_resolve, run_clock_set, look_topic, look_topics, look_group, look_groups, look_peek, look_dead_list,
    look_dead, look_job, look_stats;
/* The group that the step is about; NULL: there is none, and that was answered. */
struct group *look_find_group(const struct engine *e, struct step *st);

#endif
