/* edit: what operators made of dead letters: another body, for one group alone.
 *
 * The message stays as it was published, because other groups may need it. What the group gets instead is a whole message in
 * the edit table, with the headers, key and times of the published one, so that it is handed out as any other: from the store's
 * page. The number of the edit stands in the message's row in attempt and in its letter's row in dead, which are read anyway; so
 * an edit costs nothing where there is none. It ends with the attempt row: it stays through redrives and further deaths until
 * the group is done with the message.
 */
#ifndef SHUNT_CORE_EDIT_H
#define SHUNT_CORE_EDIT_H

#include "broker/core/schema_edit.h"
#include "broker/core/state.h"

/* As message_load() does, of a message that was edited for the group. */
int edit_load(struct ledger *l, uint32_t group, uint64_t seq, bool verify, struct loaded_message *ret);
/* A message as it is for the group whose row for it this is. */
static inline int message_load_for(struct ledger *l, const struct group *g, uint64_t seq,
                                   const struct attempt_record *row, bool verify, struct loaded_message *ret)
{
    return row->edit ? edit_load(l, g->r.id, seq, verify, ret) : message_load(l, g->topic, seq, verify, ret);
}

/* Write the message as it is now, with the head of the published one, and by whom (NULL: that is not known). */
int edit_put_message(struct ledger *l, const struct group *g, uint64_t seq, const struct message_head *head,
                     struct slice message);
int edit_put_note(struct ledger *l, const struct group *g, uint64_t seq, uint64_t number,
                  const struct actor *by);
/* It is as it was published again. */
int edit_forget(struct ledger *l, const struct group *g, uint64_t seq);

int apply_edit(struct ledger *l, const struct edit_command *c, const struct actor *by);

#endif
