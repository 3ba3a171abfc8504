/* schema_identity: the records of users, roles and tokens (identity.h). */
#ifndef SHUNT_CORE_SCHEMA_IDENTITY_H
#define SHUNT_CORE_SCHEMA_IDENTITY_H

#include "broker/core/schema.h"

/* A pattern of topic names (topic_pattern.h), and what it gives. */
struct grant_record {
    uint32_t rights; /* a mask of 1u << enum right; never 0 */
    char pattern[NAME_BYTES_MAX + 1];
};

struct grants_record {
    uint32_t count;
    struct grant_record all[GRANTS_MAX];
};

/* Texts end with a zero byte, and are cut nowhere. */
struct user_record {
    bool disabled;
    int64_t created_ms;
    uint64_t changed; /* index of the batch that changed it last */
    char name[NAME_BYTES_MAX + 1];
    char
        password[VERIFIER_BYTES_MAX + 1]; /* what one is verified by (proto/verifier.h); empty: it has none */
    uint32_t certificates_count, roles_count;
    char certificates[USER_CERTIFICATES_MAX][CERTIFICATE_NAME_BYTES_MAX + 1];
    char roles[USER_ROLES_MAX][NAME_BYTES_MAX + 1];
    struct grants_record grants;
};

struct role_record {
    int64_t created_ms;
    uint64_t changed;
    char name[NAME_BYTES_MAX + 1];
    struct grants_record grants;
};

struct token_record {
    uint64_t user;                  /* by its number */
    uint8_t hash[TOKEN_HASH_BYTES]; /* SHA-256 of the token's bytes, number and secret */
    int64_t created_ms;
    int64_t expires_ms; /* 0: never */
    char note[TOKEN_NOTE_BYTES_MAX + 1];
};

/* As those of schema.h. */
size_t user_encode(uint8_t *to, struct slice key, const struct user_record *r);
int user_decode(struct slice key, struct slice value, struct user_record *ret);
size_t role_encode(uint8_t *to, struct slice key, const struct role_record *r);
int role_decode(struct slice key, struct slice value, struct role_record *ret);
size_t token_encode(uint8_t *to, struct slice key, const struct token_record *r);
int token_decode(struct slice key, struct slice value, struct token_record *ret);

#endif
