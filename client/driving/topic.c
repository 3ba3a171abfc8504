/* topic: create, change, look at and delete topics. */
#include "client/driving/admin.h"
#include "client/driving/call_run.h"
#include "client/wire/error.h"
#include "client/wire/options.h"
#include "client/wire/policy_args.h"
#include "client/wire/value.h"
#include <string.h>

/* ---- the groups made with a topic: names with commas between them ---- */

/* Empty ones too: the broker refuses them by name. Returns how many. */
static uint32_t write_names(struct mpack_buffer *b, const char *names)
{
    for (uint32_t count = 1;; count++) {
        size_t size = strcspn(names, ",");
        mpack_write_str(b, names, size);
        if (names[size] == '\0')
            return count;
        names += size + 1;
    }
}

/* `settings` but for `groups`, which is none; its value goes to *ret_groups, NULL if it is not there. */
static int split_groups(const struct shunt_options *settings, struct shunt_options **ret_rest,
                        const char **ret_groups)
{
    const struct option *option;
    struct shunt_options *rest = shunt_options_new();
    int rc = !rest ? SHUNT_NO_MEMORY : 0;
    for (size_t i = 0; rc == 0 && (option = options_at(settings, i)); i++) {
        if (strcmp(option->key, "groups") == 0)
            *ret_groups = option->value;
        else
            rc = shunt_options_set(rest, option->key, option->value);
    }
    if (rc == 0)
        *ret_rest = rest;
    else
        shunt_options_free(rest);
    return rc;
}

int shunt_topic_create(struct shunt *s, const char *topic, const struct shunt_options *settings,
                       int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    struct shunt_options *rest = NULL;
    struct mpack_buffer names = {0};
    const char *groups = NULL;
    union request_fields q = {.topic_create = {.topic = slice_of(topic)}};
    int rc = split_groups(settings, &rest, &groups);
    if (rc != 0)
        return error_set(err, rc, NULL);
    rc = admin_names(topic, false, NULL, err);
    if (rc == 0)
        rc = policy_args_read(rest, false, &q.topic_create.policy, err);
    if (rc == 0 && groups) {
        q.topic_create.groups.count = write_names(&names, groups);
        q.topic_create.groups.bytes = (struct slice){names.data, names.size};
        rc = names.failed ? error_set(err, SHUNT_NO_MEMORY, NULL) : 0;
    }
    if (rc == 0) {
        call_begin(&call, &request_topic_create, &q, false);
        rc = call_finish(s, &call, timeout_ms, err);
    }
    mpack_buffer_done(&names);
    shunt_options_free(rest);
    return rc;
}

int shunt_topic_update(struct shunt *s, const char *topic, const struct shunt_options *settings,
                       int64_t timeout_ms, struct shunt_error *err)
{
    struct call call;
    union request_fields q = {.topic_update = {.topic = slice_of(topic)}};
    int rc = admin_names(topic, false, NULL, err);
    if (rc == 0)
        rc = policy_args_read(settings, false, &q.topic_update.policy, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_topic_update, &q, false);
    return call_finish(s, &call, timeout_ms, err);
}

int shunt_topic_show(struct shunt *s, const char *topic, int64_t timeout_ms, struct shunt_value **ret,
                     struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.topic_show = {.topic = slice_of(topic)}};
    int rc = admin_names(topic, true, NULL, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_topic_show, &q, true);
    return admin_finish_value(s, &call, timeout_ms, ret, err);
}

int shunt_topic_delete(struct shunt *s, const char *topic, int64_t timeout_ms, uint64_t *ret_job,
                       struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.topic_delete = {.topic = slice_of(topic)}};
    int rc = admin_names(topic, false, NULL, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_topic_delete, &q, false);
    return call_finish_uint(s, &call, timeout_ms, ret_job, err);
}

int shunt_topic_purge(struct shunt *s, const char *topic, const char *group, int64_t timeout_ms,
                      uint64_t *ret_job, struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {.topic_purge = {.topic = slice_of(topic), .group = slice_of(group)}};
    int rc = admin_names(topic, true, group, err);
    if (rc != 0)
        return rc;
    call_begin(&call, &request_topic_purge, &q, false);
    return call_finish_uint(s, &call, timeout_ms, ret_job, err);
}

/* ---- the list, page by page ---- */

struct listing {
    struct mpack_buffer rows; /* of all pages so far, one after the other */
    uint32_t count;
    char after[TOPIC_BYTES_MAX + 1]; /* the last name seen */
};

/* Note the name in a topic_info, for the next page. */
static void note_name(struct listing *l, struct slice row)
{
    struct mpack_reader r;
    mpack_read_init(&r, row.data, row.size);
    uint32_t pairs = mpack_read_map(&r);
    for (uint32_t i = 0; i < pairs && !r.failed; i++) {
        struct slice key = mpack_read_str(&r);
        if (!slice_is(key, "topic")) {
            (void)mpack_read_any(&r); /* another key */
            continue;
        }
        struct slice name = mpack_read_str(&r);
        if (!r.failed && name.size < sizeof l->after) {
            memcpy(l->after, name.data, name.size);
            l->after[name.size] = '\0';
        }
    }
}

static int take_page(struct listing *l, struct mpack_reader *reply, bool *ret_more)
{
    uint32_t rows = mpack_read_array(reply);
    char before[sizeof l->after];
    memcpy(before, l->after, sizeof before);
    for (uint32_t i = 0; i < rows && !reply->failed; i++) {
        struct slice row = mpack_read_any(reply);
        mpack_write_raw(&l->rows, row.data, row.size);
        l->count++;
        if (i + 1 == rows)
            note_name(l, row);
    }
    bool more = mpack_read_bool(reply);
    if (reply->failed ||
        (more && strcmp(before, l->after) == 0)) /* a page that leads nowhere would be asked for for ever */
        return SHUNT_PROTOCOL;
    *ret_more = more;
    return l->rows.failed ? SHUNT_NO_MEMORY : 0;
}

static int ask_page(struct shunt *s, struct listing *l, int64_t timeout_ms, bool *ret_more,
                    struct shunt_error *err)
{
    struct call call;
    const union request_fields q = {
        .topic_list = {.after = slice_of(l->after[0] != '\0' ? l->after : NULL), .limit = PAGE_ROWS_MAX}};
    call_begin(&call, &request_topic_list, &q, true);
    int rc = call_run(s, &call, timeout_ms, err);
    if (rc == 0 && (rc = take_page(l, &call.reply, ret_more)) != 0)
        error_set(err, rc, NULL);
    call_done(&call);
    return rc;
}

int shunt_topic_list(struct shunt *s, int64_t timeout_ms, struct shunt_value **ret, struct shunt_error *err)
{
    struct listing l = {.count = 0};
    int64_t deadline_us = loop_deadline_us(timeout_ms);
    bool more = true;
    int rc = 0;
    size_t head = mpack_write_array_open(&l.rows);
    while (rc == 0 && more)
        rc = ask_page(s, &l, admin_left_ms(deadline_us), &more, err);
    if (rc == 0) {
        mpack_patch_array(&l.rows, head, l.count);
        rc = value_build((struct slice){l.rows.data, l.rows.size}, ret);
        if (rc != 0)
            error_set(err, rc, NULL);
    }
    mpack_buffer_done(&l.rows);
    return rc;
}
