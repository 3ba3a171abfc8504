/* export_rows: the part of an export that reads, in a process of its own: where pages are damaged it may end at any place, by a signal too. What
 * it has done, and where it was, is in memory that it shares with the process that goes on after that. Private to export*.c. */
#ifndef SHUNT_BROKER_EXPORT_ROWS_H
#define SHUNT_BROKER_EXPORT_ROWS_H

#include "broker/config.h"
#include "broker/store/store_file.h"

#include <stdbool.h>
#include <stdint.h>

/* What a reader was at when it ended. */
enum export_phase {
    EXPORT_OPEN,      /* opening the store */
    EXPORT_JOURNAL,   /* its journal */
    EXPORT_CATALOGUE, /* the topics and groups */
    EXPORT_SEEK,      /* the first message from `next` on */
    EXPORT_MESSAGE,   /* the message `at` */
    EXPORT_DETAILS,   /* its dead letter */
    EXPORT_WRITE,     /* its line */
    EXPORT_ENDED      /* there is no message from `next` on */
};

struct export_place {
    uint32_t topic;
    uint64_t seq;
};

struct export_progress {
    enum export_phase phase;
    struct export_place next; /* where reading goes on: what is before it has been dealt with */
    struct export_place at;   /* the row being read; not `next` if it lies where it does not belong */
    int err; /* of EXPORT_OPEN, EXPORT_JOURNAL and EXPORT_WRITE, if the reader could tell it; 0: it could not */
    char why[STORE_PATH_BYTES + 1024];
    bool no_journal, no_catalogue; /* they cannot be read: go on without */
    bool no_misplaced;           /* reading rows that lie where they do not belong ends readers: leave them */
    bool misplaced_taken;        /* such rows were taken since `next` last moved */
    bool no_details;             /* dead letters end readers again and again: look at none */
    struct export_place without; /* this message's dead letter cannot be read: write it without */
    bool counted;                /* `stored` is known */
    uint64_t stored;             /* messages, as the topics' own records count them */
    uint64_t exported;           /* lines written */
    uint64_t damaged;            /* messages whose checksum is wrong, or that were not read */
    uint64_t nameless;           /* lines without the name of a topic, because its record cannot be read */
    uint64_t without_details;    /* lines that lack what is known of a dead letter */
    uint64_t done;               /* messages that all groups are done with, of old pages */
    uint64_t dropped;            /* messages of topics that were deleted, and are being removed */
    bool has_journal;
};

struct store_txn;
struct group_record;
/* Whether any of those groups that are of the topic needs the message still. True if none of them is. */
bool export_needed(struct store_txn *txn, const struct group_record *groups, size_t count, uint32_t topic,
                   uint64_t seq);

/* Read from `p->next` on and write a line for each message to `fd`; with `probe`, only find the first row. Ends the process, as damage likes it; with
 * status 0 if it came to the end (or, with `probe`, to a row). */
_Noreturn void export_read(const struct config *config, int fd, bool probe, struct export_progress *p);

#endif
