/* Random appends, releases, extensions, failures and power cuts against what was confirmed: nothing confirmed is lost, nothing is invented,
 * and what is handed out is in order. A seed is a run; SHUNT_JOURNAL_SEEDS runs. Then the same with bugs, which must be noticed. */
#include "tests/sim/dice.h"
#include "tests/unit/journal/rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB   ((uint64_t)1 << 20)
#define BLOCK ((size_t)JOURNAL_BLOCK_BYTES)

enum bug {
    BUG_NONE,
    BUG_FLUSH_LIES,      /* of the file: a flush does nothing */
    BUG_WRITE_OVERRUNS,  /* of the file: a write takes the block behind along */
    BUG_RELEASE_TOO_FAR, /* of the caller: it releases a record more than the store holds */
};

static const struct journal_file_ops *true_ops;

static int flush_lies(struct journal_file *f)
{
    (void)f;
    return 0;
}

static int write_overruns(struct journal_file *f, uint64_t at, const struct iovec *parts, int count)
{
    static uint8_t zeros[JOURNAL_BLOCK_BYTES];
    uint64_t size, end = at;
    for (int i = 0; i < count; i++)
        end += parts[i].iov_len;
    int err = true_ops->size(f, &size);
    if (!err && end < size)
        err = true_ops->write(f, end, &(struct iovec){zeros, sizeof zeros}, 1);
    return err ? err : true_ops->write(f, at, parts, count);
}

/* Mostly small, now and then up to the longest; often a block's end. */
static size_t draw_size(struct dice *d, const struct rig *r)
{
    size_t max = journal_body_bytes_max(r->j);
    size_t size = (size_t)dice_below(d, dice_once_in(d, 8) ? max : 3 * BLOCK);
    if (dice_once_in(d, 4))
        size = (size / BLOCK + 1) * BLOCK - JOURNAL_HEAD_BYTES + (size_t)dice_below(d, 2);
    return size < max ? size : max;
}

static void release(struct rig *r, struct dice *d, enum bug bug)
{
    bool too_far = bug == BUG_RELEASE_TOO_FAR && r->oldest <= r->count;
    uint64_t most = r->count + 1, few = r->oldest + 1 + dice_below(d, 4);
    if (!dice_once_in(d, 16) && few < most)
        most = few; /* so that it is mostly nearly full */
    uint64_t number = dice_from(d, r->oldest + too_far, most);
    rig_release(r, number);
    if (too_far && number <= r->count)
        journal_release(r->j, r->records[number + 1].place);
}

/* Close it or cut the power, and see what is there. False: something is wrong. */
static bool restart(struct rig *r, struct dice *d, const char **ret_what)
{
    rig_close(r);
    if (dice_percent(d, 70))
        journal_memory_crash(r->file, dice_next(d));
    *ret_what = "opening fails";
    if (rig_reopen(r, dice_once_in(d, 4)) != 0 || rig_reopen(r, false) != 0)
        return false;
    *ret_what = "a record is not what was appended";
    if (r->wrong)
        return false;
    *ret_what = "a confirmed record is lost";
    if (r->seen < r->count)
        return false;
    r->count = r->begun = r->seen;
    return true;
}

/* One append that fails, or an extension that does; and then the server ends. */
static void fail_once(struct rig *r, struct dice *d, uint64_t bytes_max)
{
    size_t size = draw_size(d, r);
    uint64_t more = journal_bytes(r->j) + dice_from(d, 1, 64) * BLOCK;
    if (more <= bytes_max && dice_once_in(d, 3)) {
        journal_memory_fail(r->file, dice_below(d, 7), SHUNT_IO);
        (void)journal_extend_file(journal_file_of(r->j), journal_bytes(r->j), more,
                                  true); /* it may be long enough not to fail */
    } else if (journal_has_room(r->j, size)) {
        journal_memory_fail(r->file, dice_below(d, 2), SHUNT_IO);
        (void)rig_append(r, size); /* the server ends whatever it says */
    }
    journal_memory_fail(r->file, 0, 0);
}

/* What is wrong; NULL if nothing is. */
static const char *run(uint64_t seed, enum bug bug)
{
    struct dice d = {seed};
    uint64_t bytes_max = 3 * MIB;
    struct rig *r = rig_new(MIB + dice_below(&d, 9) * BLOCK, bytes_max);
    true_ops = r->file->ops;
    struct journal_file_ops ops = *true_ops;
    if (bug == BUG_FLUSH_LIES)
        ops.flush = flush_lies;
    if (bug == BUG_WRITE_OVERRUNS)
        ops.write = write_overruns;
    r->file->ops = &ops;
    const char *what = NULL;
    bool well = true;
    for (int step = 0; well && step < 400; step++) {
        uint64_t kind = dice_below(&d, 100), more = journal_bytes(r->j) + dice_from(&d, 1, 64) * BLOCK;
        size_t size = draw_size(&d, r);
        if (kind < 80 && journal_has_room(r->j, size)) {
            cr_assert_eq(rig_append(r, size), 0);
        } else if (kind < 84) {
            release(r, &d, bug);
        } else if (kind < 85 && more <= bytes_max) {
            cr_assert_eq(journal_extend_file(journal_file_of(r->j), journal_bytes(r->j), more, true), 0);
            if (dice_once_in(&d, 2))
                journal_extended(r->j, more);
            else /* the server ends between the two steps */
                well = restart(r, &d, &what);
        } else {
            if (kind < 92)
                fail_once(r, &d, bytes_max);
            well = restart(r, &d, &what);
        }
    }
    r->file->ops = true_ops;
    rig_done(r);
    return well ? NULL : what;
}

Test(journal_model, nothing_confirmed_is_lost_and_nothing_is_invented)
{
    const char *seeds = getenv("SHUNT_JOURNAL_SEEDS");
    uint64_t most = seeds ? strtoull(seeds, NULL, 10) : 50;
    for (uint64_t seed = 1; seed <= most; seed++) {
        const char *what = run(seed, BUG_NONE);
        cr_assert(!what, "seed %lu: %s", seed, what);
    }
}

Test(journal_model, bugs_are_noticed)
{
    for (enum bug bug = BUG_FLUSH_LIES; bug <= BUG_RELEASE_TOO_FAR; bug++) {
        unsigned noticed = 0;
        for (uint64_t seed = 1; seed <= 20; seed++)
            noticed += run(seed, bug) != NULL;
        cr_expect_geq(noticed, 10, "bug %d was noticed in %u of 20 runs", bug, noticed);
    }
}
