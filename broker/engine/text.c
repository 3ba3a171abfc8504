/* text: see text.h. */
#include "broker/engine/text.h"
#include "base/utf8.h"
#include "broker/core/command.h"
#include "broker/engine/state.h"
#include "proto/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *engine_text(struct engine *e, const char *format, ...)
{
    va_list arguments;
    char *text = arena_room(&e->arena, 512);
    if (!text)
        return "";
    va_start(arguments, format);
    (void)vsnprintf(text, 512, format, arguments); /* longer texts are cut */
    va_end(arguments);
    return text;
}

const char *engine_name(struct engine *e, struct slice name, size_t most)
{
    size_t size = utf8_prefix(name.data, name.size, most);
    char *text = arena_room(&e->arena, size + sizeof "`…`");
    if (!text)
        return "";
    text[0] = '`';
    if (size)
        utf8_clean(text + 1, name.data, size);
    for (char *at = text + 1; at < text + 1 + size; at++) {
        if (*at == '\n' || *at == '\t') /* a message is one line */
            *at = '?';
    }
    memcpy(text + 1 + size, size < name.size ? "…`" : "`", size < name.size ? sizeof "…`" : sizeof "`");
    return text;
}

const char *engine_about(struct engine *e, int err, struct slice topic, struct slice group, const char *hint)
{
    switch (err) {
    case SHUNT_UNKNOWN_TOPIC:
    case SHUNT_TOPIC_EXISTS:
        return engine_text(e, "%s%s", engine_name(e, topic, TOPIC_BYTES_MAX),
                           err == SHUNT_UNKNOWN_TOPIC ? hint : "");
    case SHUNT_UNKNOWN_GROUP:
    case SHUNT_GROUP_EXISTS:
        return engine_text(e, "%s of topic %s%s", engine_name(e, group, NAME_BYTES_MAX),
                           engine_name(e, topic, TOPIC_BYTES_MAX), err == SHUNT_UNKNOWN_GROUP ? hint : "");
    default:
        return NULL;
    }
}

const char *engine_no_job(struct engine *e, uint64_t job)
{
    return engine_text(e, "job %llu; of those that are done the last 100 are kept", (unsigned long long)job);
}

const char *engine_no_rule(struct engine *e, uint32_t rule, struct slice topic, struct slice group)
{
    return engine_text(
        e, "no rule %u on the dead letters of group %s of topic %s: list its rules to see which there are",
        rule, engine_name(e, group, NAME_BYTES_MAX), engine_name(e, topic, TOPIC_BYTES_MAX));
}

const char *engine_no_user(struct engine *e, struct slice name)
{
    return engine_text(e, "no user %s: list the users to see which there are",
                       engine_name(e, name, NAME_BYTES_MAX));
}

const char *engine_no_identity(struct engine *e, const struct command *c)
{
    if (c->kind == COMMAND_ROLE_SET || c->kind == COMMAND_ROLE_DELETE) {
        struct slice name = c->kind == COMMAND_ROLE_SET ? c->role.name : c->identity.name;
        return engine_text(e, "no role %s: list the roles to see which there are",
                           engine_name(e, name, NAME_BYTES_MAX));
    }
    if (c->kind == COMMAND_TOKEN_REVOKE && c->token_name.user.size) {
        return engine_text(e, "user %s has no token %llu: list its tokens to see which there are",
                           engine_name(e, c->token_name.user, NAME_BYTES_MAX),
                           (unsigned long long)c->token_name.id);
    }
    if (c->kind == COMMAND_TOKEN_REVOKE) {
        return engine_text(e, "no token %llu: list the tokens to see which there are",
                           (unsigned long long)c->token_name.id);
    }
    return engine_no_user(e, c->kind == COMMAND_USER_SET    ? c->user.name
                             : c->kind == COMMAND_TOKEN_ADD ? c->token.user
                                                            : c->identity.name);
}
