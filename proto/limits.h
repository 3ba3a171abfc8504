/* limits: every bound both sides agree on, with its unit. Bounds with a setting name their row in
 * broker/config.def; the others are part of the protocol or the store and change only with a version. */
#ifndef SHUNT_PROTO_LIMITS_H
#define SHUNT_PROTO_LIMITS_H

#define PORT_DEFAULT      7480
#define HTTP_PORT_DEFAULT 7481

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1

/* Names. */
#define NAME_BYTES_MAX        100 /* a topic's or group's own name */
#define DLQ_PREFIX            "dlq:"
#define TOPIC_BYTES_MAX       (4 + NAME_BYTES_MAX + 1 + NAME_BYTES_MAX) /* "dlq:" topic ":" group */
#define CLIENT_NAME_BYTES_MAX 128 /* client name, host, build id: each */
#define AUTH_BYTES_MAX        4096
#define PASSWORD_BYTES_MAX    1024 /* also of a token, as text */

/* Frames. */
#define FRAME_HEADER_BYTES 4
#define FRAME_BYTES_MAX    (20u * 1024 * 1024) /* payload, without the length field */
#define HELLO_BYTES_MAX    (8u * 1024)         /* payload of a connection's first frame */
#define FRAME_DEPTH_MAX    8                   /* nested arrays and maps */
#define MESSAGE_DEPTH_MAX  5                   /* within a message, itself included */
/* messages in one PUBLISH, entries in one RESOLVE or STARTED */
#define FRAME_MESSAGES_MAX 16384

/* Messages. */
#define BODY_BYTES_MAX         (16u * 1024 * 1024) /* hard; the setting max_body_bytes may lower it */
#define BODY_BYTES_DEFAULT     (1024u * 1024)
#define HEADERS_MAX            64
#define HEADER_KEY_BYTES_MAX   256
#define HEADER_VALUE_BYTES_MAX 4096
#define HEADERS_BYTES_MAX      (32u * 1024) /* all headers of one message, as sent */
#define KEY_BYTES_MAX          256
/* all of a message but its body: headers, key, times, fields of a later version */
#define MESSAGE_EXTRA_BYTES_MAX (64u * 1024)
#define MESSAGE_BYTES_MAX       (BODY_BYTES_MAX + MESSAGE_EXTRA_BYTES_MAX)
#define DURATION_MS_MAX         315360000000ll /* ten years: delay, time to live, lease, back-off */

/* Captured errors. Longer ones are cut (the message at its end, the stack at its beginning), never refused. */
#define ERROR_TYPE_BYTES_MAX        128
#define ERROR_MESSAGE_BYTES_MAX     1024
#define ERROR_STACK_BYTES_MAX       (16u * 1024)
#define ERROR_FINGERPRINT_BYTES_MAX 128 /* the consumer's own word for the fault; cut at its end */

/* Attempt ledger of one message: the first row and the newest ones. */
#define HISTORY_ROWS_MAX 16

/* Messages of one group that are done and whose attempts are kept (history-after). It is no setting, because it only
 * bounds what a storm of failures takes of the store: as a tick comes to it, the oldest are forgotten down to PAST_LOW. */
#define PAST_MAX 10000
#define PAST_LOW (PAST_MAX - PAST_MAX / 8)

/* Causes of dead letters, and what is remembered of each. */
#define CAUSES_MAX       200   /* of one group; what dies of more shares one */
#define CAUSES_TOTAL_MAX 20000 /* of all groups together */
/* builds, and hosts, that are counted each by itself: those seen last */
#define CAUSE_SHARES_MAX 8
/* builds that are known to have died of it, though no longer counted */
#define CAUSE_PAST_BUILDS_MAX 56
#define CAUSE_SHARE_BYTES_MAX 64 /* of a build's or host's name there */
#define CAUSE_HOURS           48 /* that are counted each by itself */
#define CAUSE_SAMPLES_MAX     5  /* messages: the first, and the newest */
#define CAUSE_OWNER_BYTES_MAX 64
#define CAUSE_NOTE_BYTES_MAX  512
#define CAUSE_TITLE_BYTES_MAX 200

/* The audit log: what it keeps of an act beside names. Longer reasons are refused, other texts are cut. */
#define AUDIT_REASON_BYTES_MAX 512
#define AUDIT_ASKED_BYTES_MAX  1024 /* the request's fields, as text */
#define AUDIT_PEER_BYTES_MAX   64   /* the address that it came from */

/* Consumers. */
#define CREDIT_MESSAGES_MAX 65536
#define CREDIT_BYTES_MAX    (256u * 1024 * 1024)
#define SUBSCRIPTIONS_MAX   1024 /* on one connection */
/* a lease that is over ends after this at the latest, though its client's bytes lie unread */
#define LEASE_OVERDUE_MS_MAX 60000
#define KEPT_MAX             1024 /* deliveries taken up again in one SUBSCRIBE */

/* Trying again. */
/* a client leaves the server alone no longer, whatever it is asked */
#define RETRY_AFTER_MS_MAX 60000
/* calls of a window that a client may try again without a share */
#define RETRY_RESERVE_MAX   1000
#define RETRY_WINDOW_MS_MIN 1000
#define RETRY_WINDOW_MS_MAX 3600000

/* Pages of a listing. */
#define PAGE_ROWS_MAX     1000
#define PAGE_ROWS_DEFAULT 100
#define PAGE_BYTES_MAX    (4u * 1024 * 1024) /* a page ends after the row that passes this */
#define IDS_MAX           1000               /* dead letters chosen by id in one request */

/* Groups of all topics together: so many for each topic that there may be, and as many as one topic may have. */
#define GROUPS_EACH 2
/* of one topic, hard; the setting max-groups may lower it */
#define TOPIC_GROUPS_MAX 1024

/* Jobs that run at a time. Those without a rate go on as fast as they can; those with one may last for days, and leave room for
 * the others. */
#define JOBS_MAX       2000
#define JOBS_RATED_MAX 1000

/* Which dead letters a listing, a redrive or a purge is about: each text of the filter. */
#define FILTER_TEXT_BYTES_MAX 256
#define CANARY_MAX            1000000
/* letters that a redrive with max_fail, without a canary or a rate, sends first */
#define REDRIVE_ROUND_LEAST 8
/* letters of a redrive with max_fail and without a rate whose outcome is not known */
#define REDRIVE_ROUND_MAX 1000
/* latest outcomes of a redrive, among which no more than max_fail may have failed either */
#define REDRIVE_RECENT 1000
#define SPREAD_MS_MAX  86400000ll /* over which redriven messages come back */

#define BREAKER_WINDOW_MAX 100 /* outcomes that a group's breaker looks at */

/* Rules on the dead letters of a group. */
#define RULES_MAX                32    /* of one group */
#define RULES_TOTAL_MAX          4000  /* of all groups together */
#define RULE_NUMBER_MAX          65535 /* its name and its place */
#define RULE_TIMES_MAX           20    /* that rules bring one message back */
#define RULE_TIMES_DEFAULT       3
#define RULE_WAIT_MS_MAX         86400000ll /* before each of them */
#define RULE_WAIT_MS_DEFAULT     60000ll
#define RULE_WAIT_MAX_MS_DEFAULT 3600000ll

/* Users, roles and tokens. */
#define USERS_MAX             1000
#define ROLES_MAX             256   /* the built-in one not counted */
#define TOKENS_MAX            10000 /* of all users together */
#define USER_TOKENS_MAX       100   /* of one user */
#define GRANTS_MAX            64    /* of one user, or of one role */
#define USER_ROLES_MAX        16
#define USER_CERTIFICATES_MAX 8
/* a name that a client certificate carries, with its kind */
#define CERTIFICATE_NAME_BYTES_MAX 256
#define VERIFIER_BYTES_MAX         256 /* what a password is verified by */
#define TOKEN_NOTE_BYTES_MAX       128
#define TOKEN_SECRET_BYTES         34 /* random ones, behind the token's number */
#define TOKEN_HASH_BYTES           32

/* Idempotent publishing: answers kept for one producer, and for how long after its last publish. */
#define DEDUP_FRAMES_MAX  4096
#define PRODUCER_ID_BYTES 16

_Static_assert(MESSAGE_DEPTH_MAX + 3 == FRAME_DEPTH_MAX, "a DELIVER has three levels around a message");
_Static_assert(KEY_BYTES_MAX + HEADERS_BYTES_MAX + 64 < MESSAGE_EXTRA_BYTES_MAX,
               "what is known of a message stays within it");
/* A DELIVER ends after the message that passes 256 KiB; a dead letter is shown with all its history. */
_Static_assert(MESSAGE_BYTES_MAX + 512 * 1024 < FRAME_BYTES_MAX, "the largest message fits a frame");
_Static_assert(MESSAGE_BYTES_MAX +
                       HISTORY_ROWS_MAX * (ERROR_STACK_BYTES_MAX + ERROR_MESSAGE_BYTES_MAX + 1024) + 65536 <
                   FRAME_BYTES_MAX,
               "the largest dead letter fits a frame");

#endif
