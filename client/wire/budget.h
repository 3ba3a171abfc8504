/* budget: how many calls may be tried again. Within a window of time they are at most a share of the calls that were made in
 * it, and a few in reserve, so that a broker that is in trouble gets little more to do than it had before: if each of many
 * clients asked again for each call that failed, their questions alone would keep it down.
 *
 * The window is cut into slots; each call puts its share into the slot of its time, each retry takes one out, and what lies in
 * slots that are older than the window is forgotten.
 */
#ifndef SHUNT_CLIENT_WIRE_BUDGET_H
#define SHUNT_CLIENT_WIRE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_SLOTS 10

struct retry_budget {
    int64_t share;   /* percent of the calls */
    int64_t reserve; /* retries that are there without a call */
    int64_t slot_us;
    int64_t slot; /* the newest: its time divided by slot_us */
    struct {
        int64_t calls, retries;
    } slots[RETRY_SLOTS];
};

/* `share` percent of the calls of a window of `window_ms`, and `reserve`. */
void budget_init(struct retry_budget *b, int64_t share, int64_t reserve, int64_t window_ms);
/* A call was made. */
void budget_call(struct retry_budget *b, int64_t now_us);
/* One is to be tried again: true if it may be, and is counted then. */
bool budget_retry(struct retry_budget *b, int64_t now_us);

#endif
