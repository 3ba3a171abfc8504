/* share: what work counts, in rows looked at (about 0.2 us each). */
#ifndef SHUNT_ENGINE_SHARE_H
#define SHUNT_ENGINE_SHARE_H

#define ROWS_OF_REQUEST 4   /* any, with its answer */
#define ROWS_BYTES      256 /* so many bytes that are checked and copied count as a row */
#define ROWS_OF_MESSAGE 2   /* published, or resolved with an ack */
#define ROWS_OF_TIMED   16  /* more, with a delay or a time to live; the ledger counts other groups */
#define ROWS_OF_ERROR   16  /* more, for an answer with a text */
#define ROWS_OF_FAILURE 24  /* more, for a nack or reject, which writes history */

/* A connection that has used no more than this is served in a full turn, too. */
#define SHARE_FREE_ROWS 64

#endif
