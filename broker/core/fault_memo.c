/* fault_memo: see fault_memo.h. */
#include "broker/core/fault_memo.h"

#include <string.h>

#include "broker/core/fingerprint_alike.h"

#define SIZE_BITS 12
#define KIND_BITS 4
_Static_assert(FAULT_MEMO_BYTES_MAX < 1u << SIZE_BITS, "a size fits its bits of a key");
_Static_assert(DEAD_REASONS <= 1u << KIND_BITS && ATTEMPT_OUTCOMES < 1u << KIND_BITS, "so do these");

/* Of reports that are not too long. Never 0. */
static uint64_t key_of(const struct fault *f)
{
    uint64_t key = (uint64_t)f->outcome + 1;
    key = key << KIND_BITS | (uint64_t)f->reason;
    key = key << SIZE_BITS | f->type.size;
    key = key << SIZE_BITS | f->message.size;
    key = key << SIZE_BITS | f->stack.size;
    return key << SIZE_BITS | f->given.size;
}

/* Their keys are equal. */
static bool fits(const struct fault_memo_place *p, const struct fault *f)
{
    return pattern_fits(&p->message, f->message) && pattern_fits(&p->stack, f->stack) &&
           slice_equal(p->type, f->type) && slice_equal(p->given, f->given);
}

static struct slice keep(char **at, struct slice text)
{
    struct slice kept = {*at, text.size};
    slice_copy(*at, text);
    *at += text.size;
    return kept;
}

static struct pattern keep_pattern(char **at, const struct pattern *from)
{
    struct pattern kept = *from;
    kept.text = keep(at, from->text);
    return kept;
}

static void remember(struct fault_memo_place *p, const struct fault *f)
{
    bool counts[FAULT_MEMO_BYTES_MAX] = {false};
    struct fault_use use = {.counts = counts};
    struct alike alike;
    char *at = p->bytes;
    p->fingerprint = fingerprint_of_noting(f, &use);
    p->type = keep(&at, f->type);
    p->given = keep(&at, f->given);
    (void)fingerprint_alike(f, &alike);
    p->message = keep_pattern(&at, &alike.pattern);
    (void)fingerprint_alike_stack(f->stack, &use, &alike);
    p->stack = keep_pattern(&at, &alike.pattern);
}

static uint32_t oldest(const struct fault_memo *m)
{
    uint32_t ret = 0;
    for (uint32_t i = 1; i < FAULT_MEMO_PLACES; i++)
        ret = m->places[i].asked < m->places[ret].asked ? i : ret;
    return ret;
}

static uint64_t found(struct fault_memo *m, uint32_t place)
{
    m->last = place;
    m->places[place].asked = ++m->asked;
    return m->places[place].fingerprint;
}

uint64_t fault_memo_fingerprint(struct fault_memo *m, const struct fault *f)
{
    if (f->type.size + f->message.size + f->stack.size + f->given.size > FAULT_MEMO_BYTES_MAX)
        return fingerprint_of(f);
    uint64_t key = key_of(f);
    if (m->keys[m->last] == key && fits(&m->places[m->last], f)) /* most of a flood is one fault */
        return found(m, m->last);
    for (uint32_t i = 0; i < FAULT_MEMO_PLACES; i++) {
        if (m->keys[i] == key && fits(&m->places[i], f))
            return found(m, i);
    }
    uint32_t place = oldest(m);
    remember(&m->places[place], f);
    m->keys[place] = key;
    return found(m, place);
}
