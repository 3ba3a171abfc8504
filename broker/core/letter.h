/* letter: a dead letter, and what is known of it: its row in the attempt ledger, its error, whether a filter lets it
 * through. Reads only. */
#ifndef SHUNT_CORE_LETTER_H
#define SHUNT_CORE_LETTER_H

#include "broker/core/state.h"
#include "broker/core/view_error.h"

struct dead_letter {
    struct group *g; /* the failing one */
    uint64_t dead_seq;
    const struct loaded_message *m;
    struct attempt_record row;
};

/* Of a letter that has been loaded. fails: CORRUPT, IO */
int letter_row(struct ledger *l, struct topic *dlq, uint64_t dead_seq, const struct loaded_message *m,
               struct dead_letter *ret);
/* Its last attempt; zero, with no end, if there is no history. */
int letter_last(struct ledger *l, const struct dead_letter *d, struct history_record *ret);
/* What it died of, as the consumer or, where that could not, the broker says it. */
int letter_error(struct ledger *l, const struct dead_letter *d, struct history_record *ret_last,
                 struct view_error *ret);

/* Whether it is one of those: by its row in the queue alone (its times are as they are
 * shown), and by all the rest. */
bool letter_passes_row(const struct ledger *l, const struct letter_filter *f, const struct dead_record *dead);
int letter_passes(struct ledger *l, const struct letter_filter *f, const struct dead_letter *d, bool *ret);
/* It asks for more than the row in the queue says. */
static inline bool letter_filter_is_deep(const struct letter_filter *f)
{
    return f->type.size || f->match.size || f->header.size || f->key.size;
}
static inline bool letter_filter_is_empty(const struct letter_filter *f)
{
    return !f->cause && !f->has_reason && !f->since_ms && !letter_filter_is_deep(f);
}

/* As it is stored. in: no text is longer than may be */
void letter_filter_keep(struct filter_record *to, const struct letter_filter *f);
struct letter_filter letter_filter_kept(const struct filter_record *r);

#endif
