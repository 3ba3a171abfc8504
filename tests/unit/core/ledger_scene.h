/* ledger_scene: a ledger in the middle of its work, with messages in every state that there is and a job that
 * goes on; and a command of each kind that has something to do there.
 */
#ifndef SHUNT_TESTS_LEDGER_SCENE_H
#define SHUNT_TESTS_LEDGER_SCENE_H

#include "tests/unit/core/ledger_fixture.h"

/* A fixture whose tap is not set. */
void scene_init(struct fixture *f);

/* At least one of each kind. Each changes something. */
struct scene_doing {
    enum command_kind kind;
    void (*run)(struct fixture *f);
};
extern const struct scene_doing scene_doings[];
extern const size_t scene_doings_count;

/* Ways to look at it, through any ledger that holds the scene. */
typedef int scene_view_fn(const struct view *v, struct mpack_buffer *to);
extern scene_view_fn *const scene_views[];
extern const size_t scene_views_count;

#endif
