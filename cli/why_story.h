/* why_story: what the broker knows of a message, in sentences: what happened to it in order of time, why, where it is
 * now, what comes next, and the command to do about it. */
#ifndef SHUNT_CLI_WHY_STORY_H
#define SHUNT_CLI_WHY_STORY_H

struct shunt_value;

/* All groups of the answer. */
void why_story_print(const struct shunt_value *why);

#endif
