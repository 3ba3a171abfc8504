/* causes: of dead letters. Each names its group, has an example, and counts the letters that name it. */
#include "base/array.h"
#include "base/search.h"
#include "broker/check/checker.h"

#include <inttypes.h>

static int order(const void *element, const void *key)
{
    uint64_t have = ((const struct checked_cause *)element)->fingerprint, want = *(const uint64_t *)key;
    return (have > want) - (have < want);
}

struct checked_cause *checked_cause_of(const struct checked_group *g, uint64_t fingerprint)
{
    size_t at = search_first(g->causes, g->cause_count, sizeof *g->causes, &fingerprint, order);
    return at < g->cause_count && g->causes[at].fingerprint == fingerprint ? &g->causes[at] : NULL;
}

static int add(struct checked_group *g, uint64_t fingerprint)
{
    if (!array_room(&g->causes, &g->cause_room, g->cause_count + 1))
        return SHUNT_NO_MEMORY;
    g->causes[g->cause_count++] = (struct checked_cause){.fingerprint = fingerprint}; /* they come in order */
    return 0;
}

static void example_row(struct checker *c, struct checked_group *g, uint64_t fingerprint, struct slice key,
                        struct slice value)
{
    struct checked_cause *of = checked_cause_of(g, fingerprint);
    struct history_record example;
    struct name name = group_name(g);
    if (of)
        of->has_example = true;
    else
        problem(c, PROBLEM_ORPHAN, "%s: example of cause %016" PRIx64, name.text, fingerprint);
    if (example_decode(key, value, &example))
        problem(c, PROBLEM_CHECKSUM, "%s: example of cause %016" PRIx64, name.text, fingerprint);
}

static int cause_row(struct checker *c, struct slice key, struct slice value)
{
    uint32_t id, row = 0;
    uint64_t fingerprint;
    struct cause_record r;
    bool is_example = key_read_history(key, &id, &fingerprint, &row);
    if (!is_example && !key_read_id_seq(key, &id, &fingerprint)) {
        problem(c, PROBLEM_ORPHAN, "cause: a row with a malformed key of %zu bytes", key.size);
        return 0;
    }
    struct checked_group *g = group_of(c, id);
    if (!g) {
        problem(c, PROBLEM_ORPHAN, "cause %" PRIu32 "/%016" PRIx64 ": its group is not there", id,
                fingerprint);
        return 0;
    }
    if (is_example) {
        example_row(c, g, fingerprint, key, value);
        return 0;
    }
    int err = add(g, fingerprint);
    if (err)
        return err;
    struct checked_cause *of = &g->causes[g->cause_count - 1];
    of->readable = !cause_decode(key, value, &r);
    if (!of->readable) {
        problem(c, PROBLEM_CHECKSUM, "%s: cause %016" PRIx64, group_name(g).text, fingerprint);
        return 0;
    }
    of->dead = r.dead;
    of->unattended = r.unattended;
    of->attended_below = r.attended_below;
    of->muted = r.state == CAUSE_MUTED;
    g->unattended_old |= r.unattended_old;
    return 0;
}

int check_causes(struct checker *c)
{
    return scan(c, TABLE_CAUSE, cause_row);
}
