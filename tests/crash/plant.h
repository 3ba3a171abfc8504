/* plant: which bug was chosen. */
#ifndef SHUNT_TESTS_CRASH_PLANT_H
#define SHUNT_TESTS_CRASH_PLANT_H

enum plant {
    PLANT_NONE,
    PLANT_CONFIRM_EARLY,
    PLANT_SPLIT_DIVERT,
    PLANT_VOLATILE_COUNT,
    PLANT_LOST_ACK,
    PLANT_NO_CHECKSUM,
    PLANT_NOSYNC,
    PLANT_NOMETASYNC,
    PLANT_SHORT_LEASE,
    PLANT_STALE_ANSWER,
    PLANT_NO_MARKS,
    PLANTS
};

/* By the environment; ends the process if there is none of that name. */
enum plant planted(void);

#endif
