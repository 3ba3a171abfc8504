/* schema_edit: see schema_edit.h. */
#include "broker/core/schema_edit.h"
#include "broker/core/schema_record.h"

static void edit_fields(struct codec *c, struct edit_record *r)
{
    codec_u64(c, &r->number);
    codec_i64(c, &r->edited_ms);
    codec_slice(c, &r->client);
    codec_slice(c, &r->host);
    codec_slice(c, &r->peer);
    codec_slice(c, &r->reason);
    c->failed |= !r->number;
}

RECORD(edit, TABLE_EDIT)
