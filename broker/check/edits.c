/* edits: what an operator made of a dead letter is whole, and is known to the message's row in attempt. */
#include "broker/check/checker.h"
#include "broker/core/schema_edit.h"

#include <inttypes.h>

/* Its row in attempt must have the number of the note; of the message there only that it was edited. `note` 0: any. */
static int check_known(struct checker *c, const struct checked_group *g, uint64_t seq, uint64_t note)
{
    struct attempt_record row;
    enum found found;
    int err = look_up_attempt(c, g->r.id, seq, &found, &row);
    if (err || found == UNREADABLE)
        return err;
    if (found == ABSENT || !row.edit) {
        problem(c, PROBLEM_ORPHAN, "%s: an edit of message %" PRIu64 ", which was not edited",
                group_name(g).text, seq);
    } else if (note && note != row.edit) {
        problem(c, PROBLEM_STATE,
                "%s: message %" PRIu64 " has edit %" PRIu64 ", and its note is of edit %" PRIu64,
                group_name(g).text, seq, row.edit, note);
    }
    return 0;
}

static int edit_row(struct checker *c, struct slice key, struct slice value)
{
    struct edit_record note = {.number = 0};
    struct message_head head;
    struct slice message;
    uint32_t id, row;
    uint64_t seq;
    if (!key_read_history(key, &id, &seq, &row) || row > EDIT_ROW_MESSAGE) {
        problem(c, PROBLEM_ORPHAN, "edit: a row with a key of %zu bytes that no edit has", key.size);
        return 0;
    }
    struct checked_group *g = group_of(c, id);
    if (!g) {
        problem(c, PROBLEM_ORPHAN, "edit %" PRIu32 "/%" PRIu64 ": its group is not there", id, seq);
        return 0;
    }
    if (row == EDIT_ROW_NOTE ? edit_decode(key, value, &note)
                             : message_decode(key, value, true, &head, &message)) {
        problem(c, PROBLEM_CHECKSUM, "%s: message %" PRIu64 ": %s", group_name(g).text, seq,
                row == EDIT_ROW_NOTE ? "who edited it" : "the edited message");
        note.number = 0;
    }
    return group_judged(g) ? check_known(c, g, seq, note.number) : 0;
}

int check_edits(struct checker *c)
{
    return scan(c, TABLE_EDIT, edit_row);
}
