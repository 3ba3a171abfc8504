"""The Python codec on its own: the byte forms of the msgpack specification, and every value back as itself."""

import math
import unittest

import packing
from packing import PackingError, Raw, decode, encode

FORMS = [
    (0, "00"),
    (127, "7f"),
    (128, "cc80"),
    (255, "ccff"),
    (256, "cd0100"),
    (65535, "cdffff"),
    (65536, "ce00010000"),
    (2**32 - 1, "ceffffffff"),
    (2**32, "cf0000000100000000"),
    (2**64 - 1, "cfffffffffffffffff"),
    (-1, "ff"),
    (-32, "e0"),
    (-33, "d0df"),
    (-128, "d080"),
    (-129, "d1ff7f"),
    (-32768, "d18000"),
    (-32769, "d2ffff7fff"),
    (-(2**31), "d280000000"),
    (-(2**31) - 1, "d3ffffffff7fffffff"),
    (-(2**63), "d38000000000000000"),
    (None, "c0"),
    (False, "c2"),
    (True, "c3"),
    (1.5, "cb3ff8000000000000"),
    ("", "a0"),
    ("caf\u00e9", "a5636166c3a9"),
    (b"", "c400"),
    (b"ab", "c4026162"),
    ([], "90"),
    ([1, [2]], "92019102"),
    ({}, "80"),
    ({"k": b"v"}, "81a16bc40176"),
]

SIZES = [0, 15, 16, 31, 32, 255, 256, 65535, 65536]


class Packing(unittest.TestCase):
    def test_values_have_the_forms_of_the_specification(self):
        for value, form in FORMS:
            with self.subTest(value=value):
                self.assertEqual(encode(value).hex(), form)
                back = decode(bytes.fromhex(form))
                self.assertEqual((back, type(back)), (value, type(value)))

    def test_lengths_change_their_form_where_they_must(self):
        for size in SIZES:
            for value in ("x" * size, b"x" * size, [None] * size, {str(i): i for i in range(size)}):
                with self.subTest(size=size, type=type(value)):
                    self.assertEqual(decode(encode(value)), value)
        heads = [encode("x" * size)[0] for size in SIZES]
        self.assertEqual(heads, [0xA0, 0xAF, 0xB0, 0xBF, 0xD9, 0xD9, 0xDA, 0xDA, 0xDB])
        heads = [encode(b"x" * size)[0] for size in SIZES]
        self.assertEqual(heads, [0xC4] * 6 + [0xC5, 0xC5, 0xC6])
        heads = [encode([0] * size)[0] for size in SIZES]
        self.assertEqual(heads, [0x90, 0x9F] + [0xDC] * 6 + [0xDD])

    def test_longer_forms_than_needed_are_read(self):
        for form, value in (
            ("cf0000000000000001", 1),
            ("d30000000000000001", 1),
            ("db0000000161", "a"),
            ("c60000000161", b"a"),
            ("dd00000001c0", [None]),
            ("df00000001a161c0", {"a": None}),
            ("ca3fc00000", 1.5),
        ):
            self.assertEqual(decode(bytes.fromhex(form)), value)

    def test_every_prefix_is_refused(self):
        whole = encode([1, -300, "text" * 10, b"bytes", {"k": [None, 1.5, 2**40]}])
        for size in range(len(whole)):
            with self.assertRaises(PackingError, msg=f"{size} bytes"):
                decode(whole[:size])

    def test_what_is_no_value_is_refused(self):
        for form in ("c1", "d40178", "c7010178", "0102", "dd000000c8", "8190c0", "8101c0", "91" * 9 + "c0", ""):
            with self.assertRaises(PackingError, msg=form):
                decode(bytes.fromhex(form))
        for value in (2**64, -(2**63) - 1, object()):
            with self.assertRaises(PackingError):
                encode(value)

    def test_bytes_that_are_no_text_survive_as_text(self):
        self.assertEqual(encode(decode(b"\xa2\xff\xfe")), b"\xa2\xff\xfe")

    def test_raw_bytes_pass_as_they_are(self):
        self.assertEqual(encode([1, Raw(b"\xc1")]), b"\x92\x01\xc1")

    def test_nan_and_infinity_are_numbers(self):
        self.assertTrue(math.isnan(decode(encode(math.nan))))
        self.assertEqual(decode(encode(math.inf)), math.inf)
        self.assertTrue(packing.encode(True) != packing.encode(1))


if __name__ == "__main__":
    unittest.main()
