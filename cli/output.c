/* output: see output.h. */
#include "cli/output.h"

#include <stdio.h>

void output_begin(struct output *o, enum call_form form, bool list)
{
    *o = (struct output){.form = form, .list = list};
    json_init(&o->json, stdout, form == FORM_JSON);
    if (form == FORM_JSON && list)
        json_array(&o->json);
}

bool output_is_json(const struct output *o)
{
    return o->form != FORM_TABLE;
}

void output_item_end(struct output *o)
{
    if (o->form == FORM_JSONL || (o->form == FORM_JSON && !o->list))
        json_end(&o->json);
}

void output_end(struct output *o)
{
    if (o->form == FORM_JSON && o->list) {
        json_array_end(&o->json);
        json_end(&o->json);
    }
}
