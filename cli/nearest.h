/* nearest: the word somebody may have meant. */
#ifndef SHUNT_CLI_NEAREST_H
#define SHUNT_CLI_NEAREST_H

/* How many letters to put in, take out, change or swap with their neighbour to make `b` of `a`. */
unsigned nearest_distance(const char *a, const char *b);

/* Keeps the best of the words offered; begin with {.word = what was typed}. */
struct nearest {
    const char *word;
    const char *best; /* NULL: nothing is near enough to be worth a hint */
    unsigned distance;
};
void nearest_offer(struct nearest *n, const char *candidate);

#endif
