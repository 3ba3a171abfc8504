/* schema_identity: see schema_identity.h. */
#include "broker/core/schema_identity.h"
#include "broker/core/schema_record.h"

static void count_field(struct codec *c, uint32_t *count, uint32_t max)
{
    codec_u32(c, count);
    if (*count > max)
        c->failed = true;
}

static void name_field(struct codec *c, char *name, size_t room)
{
    codec_text(c, name, room);
    if (!c->failed && !*name)
        c->failed = true;
}

static void grants_fields(struct codec *c, struct grants_record *g)
{
    count_field(c, &g->count, GRANTS_MAX);
    for (uint32_t i = 0; !c->failed && i < g->count; i++) {
        struct grant_record *grant = &g->all[i];
        codec_u32(c, &grant->rights);
        if (!grant->rights || grant->rights > RIGHTS_ALL)
            c->failed = true;
        name_field(c, grant->pattern, sizeof grant->pattern);
    }
}

static void user_fields(struct codec *c, struct user_record *r)
{
    codec_bool(c, &r->disabled);
    codec_i64(c, &r->created_ms);
    codec_u64(c, &r->changed);
    name_field(c, r->name, sizeof r->name);
    codec_text(c, r->password, sizeof r->password);
    count_field(c, &r->certificates_count, USER_CERTIFICATES_MAX);
    for (uint32_t i = 0; !c->failed && i < r->certificates_count; i++)
        name_field(c, r->certificates[i], sizeof r->certificates[i]);
    if (!c->failed)
        count_field(c, &r->roles_count, USER_ROLES_MAX);
    for (uint32_t i = 0; !c->failed && i < r->roles_count; i++)
        name_field(c, r->roles[i], sizeof r->roles[i]);
    if (!c->failed)
        grants_fields(c, &r->grants);
}

static void role_fields(struct codec *c, struct role_record *r)
{
    codec_i64(c, &r->created_ms);
    codec_u64(c, &r->changed);
    name_field(c, r->name, sizeof r->name);
    grants_fields(c, &r->grants);
}

static void token_fields(struct codec *c, struct token_record *r)
{
    codec_u64(c, &r->user);
    codec_bytes(c, r->hash, sizeof r->hash);
    codec_i64(c, &r->created_ms);
    codec_i64(c, &r->expires_ms);
    codec_text(c, r->note, sizeof r->note);
}

RECORD(user, TABLE_USER)
RECORD(role, TABLE_ROLE)
RECORD(token, TABLE_TOKEN)
