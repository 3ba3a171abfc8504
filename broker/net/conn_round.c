/* conn_round: in one round of the loop no more than NET_ROUND_BYTES_MAX is read of one connection. libuv
 * reads on as long as something comes, so one that sends without end would keep all others from being read.
 */
#include "broker/net/conn.h"

size_t conn_left_in_round(struct conn *c)
{
    if (c->round != c->net->round) {
        c->round = c->net->round;
        c->round_bytes = 0;
    }
    return NET_ROUND_BYTES_MAX - c->round_bytes;
}

/* What more lies in its socket wakes the next round. */
void conn_read_in_round(struct conn *c, size_t size)
{
    if (conn_left_in_round(c) > size) {
        c->round_bytes += size;
        return;
    }
    c->round_bytes = NET_ROUND_BYTES_MAX;
    conn_stop_reading(c);
    c->resting = true;
    c->resting_next = c->net->resting;
    c->net->resting = c;
}

void conn_next_round(struct net *n)
{
    struct conn *c = n->resting;
    n->round++;
    n->resting = NULL;
    while (c) {
        struct conn *next = c->resting_next;
        c->resting = false;
        conn_resume(c);
        c = next;
    }
}

void conn_leave_round(struct conn *c)
{
    struct conn **at = &c->net->resting;
    if (!c->resting)
        return;
    while (*at != c)
        at = &(*at)->resting_next;
    *at = c->resting_next;
}
