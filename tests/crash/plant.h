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
    PLANT_EARLY_PLACE,
    PLANT_EARLY_RELEASE,
    PLANT_EARLY_DROP,
    PLANT_SHORT_REPLAY,
    PLANT_BLIND_END,
    PLANT_BARE_HEAD,
    PLANT_TRUSTING_START,
    PLANTS
};

/* By the environment; ends the process if there is none of that name. */
enum plant planted(void);

/* Make a journal smaller than the settings allow, if the environment says so. */
struct store_journal_options;
void plant_journal_size(struct store_journal_options *o);

#endif
