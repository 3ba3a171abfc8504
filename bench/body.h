/* body: what the messages of a load hold: when they were meant to be sent (or to come due), and whether they
 * are poison. The rest is filler. */
#ifndef SHUNT_BENCH_BODY_H
#define SHUNT_BENCH_BODY_H

#include <stdint.h>
#include <string.h>

struct body_head {
    uint64_t intended_ns;
    uint64_t poison;
};

static inline void body_write(void *body, uint64_t intended_ns, uint64_t poison)
{
    struct body_head head = {intended_ns, poison};
    memcpy(body, &head, sizeof head);
}

static inline struct body_head body_read(const void *body)
{
    struct body_head head;
    memcpy(&head, body, sizeof head);
    return head;
}

#endif
