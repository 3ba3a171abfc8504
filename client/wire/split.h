/* split: a key in parts. See split.c. */
#ifndef SHUNT_CLIENT_WIRE_SPLIT_H
#define SHUNT_CLIENT_WIRE_SPLIT_H

#include "base/slice.h"

struct message_view;

/* Of a message whose key is a part: in how many its key was split, in decimal digits. */
#define SPLIT_HEADER "shunt-split"

/* The key without its part, if the message was published with one; its key otherwise. It points into the message. */
struct slice split_base_key(const struct message_view *m);

#endif
