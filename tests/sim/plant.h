/* plant: bugs that the rig must find. None is in the broker: after a crash, the disk is brought into the
 * state that a broker with that bug would have left behind, by applying the record of batches through a
 * filter.
 */
#ifndef SHUNT_TESTS_SIM_PLANT_H
#define SHUNT_TESTS_SIM_PLANT_H

#include <stdbool.h>
#include <stdint.h>

enum plant {
    PLANT_NONE,
    PLANT_CONFIRM_EARLY, /* answers go out before the commit: the last commit is lost */
    PLANT_SPLIT_DIVERT,  /* leaving the group and entering the DLQ are two transactions: the second is lost */
    PLANT_VOLATILE_COUNT, /* attempts are kept in memory only */
    PLANT_LOST_ACK,       /* acks are not made durable */
    PLANT_NO_CHECKSUM,    /* a damaged message looks like a good one */
    PLANTS
};

struct sim;

/* By its name; PLANTS if there is none such. */
enum plant plant_find(const char *name);
const char *plant_name(enum plant plant);
/* After a crash: leave the disk as that bug would have left it. */
void plant_crash(struct sim *s);

#endif
