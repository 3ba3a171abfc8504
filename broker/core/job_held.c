/* job_held: redrives that wait for a consumer of another build than those on which the letters died, or of one that is named.
 *
 * Which builds failed is what the causes have counted: the cause that the redrive is about, or all of the group that have
 * letters. The engine tells of a build by BUILD_SEEN when a consumer comes, and when a redrive begins to wait, but only if that
 * matters to one that waits: other consumers cost nothing.
 */
#include "broker/core/cause.h"
#include "broker/core/cause_share.h"
#include "broker/core/job.h"

void job_tell_held(struct ledger *l, const struct job *j)
{
    struct result *held = result_add(l, RESULT_HELD);
    held->held.group = j->r.group;
    held->held.job = j->r.id;
}

/* A build without a name is none. */
static bool is_another(const struct group *g, uint64_t fingerprint, struct slice build)
{
    for (size_t i = 0; i < g->causes_count; i++) {
        const struct cause *c = g->causes[i];
        bool chosen = fingerprint ? c->fingerprint == fingerprint : c->r.dead > 0;
        if (chosen && cause_has_build(&c->r, build))
            return false;
    }
    return build.size > 0;
}

static bool awaits(const struct ledger *l, const struct job *j, uint32_t group, struct slice build)
{
    const struct group *g = j->r.group == group ? catalog_live_group(l, group) : NULL;
    if (!g || j->r.phase != JOB_HELD)
        return false;
    return j->r.build[0] ? slice_is(build, j->r.build) : is_another(g, j->r.filter.cause, build);
}

bool ledger_awaits_build(const struct ledger *l, uint32_t group, uint64_t job, struct slice build)
{
    bool any = false;
    for (size_t i = 0; !any && i < l->jobs_count; i++)
        any = (!job || l->jobs[i]->r.id == job) && awaits(l, l->jobs[i], group, build);
    return any;
}

int apply_build_seen(struct ledger *l, const struct build_command *c)
{
    int err = 0;
    for (size_t i = 0; !err && i < l->kept_count; i++) {
        struct job *j = l->kept[i];
        if (!awaits(l, j, c->group, c->build))
            continue;
        job_enter(l, j, redrive_begins(&j->r));
        redrive_paced(l, &j->r);
        err = job_changed(l, j);
    }
    return err;
}
