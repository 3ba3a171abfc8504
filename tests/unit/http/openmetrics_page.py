"""The page as OpenMetrics is valid and says what the plain one says: openmetrics_page.py PROGRAM, which prints either."""
import re
import subprocess
import sys
import unittest

import openmetrics

PLAIN_ABOUT = re.compile(r"# (HELP|TYPE) (\w+) .+")


def page(kind):
    return subprocess.run([PROGRAM, kind], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()


def witness(text):
    """The same by the parser of Debian's python3-prometheus-client, where that is installed; else None."""
    try:
        from prometheus_client.openmetrics import parser
    except ImportError:
        return None
    return list(parser.text_string_to_metric_families(text))


class Page(unittest.TestCase):
    def setUp(self):
        self.open, self.plain = page("openmetrics"), page("plain")
        self.families = openmetrics.parse(self.open)

    def test_it_says_what_the_plain_page_says(self):
        said = {}
        for family in self.families.values():
            for (suffix, labels), value in family.samples.items():
                bounded = frozenset((name, text.removesuffix(".0") if name == "le" else text) for name, text in labels)
                said[(family.name + suffix, bounded)] = value
        plain = {}
        for line in self.plain.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = openmetrics.SAMPLE.fullmatch(line).groups()
            key = name, frozenset(openmetrics.parse_labels(labels or "").items())
            self.assertNotIn(key, plain)
            plain[key] = float(value)
        self.assertGreater(len(plain), 200)
        self.assertEqual(said, plain)

    def test_the_plain_page_has_nothing_of_openmetrics(self):
        about = [line for line in self.plain.splitlines() if line.startswith("#")]
        for line in about:
            self.assertRegex(line, PLAIN_ABOUT)
        types = dict(line.split()[2:] for line in about if line.startswith("# TYPE "))
        self.assertEqual(types["shunt_published_total"], "counter")
        self.assertEqual(types["shunt_build_info"], "gauge")
        self.assertTrue(all(name.endswith("_total") for name, kind in types.items() if kind == "counter"), types)
        self.assertIn('shunt_commit_seconds_bucket{le="1"}', self.plain)

    def test_types_and_units(self):
        kind = {name: (family.type, family.unit) for name, family in self.families.items()}
        self.assertEqual(kind["shunt_published"], ("counter", None))
        self.assertEqual(kind["shunt_build"], ("info", None))
        self.assertEqual(kind["shunt_commit_seconds"], ("histogram", "seconds"))
        self.assertEqual(kind["shunt_commit_messages"], ("histogram", None))
        self.assertEqual(kind["shunt_store_bytes"], ("gauge", "bytes"))
        self.assertEqual(kind["process_cpu_seconds"], ("counter", "seconds"))
        self.assertEqual(kind["shunt_up"], ("gauge", None))

    def test_a_second_parser_reads_the_same(self):
        seen = witness(self.open)
        if seen is None:
            self.skipTest("prometheus_client is not installed (Debian package python3-prometheus-client)")
        self.assertEqual([(f.name, f.type, f.unit) for f in seen],
                         [(f.name, f.type, f.unit or "") for f in self.families.values()])
        self.assertEqual([len(f.samples) for f in seen], [len(f.samples) for f in self.families.values()])


class Parser(unittest.TestCase):
    """It refuses what is wrong, or the tests above would show nothing."""

    GOOD = ('# HELP a_seconds One.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{x="1",y="\\"\\\\"} 1.5\n'
            'a_seconds_total{x="2"} 0\n# TYPE b histogram\nb_bucket{le="1.0"} 1\nb_bucket{le="+Inf"} 2\nb_sum 7\nb_count 2\n'
            "# TYPE c info\nc_info{v=\"1\"} 1\n# EOF\n")
    BAD = {
        "no end": ("# EOF\n", ""),
        "something behind the end": ("# EOF\n", "# EOF\n# EOF\n"),
        "an empty line": ("# TYPE b", "\n# TYPE b"),
        "a carriage return": ("b_sum 7\n", "b_sum 7\r\n"),
        "a counter's family with _total": ("# TYPE a_seconds counter", "# TYPE a_seconds_total counter"),
        "a counter's sample without _total": ("a_seconds_total{x=\"2\"}", "a_seconds{x=\"2\"}"),
        "a unit that is not in the name": ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        "a type that is none": ("histogram", "bars"),
        "metadata behind samples": ("# TYPE b", "# UNIT a_seconds seconds\n# TYPE b"),
        "a series twice": ('{x="2"}', '{y="\\"\\\\",x="1"}'),
        "a family in two places": ("# EOF", '# TYPE a_seconds counter\n# EOF'),
        "two families with one sample name": ("# EOF", "# TYPE b_count gauge\nb_count 1\n# EOF"),
        "a bound that is an integer": ('le="1.0"', 'le="1"'),
        "buckets that fall": ('le="1.0"} 1', 'le="1.0"} 3'),
        "a count that is not the last bucket": ("b_count 2", "b_count 3"),
        "no last bucket": ('b_bucket{le="+Inf"} 2\n', ""),
        "a negative counter": ('{x="2"} 0', '{x="2"} -1'),
        "a counter without a number": ('{x="2"} 0', '{x="2"} NaN'),
        "an info of 2": ('c_info{v="1"} 1', 'c_info{v="1"} 2'),
        "a quote in a value": ('x="2"', 'x="2""'),
        "a comma at the end": ('{x="2"}', '{x="2",}'),
        "a label twice": ('{x="2"}', '{x="2",x="2"}'),
        "two blanks": ("b_sum 7", "b_sum  7"),
        "a sample before its type": ("# TYPE c info\n", "# HELP c Three.\n"),
    }

    def test_it_takes_what_is_right(self):
        self.assertEqual(list(openmetrics.parse(self.GOOD)), ["a_seconds", "b", "c"])

    def test_it_refuses_what_is_wrong(self):
        for name, (old, new) in self.BAD.items():
            with self.subTest(name):
                self.assertEqual(self.GOOD.count(old), 1)
                with self.assertRaises(openmetrics.Wrong):
                    openmetrics.parse(self.GOOD.replace(old, new))


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
