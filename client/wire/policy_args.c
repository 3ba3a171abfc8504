/* policy_args: `lease` `30s` to lease_ms, 30000, by the table of proto/policy.def. `backoff` `MIN..MAX`
 * sets two. */
#include "client/wire/policy_args.h"
#include "client/wire/error.h"
#include "client/wire/options.h"
#include "proto/policy.h"
#include "proto/units.h"
#include <stdio.h>
#include <string.h>

#define INHERIT       "inherit"
#define CHOICES_BYTES 80 /* the names of a choice, and what is between them */

static int bad(struct shunt_error *err, const char *option, const char *value, const char *why)
{
    return error_set(err, SHUNT_BAD_ARGUMENT, "setting %s: \"%.100s\": %s", option, value, why);
}

/* `dlq|discard`; with another separator, and another one before the last, `dlq or discard`. */
static const char *choices_text(enum policy_field field, const char *comma, const char *last, char *to)
{
    const char *name;
    *to = '\0';
    for (int64_t i = 0; (name = policy_choice(field, i)); i++) {
        if (i)
            (void)strcat(to, policy_choice(field, i + 1) ? comma : last);
        (void)strcat(to, name);
    }
    return to;
}

static bool parse_choice(enum policy_field field, const char *value, int64_t *ret, const char **ret_why)
{
    const char *name;
    for (*ret = 0; (name = policy_choice(field, *ret)); (*ret)++) {
        if (strcmp(name, value) == 0)
            return true;
    }
    static _Thread_local char why[CHOICES_BYTES];
    (void)strcpy(why, "say ");
    (void)choices_text(field, ", ", " or ", why + 4);
    *ret_why = why;
    return false;
}

static bool parse(const struct policy_row *row, const char *value, int64_t *ret, const char **ret_why)
{
    switch (row->unit) {
    case UNIT_COUNT:
        return units_parse_count(value, row->min, row->max, ret, ret_why);
    case UNIT_DURATION:
        return units_parse_duration(value, row->max, ret, ret_why);
    case UNIT_SIZE:
        return units_parse_size(value, row->max, ret, ret_why);
    case UNIT_CHOICE:
    default:
        return parse_choice((enum policy_field)(row - policy_rows), value, ret, ret_why);
    }
}

static int set(struct policy_change *change, enum policy_field field, const char *option, const char *value,
               struct shunt_error *err)
{
    const struct policy_row *row = &policy_rows[field];
    uint32_t bit = 1u << field;
    int64_t v = 0;
    const char *why = NULL;
    bool reset = strcmp(value, INHERIT) == 0;
    if (!reset && !parse(row, value, &v, &why))
        return bad(err, option, value, why);
    if (!reset && v < row->min)
        return bad(err, option, value, "too small");
    change->set.value[field] = v;
    change->set.given = reset ? change->set.given & ~bit : change->set.given | bit;
    change->reset = reset ? change->reset | bit : change->reset & ~bit;
    return 0;
}

/* `MIN..MAX`, or `inherit` for both. */
static int set_backoff(struct policy_change *change, const char *value, struct shunt_error *err)
{
    char min[64];
    const char *dots = strstr(value, ".."), *max = dots ? dots + 2 : value;
    size_t size = dots ? (size_t)(dots - value) : strlen(value);
    if ((!dots && strcmp(value, INHERIT) != 0) || size >= sizeof min)
        return bad(err, "backoff", value, "write it MIN..MAX, as in 1s..5m");
    memcpy(min, value, size);
    min[size] = '\0';
    int rc = set(change, POLICY_backoff_min_ms, "backoff", min, err);
    return rc != 0 ? rc : set(change, POLICY_backoff_max_ms, "backoff", max, err);
}

static const struct policy_row *find(const char *option)
{
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (strcmp(policy_rows[i].option, option) == 0)
            return &policy_rows[i];
    }
    return NULL;
}

int policy_args_read(const struct shunt_options *settings, bool of_group, struct policy_change *ret,
                     struct shunt_error *err)
{
    const struct option *option;
    *ret = (struct policy_change){0};
    for (size_t i = 0; (option = options_at(settings, i)); i++) {
        bool backoff = strcmp(option->key, "backoff") == 0;
        const struct policy_row *row = find(backoff ? "backoff-min" : option->key);
        if (!row)
            return error_set(err, SHUNT_BAD_ARGUMENT, "there is no setting \"%.100s\"", option->key);
        if (of_group && row->scope == SCOPE_TOPIC) {
            return error_set(err, SHUNT_BAD_ARGUMENT, "%s is a setting of topics, not of groups",
                             option->key);
        }
        enum policy_field field = (enum policy_field)(row - policy_rows);
        int rc =
            backoff ? set_backoff(ret, option->value, err) : set(ret, field, option->key, option->value, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- the list of settings ---- */

static const char *unit_name(const struct policy_row *row, char *to)
{
    switch (row->unit) {
    case UNIT_COUNT:
        return "count";
    case UNIT_DURATION:
        return "duration";
    case UNIT_SIZE:
        return "size";
    case UNIT_CHOICE:
    default:
        return choices_text((enum policy_field)(row - policy_rows), "|", "|", to);
    }
}

static void format_initial(char *to, const struct policy_row *row)
{
    if (row->unit == UNIT_DURATION)
        (void)units_format_duration(to, row->initial); /* returns `to` */
    else if (row->unit == UNIT_SIZE)
        (void)sprintf(to, "%lldB", (long long)row->initial); /* as it can be given back */
    else if (row->unit == UNIT_CHOICE)
        (void)strcpy(to, policy_choice((enum policy_field)(row - policy_rows), row->initial));
    else
        (void)sprintf(to, "%lld", (long long)row->initial); /* 20 digits at most */
}

/* `backoff` stands for its two fields, in the place of the first. */
bool shunt_setting(size_t i, struct shunt_setting *ret)
{
    static _Thread_local char initial[POLICY_COUNT][80], unit[POLICY_COUNT][CHOICES_BYTES];
    if (i >= POLICY_backoff_max_ms)
        i++;
    if (i >= POLICY_COUNT)
        return false;
    const struct policy_row *row = &policy_rows[i];
    format_initial(initial[i], row);
    *ret = (struct shunt_setting){.name = row->option,
                                  .unit = unit_name(row, unit[i]),
                                  .initial = initial[i],
                                  .text = row->text,
                                  .of_group = row->scope == SCOPE_GROUP};
    if (i == POLICY_backoff_min_ms) {
        size_t size = strlen(initial[i]);
        memcpy(initial[i] + size, "..", 2);
        format_initial(initial[i] + size + 2, &policy_rows[POLICY_backoff_max_ms]);
        ret->name = "backoff";
        ret->unit = "duration..duration";
        ret->text =
            "after a failure wait a random time of up to MIN, doubled with each further failure, up to MAX";
    }
    return true;
}
