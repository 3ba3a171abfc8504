/* command: what changes durable state, as data.
 *
 * Requests become commands, commands are gathered into a batch with a time stamp, and the ledger applies the
 * batch. A batch can be written as bytes and read back (batch_encode, batch_decode), so that a log of batches
 * is a full account of a ledger: applied to an empty store it gives the same state, byte for byte.
 *
 * The commands and their records are listed in command.def, from which the structs below are made;
 * docs/commands.md shows them.
 *
 * Ownership: slices and arrays in a command are lent by its maker until the batch has been applied.
 */
#ifndef SHUNT_CORE_COMMAND_H
#define SHUNT_CORE_COMMAND_H

#include "broker/core/dispatcher.h"
#include "proto/limits.h"
#include "proto/mpack.h"
#include "proto/policy.h"
#include "proto/words.h"

/* How full the store is, by the engine's marks (engine/room.h). What that changes is decided by this alone,
 * never by a look at the store: who applies the batch elsewhere does the same. */
enum fullness {
    STORE_HAS_ROOM = 0,
    STORE_FULL = 1,  /* publishes are refused (by publish_command.refusal) */
    STORE_SHORT = 2, /* new rows of the attempt ledger carry no stack */
    STORE_HELD = 3,  /* nothing expires into a dead-letter queue, messages of errors are cut, and what charges
                        nothing leaves no row; no hand-outs come */
    STORE_LAST = 4,  /* redrives wait, too: only what makes room goes on, and the ends of what is in flight */
    STORE_FULLNESSES
};

/* The end of a connection ends all that it held, which may be more than one frame resolves. */
#define RESOLUTIONS_MAX    (FRAME_MESSAGES_MAX * 16)
#define BATCH_COMMANDS_MAX (1u << 16)
#define DELAY_BACKOFF      (-1) /* resolution.delay_ms */

/* Whether a command that sets something by its name makes it, or finds it. */
enum presence {
    PRESENCE_ANY = 0,     /* made if it is not there */
    PRESENCE_MISSING = 1, /* it is new: refused if it is there */
    PRESENCE_THERE = 2,   /* it is changed: NOT_FOUND if it is not there */
    PRESENCES
};

/* What a USER_SET changes: bits of user_command.given. */
enum user_field {
    USER_PASSWORD = 1u << 0,
    USER_CERTIFICATES = 1u << 1,
    USER_ROLES = 1u << 2,
    USER_GRANTS = 1u << 3,
    USER_DISABLED = 1u << 4,
    USER_FIELDS_ALL = (1u << 5) - 1,
};

/* What the kinds of fields in command.def are in C. */
#define KIND_flag          bool
#define KIND_u32           uint32_t
#define KIND_u64           uint64_t
#define KIND_i64           int64_t
#define KIND_code          int /* 0 or an error of proto/errors.def */
#define KIND_bytes         struct slice
#define KIND_change        struct policy_change
#define KIND_delivery_name struct delivery_name
#define KIND_consumer_name struct consumer_name
#define KIND_resolution    struct resolution
#define KIND_actor         struct actor
#define KIND_letter_filter struct letter_filter
#define KIND_grant         struct grant

/* clang-format off */ /* which takes a brace and its semicolon apart */
#define PART(name, text)                struct name {
#define RECORD(name, member, text)      struct name {
#define FIELD(kind, name, text)             KIND_##kind name;
#define HINT(kind, name, text)              KIND_##kind name;
#define CHOICE(type, name, count, text)     type name;
#define LIST(kind, name, count, max, text)  const KIND_##kind *name; uint32_t count;
#define PART_END                        };
#define END                             };
/* clang-format on */
#include "broker/core/command.def"

enum command_kind {
#define COMMAND(NAME, number, member, apply, least, text) COMMAND_##NAME = number,
#include "broker/core/command.def"
};

struct command {
    enum command_kind kind;
    const struct actor *by; /* NULL: no operator asked for it, and the audit log has nothing of it */
    union {
#define RECORD(name, member, text) struct name member;
#include "broker/core/command.def"
    };
};

/* "TOPIC_CREATE". Static storage; "UNKNOWN" for a kind not in the table. */
const char *command_name(enum command_kind kind);
/* What a command speaks of. Lent as the command's own. */
struct command_names {
    struct slice topic, group; /* empty: it names none */
    uint64_t job;              /* 0: none */
};
struct command_names command_names(const struct command *c);

struct batch {
    uint64_t index;  /* one higher than the batch before it */
    int64_t time_ms; /* wall; later than that of the batch before it */
    const struct command *commands;
    size_t count;
    struct batch_room room;
};

/* Append the batch's bytes to `to`. fails: NO_MEMORY */
int batch_encode(struct mpack_buffer *to, const struct batch *b);

/* Memory that a decoded batch lives in; freed as one. */
struct batch_memory;
/* Read one batch back. `*ret` points into `bytes` and into `*ret_memory`. fails: CORRUPT, NO_MEMORY */
int batch_decode(struct slice bytes, struct batch *ret, struct batch_memory **ret_memory);
void batch_memory_free(struct batch_memory *m); /* takes NULL */

#endif
