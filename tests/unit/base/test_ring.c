/* ring: joining, leaving, and the order of both. */
#include "base/ring.h"

#include <criterion/criterion.h>

struct element {
    int number;
    struct ring link;
};

static void expect(struct ring *head, const char *wanted)
{
    char seen[8] = {0};
    size_t count = 0;
    for (struct ring *r = head->next; r != head && count + 1 < sizeof seen; r = r->next)
        seen[count++] = (char)('0' + ring_of(r, struct element, link)->number);
    cr_expect_str_eq(seen, wanted);
    count = 0;
    for (struct ring *r = head->prev; r != head && count + 1 < sizeof seen; r = r->prev)
        seen[count++] = (char)('0' + ring_of(r, struct element, link)->number);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(seen[i], wanted[count - 1 - i], "backwards it is the same list");
}

Test(ring, keeps_the_order_of_joining_and_elements_leave_from_anywhere)
{
    struct ring head;
    struct element e[3];
    ring_init(&head);
    cr_expect(ring_empty(&head));
    for (int i = 0; i < 3; i++) {
        e[i].number = i;
        ring_init(&e[i].link);
        cr_expect_not(ring_linked(&e[i].link));
        ring_append(&head, &e[i].link);
        cr_expect(ring_linked(&e[i].link));
    }
    expect(&head, "012");
    ring_remove(&e[1].link);
    cr_expect_not(ring_linked(&e[1].link));
    expect(&head, "02");
    ring_remove(&e[1].link); /* harmless */
    expect(&head, "02");
    ring_append(&head, &e[1].link);
    expect(&head, "021");
    for (int i = 0; i < 3; i++)
        ring_remove(&e[i].link);
    cr_expect(ring_empty(&head));
}
