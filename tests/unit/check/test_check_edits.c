/* check_edits: damage to edits of dead letters is found and named. */
#include "broker/core/schema_edit.h"
#include "tests/unit/check/check_bench.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct fixture f;

#define LETTER 4 /* orders/default, which is dead as letter 1 */

static void plant_edit(void)
{
    edit(&f, "orders", "default", "orders/4", 0, "mended");
    cr_assert_eq(f.err, 0);
}
DAMAGE(note_unreadable)
{
    plant_edit();
    flip(&f, TABLE_EDIT, key_history(DEFAULT, LETTER, EDIT_ROW_NOTE));
}
DAMAGE(message_unreadable)
{
    plant_edit();
    flip(&f, TABLE_EDIT, key_history(DEFAULT, LETTER, EDIT_ROW_MESSAGE));
}
DAMAGE(note_lost)
{
    plant_edit();
    uproot(&f, TABLE_EDIT, key_history(DEFAULT, LETTER, EDIT_ROW_NOTE));
}
DAMAGE(message_lost)
{
    plant_edit();
    uproot(&f, TABLE_EDIT, key_history(DEFAULT, LETTER, EDIT_ROW_MESSAGE));
}
DAMAGE(edit_of_no_group)
{
    plant_empty(&f, TABLE_EDIT, key_history(77, 1, EDIT_ROW_NOTE));
}
DAMAGE(edit_with_a_third_row)
{
    plant_empty(&f, TABLE_EDIT, key_history(DEFAULT, LETTER, 2));
}

static void plant_note(uint64_t seq, uint64_t number)
{
    static uint8_t bytes[RECORD_BYTES_MAX];
    const struct edit_record r = {.number = number};
    struct key key = key_history(DEFAULT, seq, EDIT_ROW_NOTE);
    plant(&f, TABLE_EDIT, key, bytes, edit_encode(bytes, key_slice(&key), &r));
}
DAMAGE(edit_of_what_was_not)
{
    plant_note(2, 1); /* which has a row */
    plant_note(9, 1); /* and this one has none */
}
DAMAGE(note_of_another_edit)
{
    plant_edit();
    plant_note(LETTER, 70);
}
DAMAGE(letter_of_another_edit)
{
    struct attempt_record row = attempt_at(&f, DEFAULT, LETTER);
    plant_edit();
    row.edit = 71;
    plant_attempt(&f, DEFAULT, LETTER, &row);
    plant_note(LETTER, 71);
}

static const struct damage damages[] = {
    CASE(note_unreadable, "checksum: orders/default: message 4: who edited it\n"),
    CASE(message_unreadable, "checksum: orders/default: message 4: the edited message\n"),
    CASE(note_lost, "missing: orders/default: message 4 was edited, and who did is not there\n"),
    CASE(message_lost, "missing: orders/default: message 4 was edited, and what it became is not there\n"),
    CASE(edit_of_no_group, "orphan: edit 77/1: its group is not there\n"),
    CASE(edit_with_a_third_row, "orphan: edit: a row with a key of 16 bytes that no edit has\n"),
    CASE(edit_of_what_was_not, "orphan: orders/default: an edit of message 2, which was not edited\n"
                               "orphan: orders/default: an edit of message 9, which was not edited\n"),
    CASE(note_of_another_edit, "state: orders/default: message 4 has edit 1, and its note is of edit 70\n"),
    CASE(letter_of_another_edit, "state: orders/default: message 4 has edit 71, and its letter edit 1\n"),
};

ParameterizedTestParameters(check_edits, damage_is_reported_as_what_it_is)
{
    static size_t rows[sizeof damages / sizeof damages[0]];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = i;
    return cr_make_param_array(size_t, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(size_t *row, check_edits, damage_is_reported_as_what_it_is)
{
    bench_expect_damage(&f, &damages[*row]);
}
