/* fake_engine: stands in for the engine: engine_snapshot() and snapshot_free() as the http module needs them.
 * A test says what the next answers are, or closes a gate behind which a question waits until the test opens
 * it. */
#ifndef SHUNT_TESTS_FAKE_ENGINE_H
#define SHUNT_TESTS_FAKE_ENGINE_H

#include "broker/engine/snapshot.h"

/* All under the fake's own lock. */
void fake_answer(int err);        /* from now on; 0 answers with fake_snapshot() */
void fake_gate(bool closed);      /* while closed, questions wait */
void fake_wait_until_asked(void); /* until a question stands at the gate */
unsigned fake_questions(void);    /* asked so far */
unsigned fake_commits(void);      /* of these, how many wanted a commit */
unsigned fake_topics_max(void);   /* of the latest question */
unsigned fake_together_max(void); /* most questions under way at once */

/* A snapshot with `rows` groups of plausible numbers; the caller frees it with snapshot_free(). */
struct snapshot *fake_snapshot(size_t rows, bool rest);

#endif
