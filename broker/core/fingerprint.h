/* fingerprint: the number of a fault, so that dead letters of one fault are one cause.
 *
 * Pure: no clock, no locale, no memory; one pass over texts of bounded size, which may hold any bytes. Equal for
 * one fault, whatever values, addresses, paths and line numbers its reports name. docs/causes.md says what
 * goes in.
 */
#ifndef SHUNT_CORE_FINGERPRINT_H
#define SHUNT_CORE_FINGERPRINT_H

#include "base/slice.h"
#include "proto/words.h"

/* Fingerprints are durable: whatever changes one raises this. */
#define FINGERPRINT_VERSION 1

/* What is known of a death. The error's texts may be as the consumer sent them or as the attempt ledger keeps
 * them: what that cuts and cleans is cut and cleaned here, too. */
struct fault {
    enum dead_reason reason;
    enum attempt_outcome outcome;      /* of the last attempt: counts if it brought no error */
    struct slice type, message, stack; /* of the error; each may be empty */
    struct slice given;                /* the consumer's own word for the fault; empty: none */
};

/* Never 0. */
uint64_t fingerprint_of(const struct fault *f);

/* What of a stack a fingerprint was made from, if the stack was not cut: for who wants to know which others come to the same. */
struct fault_use {
    /* the caller's, false for each byte of the stack: true if it names the function or file of a frame */
    bool *counts;
    size_t headline,
        headline_bytes; /* where the stack tells the error that counts, with its type first; empty: nowhere */
    size_t type_bytes;
};
uint64_t fingerprint_of_noting(const struct fault *f, struct fault_use *use);

/* A name for the cause that people can read, on one line of valid UTF-8:
 * `ValueError: invalid literal for int() with base # at charge (pay.py)`. Writes at most `max` bytes, no
 * terminator, and returns how many. */
#define FINGERPRINT_TITLE_BYTES 200 /* longer ones are of little use in a list */
size_t fingerprint_title(const struct fault *f, char *to, size_t max);

/* As people see it: 16 hexadecimal digits, in small letters, and a terminator. */
#define FINGERPRINT_DIGITS 16
void fingerprint_write(char to[FINGERPRINT_DIGITS + 1], uint64_t fingerprint);
/* False if `text` is no fingerprint; capital letters are taken, too. */
bool fingerprint_read(struct slice text, uint64_t *ret);

#endif
