/* requests: the functions that step.def names, and what they share. */
#ifndef SHUNT_ENGINE_REQUESTS_H
#define SHUNT_ENGINE_REQUESTS_H

#include "broker/engine/request.h"

struct group;

request_make_fn make_publish, make_subscribe, make_resolve, make_started, make_topic_create,
    make_topic_update, make_topic_delete, make_topic_purge, make_group_create, make_group_update,
    make_group_delete, make_group_pause, make_group_resume, make_dlq_redrive, make_dlq_purge, make_dlq_attend,
    make_cause_update, make_job_cancel, make_job_pause, make_job_resume, make_rule_set, make_rule_delete,
    make_dlq_edit, make_breaker_reset, make_within, make_user_set, make_user_delete, make_role_set,
    make_role_delete, make_token_create, make_token_revoke;
step_fn act_hello, act_goodbye, act_subscribe, act_credit, act_unsubscribe, mark_started, run_publish,
    run_resolve, run_clock_set, look_topic, look_topics, look_overview, look_group, look_groups, look_peek,
    look_why, look_dead_list, look_dead, look_causes, look_cause, look_job, look_jobs, look_stats, look_audit,
    look_producer, run_drop, look_rules, look_rule_test, look_clients, look_holders, look_keys, run_dlq_edit,
    look_users, look_roles, look_tokens, look_who;
/* Which dead letters; returns what is wrong with it, or NULL. */
const char *make_filter(const struct dead_filter *f, struct letter_filter *ret);
/* The name's number; -1: there is none of it. */
int word_of(struct slice name, const char *const *names, int count);
/* The group that the step is about; NULL: there is none, and that was answered. */
struct group *look_find_group(const struct engine *e, struct step *st);

#endif
