/* why_edit: a step of the story: somebody gave the dead letter another body. */
#include <inttypes.h>

#include "cli/dead.h"
#include "cli/why_say.h"

void why_tell_edited(struct story *s, int64_t before_ms)
{
    const struct shunt_value *edited = shunt_value_get(s->group, "edited");
    char time[32], by[DEAD_EDITOR_BYTES];
    if (s->edit_told || shunt_value_type(edited) != SHUNT_MAP || record_integer(edited, "at") > before_ms)
        return;
    s->edit_told = true;
    say(s, time_of(edited, "at", time), "its body was edited %s", dead_editor_text(edited, by));
    say(s, "", "  edit %" PRId64 ": this group gets that body, others the one that was published",
        record_integer(edited, "edit"));
}
