"""The tool on dead letters that are many: what they died of, which is which, what one says, and what is decided about them."""
import json
import subprocess
import unittest

import harness
import wire
from cli_case import FAILED, NOTHING, OK, USAGE, Case, lines_of
from old_server import OldServer
from secure import plain_only

TRACE = 'Traceback (most recent call last):\n  File "/srv/%s.py", line 7, in %s\n    boom()\n'


class Triage(Case):
    def die(self, topic, *errors, group="default", build="b1", host="h1", bodies=None, headers=None, keys=None):
        """A message of the topic dies of each (type, message, stack)."""
        with wire.connect(self.server, client="w", build=build, host=host) as client:
            try:
                client.topic_create(topic, groups=[group])
            except wire.ShuntError as error:
                self.assertEqual(error.name, "TOPIC_EXISTS")
            client.publish(topic, *[wire.Message(bodies[i] if bodies else b"%d" % i, headers and headers[i], keys and keys[i]) for i in range(len(errors))])
            subscription = client.subscribe(topic, group, messages=len(errors))
            held = subscription.take(len(errors))
            subscription.started(*held)
            self.assertEqual(subscription.resolve(*((d.seq, d.token, wire.REJECT, None, *error) for d, error in zip(held, errors))), {})

    def causes(self, *args):
        return self.document("dlq", "causes", *args)

    def origins(self, topic, *args):
        return [row["origin"] for row in self.document("dlq", "list", topic, *args)]


class Causes(Triage):
    def test_a_row_for_each_fault_the_most_pressing_first(self):
        self.die("t", *[("E", f"order {n} is late", TRACE % ("pay", "handle")) for n in (1, 22, 333)], ("E", "order 4 is lost", TRACE % ("pay", "handle")))
        self.die("t", ("E", "order 5 is late", TRACE % ("pay", "handle")), build="b2", host="h2")
        late, lost = self.causes("t")
        self.assertEqual([(c["count"], c["dead"], c["state"], c["unattended"], c["topic"], c["group"]) for c in (late, lost)],
                         [(4, 4, "new", True, "t", "default"), (1, 1, "new", True, "t", "default")])
        self.assertEqual({b["name"]: b["count"] for b in late["builds"]}, {"b1": 3, "b2": 1})
        self.assertEqual({h["name"]: h["count"] for h in late["hosts"]}, {"h1": 3, "h2": 1})
        self.assertEqual((late["samples"], late["owner"], late["note"]), (["t/1", "t/2", "t/3", "t/5"], None, None))
        self.assertRegex(late["first"] + late["last"], r"^(20\d\d-\d\d-\d\dT[\d:.]+Z){2}$")
        head, first, second = self.shunt("dlq", "causes", "t", "-g", "default").stdout.splitlines()
        self.assertEqual(head.split(), ["CAUSE", "STATE", "DEAD", "DEATHS", "FIRST", "LAST", "ATTENDED", "BUILD", "OWNER", "TITLE"])
        cells = first.split()
        self.assertEqual(cells[:5] + cells[6:10], [late["cause"], "new", "4", "4", late["first"]] + ["no", "b2", "+1", "-"])
        self.assertIn("order # is late", first)
        self.assertIn("order # is lost", second)

    def test_without_a_topic_all_queues_that_hold_something(self):
        self.die("few", ("E", "x", ""))
        self.die("many", ("E", "x", ""), ("E", "x", ""), group="g")
        self.die("looked", *[("E", "x", "")] * 3)
        self.die("gone", ("E", "x", ""))
        self.shunt("topic", "create", "healthy")
        self.shunt("dlq", "purge", "gone", "--all", "-y")
        self.shunt("dlq", "cause", "looked", self.causes("looked")[0]["cause"])
        self.assertEqual([(c["topic"], c["group"], c["dead"]) for c in self.causes()], [("many", "g", 2), ("few", "default", 1), ("looked", "default", 3)])
        self.assertEqual([c["topic"] for c in self.causes("-g", "g")], ["many"])
        self.assertEqual(self.shunt("dlq", "causes").stdout.split()[:3], ["TOPIC", "GROUP", "CAUSE"])
        self.assertEqual(self.shunt("dlq", "causes", "many").stdout.split()[:2], ["GROUP", "CAUSE"])
        self.assertEqual([(c["topic"], c["dead"], c["count"]) for c in self.causes("gone")], [("gone", 0, 1)], "its topic was named")
        self.assertEqual([c["topic"] for c in lines_of(self.shunt("dlq", "causes", "-o", "jsonl").stdout)], ["many", "few", "looked"])

    def test_one_cause_with_all_that_is_known(self):
        self.die("t", *[("E", f"order {n} is late", TRACE % ("pay", "handle")) for n in (1, 22)])
        self.die("t", ("E", "order 3 is late", TRACE % ("pay", "handle")), build="", host="")
        [cause] = self.causes("t")
        whole = self.document("dlq", "cause", "t", cause["cause"], "--unattended")
        self.assertEqual({key: whole[key] for key in cause}, cause)
        self.assertEqual((len(whole["hours"]), sum(whole["hours"])), (48, 3))
        self.assertEqual((whole["example"]["error_message"], whole["example"]["error_stack"]), ("order 1 is late", TRACE % ("pay", "handle")))
        shown = self.shunt("dlq", "cause", "t", cause["cause"], "--unattended").stdout
        for line in ("b1 2", "others, or none 1", "h1 2", "t/1", "t/3", "boom()", "deaths 3", "unattended yes", "error message order 1 is late"):
            self.assertIn(line, [" ".join(row.split()[:len(line.split())]) for row in shown.splitlines()], shown)
        self.assertIn("#" * 40, shown)

    def test_the_beginning_of_a_fingerprint_is_enough_if_no_other_has_it(self):
        self.die("t", *[("E", f"no {chr(97 + n) * 3} left", "") for n in range(17)])  # of 17, two begin with the same digit
        prints = [c["cause"] for c in self.causes("t")]
        self.assertEqual(len(set(prints)), 17)
        shared = next(d for d in "0123456789abcdef" if sum(p.startswith(d) for p in prints) > 1)
        said = self.shunt("dlq", "cause", "t", shared, code=USAGE).stderr
        self.assertIn(next(p for p in prints if p.startswith(shared)), said)
        for fingerprint in prints[:3]:
            short = next(fingerprint[:n] for n in range(1, 17) if sum(p.startswith(fingerprint[:n]) for p in prints) == 1)
            for given in (short, short.upper(), fingerprint):
                self.assertEqual(self.document("dlq", "cause", "t", given)["cause"], fingerprint)
                self.assertEqual(len(self.origins("t", "--cause", given)), 1)
        for given in ("", "g", "0x1", "0" * 17):
            self.shunt("dlq", "cause", "t", given, code=USAGE)
            self.shunt("dlq", "list", "t", "--cause", given, code=USAGE)
        missing = next(n for n in map("{:04x}".format, range(1, 1 << 16)) if not any(p.startswith(n) for p in prints))
        self.shunt("dlq", "cause", "t", missing, code=NOTHING)
        self.shunt("dlq", "cause", "t", missing + "0" * 12, code=NOTHING)

    def test_causes_beyond_the_limit_share_one_and_the_numbers_say_so(self):
        word = lambda n: "Fault" + chr(97 + n // 26) + chr(97 + n % 26)  # noqa: E731
        self.die("t", *[(word(n), "m", "") for n in range(200)])
        stats = self.document("stats")
        self.assertEqual((stats["causes"], stats["causes_shared"]), (200, 0))
        self.assertNotIn("beyond the limit", self.shunt("stats").stdout)
        self.die("t", *[(word(n), "m", "") for n in range(200, 203)])
        stats = self.document("stats")
        self.assertEqual((stats["causes"], stats["causes_shared"]), (201, 1))
        self.assertIn("of 1 group: there they share one", self.shunt("stats").stdout)
        shared = next(c for c in self.causes("t") if c["dead"] > 1)
        self.assertEqual((shared["title"], shared["dead"]), ("causes beyond the limit", 3))
        self.assertEqual(self.origins("t", "--cause", shared["cause"]), ["t/201", "t/202", "t/203"])

    def test_what_is_decided_is_noted(self):
        self.die("t", ("E", "x", ""))
        fingerprint = self.causes("t")[0]["cause"]
        decided = self.document("dlq", "cause", "t", fingerprint, "--state", "muted", "--owner", "ann", "--note", "wait for b2")
        self.assertEqual((decided["state"], decided["owner"], decided["note"], decided["unattended"]), ("muted", "ann", "wait for b2", False))
        decided = self.document("dlq", "cause", "t", fingerprint, "--note", "")
        self.assertEqual((decided["state"], decided["owner"], decided["note"]), ("muted", "ann", None))
        self.shunt("dlq", "cause", "t", fingerprint, "--state", "resolved")
        self.die("t", ("E", "x", ""))
        self.assertEqual([(c["state"], c["owner"]) for c in self.causes("t")], [("regressed", "ann")])
        for state in ("regressed", "gone", ""):
            self.shunt("dlq", "cause", "t", fingerprint, "--state", state, code=USAGE)

    def test_who_was_shown_something_has_looked(self):
        self.die("t", ("E", "x", ""), ("E", "x", ""), ("F", "y", ""))
        e, f = (c["cause"] for c in self.causes("t"))
        attended = lambda: [row["attended"] for row in self.document("dlq", "list", "t")]  # noqa: E731
        self.shunt("dlq", "export", "t")
        self.shunt("dlq", "show", "t", "t/1", "--unattended")
        self.shunt("dlq", "cause", "t", e, "--unattended")
        with open("/dev/full", "w", encoding="ascii") as full:
            subprocess.run([harness.SHUNT, "dlq", "show", "t", "t/1"], env=self.server.environment(), stdin=subprocess.DEVNULL, stdout=full,
                           stderr=subprocess.DEVNULL, check=False, timeout=60)
        self.assertEqual(attended(), [False] * 3, "to list is not to look, and what could not be written was not seen")
        self.shunt("dlq", "show", "t", "t/1")
        self.assertEqual(attended(), [True, False, False])
        self.shunt("dlq", "cause", "t", e)
        self.assertEqual(attended(), [True, True, False])
        self.assertEqual({c["cause"]: (c["state"], c["unattended"]) for c in self.causes("t")}, {e: ("seen", False), f: ("new", True)})

    @plain_only("what stands between speaks the protocol plainly")
    def test_an_older_server_is_shown_as_far_as_it_goes(self):
        self.die("t", *[("E", f"order {n} is late", "") for n in range(3)])
        with OldServer(self.server) as old:
            def to_old(*args, code=OK):
                return self.shunt("--url", old.url, *args, code=code)
            shown = to_old("dlq", "show", "t", "t/1")
            self.assertEqual((shown.stderr, old.refused), ("", ["DLQ_ATTEND"]))
            self.assertIn("order 0 is late", shown.stdout)
            rows = json.loads(to_old("dlq", "list", "t", "-o", "json").stdout)
            self.assertEqual([(row["origin"], row["cause"]) for row in rows], [("t/1", None), ("t/2", None), ("t/3", None)])
            self.assertEqual(len(json.loads(to_old("dlq", "list", "t", "--limit", "2", "-o", "json").stdout)), 2)
            said = to_old("dlq", "list", "t", "--match", "order 1", code=FAILED)
            self.assertEqual(said.stdout, "", "letters that no filter chose are not shown as if one had")
            self.assertIn("too old", said.stderr)
            self.assertIn("UNSUPPORTED", to_old("dlq", "causes", "t", code=FAILED).stderr)


class Filters(Triage):
    def test_each_names_the_letters_that_are_so(self):
        errors = [("late", "order 1 is late", ""), ("lost", "order 2 is lost", ""), ("late", "order 3 is late", "")]
        self.die("t", *errors, headers=[{"kind": "a"}, {"kind": "b", "x": "1=2"}, None], keys=[b"k1", b"k2", b"k3"])
        self.shunt("publish", "t", "old", "--ttl", "1ms")
        self.eventually(lambda: self.group("t")["dead"] == 4)
        late = next(c["cause"] for c in self.causes("t") if c["dead"] == 2)
        for args, wanted in ((["--type", "late"], [1, 3]), (["--match", "order 2"], [2]), (["--match", "order"], [1, 2, 3]), (["-H", "kind=a"], [1]),
                             (["--header", "x=1=2"], [2]), (["-H", "kind="], []), (["--key", "k3"], [3]), (["--reason", "ttl_expired"], [4]),
                             (["--reason", "rejected", "--type", "late", "--key", "k1"], [1]), (["--cause", late], [1, 3]),
                             (["--since", "1h"], [1, 2, 3, 4]), (["--type", "lat"], []), ([], [1, 2, 3, 4])):
            with self.subTest(args=args):
                self.assertEqual(self.origins("t", *args), [f"t/{n}" for n in wanted])
                exported = lines_of(self.shunt("dlq", "export", "t", *args).stdout)
                self.assertEqual([(row["origin"], "body" in row) for row in exported], [(f"t/{n}", True) for n in wanted])
        for args in (["--reason", "boredom"], ["--header", "=x"], ["--header", "kind"], ["--match", ""], ["--type", ""], ["--key", ""], ["--since", "0"]):
            self.assertEqual(self.shunt("dlq", "list", "t", *args, code=USAGE).stdout.strip(), "")

    def test_since_is_a_time_from_now(self):
        self.die("t", ("E", "x", ""))
        died = self.document("dlq", "list", "t")[0]["died"]
        self.eventually(lambda: self.origins("t", "--since", "1ms") == [])
        self.assertEqual(self.document("dlq", "list", "t", "--since", "1d")[0]["died"], died)

    def test_pages_go_on_until_the_last_letter(self):
        many = 12000  # more than the server looks at for one page
        self.die("t", *[("E", "needle" if n in (0, many - 1) else "hay", "") for n in range(many)])
        self.assertEqual(self.origins("t", "--match", "needle"), ["t/1", f"t/{many}"])
        self.assertEqual(self.origins("t", "--match", "needle", "--after", "1"), [f"t/{many}"])
        first = self.shunt("dlq", "list", "t", "--match", "needle", "--limit", "1", "-o", "jsonl")
        self.assertEqual([row["origin"] for row in lines_of(first.stdout)], ["t/1"])
        self.assertIn("there are more: --after 1 ", first.stderr)
        self.assertEqual(self.origins("t", "--match", "thread"), [])


class Shown(Triage):
    def test_a_body_is_shown_as_what_it_is(self):
        bodies = [b'{"a":[1,-2.50e3,{}],"b":{"c":"\\u00e9\\n"},"a":[]}', b"plain \xc3\xa4\n\x1b[31mtext", b"\x00\xff" * 300, b'{"a":1,}', b"[" * 40 + b"]" * 40, b"17", b""]
        self.die("t", *[("E", "x", "")] * len(bodies), bodies=bodies)
        body = lambda n: self.shunt("dlq", "show", "t", f"t/{n}").stdout.split("\nbody ")[1]  # noqa: E731
        self.assertEqual(body(1), '(48 bytes, JSON):\n  {\n    "a": [\n      1,\n      -2.50e3,\n      {}\n    ],\n    "b": {\n      "c": "\\u00e9\\n"\n    },\n'
                                  '    "a": []\n  }\n')
        self.assertEqual(body(2), "(18 bytes):\n  plain ä\n  ?[31mtext\n")
        self.assertTrue(body(3).startswith("(600 bytes, not text, its beginning; --raw has all of it):\n  000000  00 ff 00 ff"), body(3))
        self.assertEqual(body(4), '(8 bytes):\n  {"a":1,}\n')
        self.assertEqual(body(5), "(80 bytes):\n  " + "[" * 40 + "]" * 40 + "\n")
        self.assertEqual((body(6), body(7)), ("(2 bytes):\n  17\n", "(0 bytes):\n"))

    def test_the_bytes_of_a_body_go_where_they_are_sent(self):
        body = bytes(range(256)) * 300
        self.die("t", ("E", "x", ""), ("E", "x", ""), bodies=[body, b"2"])
        done = subprocess.run([harness.SHUNT, "dlq", "show", "t", "t/1", "--raw"], env=self.server.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, check=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), (body, b""))
        file = self.directory / "body"
        self.assertEqual(self.shunt("dlq", "show", "t", "t/1", "--raw", file).stdout, "")
        self.assertEqual(file.read_bytes(), body)
        self.shunt("dlq", "show", "t", "t/2", "--raw", file)
        self.assertEqual((file.read_bytes(), [p.name for p in self.directory.iterdir()]), (b"2", ["body"]))
        self.assertEqual(self.shunt("dlq", "show", "t", "t/2", "--raw", "-").stdout, "2")
        self.shunt("dlq", "show", "t", "t/2", "--raw", self.directory / "no" / "body", code=FAILED)

    def test_every_attempt_is_shown_and_a_stack_once(self):
        self.shunt("topic", "create", "t", "--max-attempts", "3", "--backoff", "1ms..1ms")
        self.shunt("publish", "t", "x", "-H", "tenant=blue")
        with wire.connect(self.server, client="w") as client:
            subscription = client.subscribe("t")
            for name in ("one", "one", "two"):
                delivery = subscription.next()
                subscription.started(delivery)
                subscription.nack(delivery, 0, "E", f"in {name}", TRACE % (name, name))
        shown = self.shunt("dlq", "show", "t", "t/1").stdout
        self.assertRegex(shown, r"(?m)^headers *\n  tenant +blue$")
        self.assertEqual([line.split()[0] for line in shown.split("\nhistory:\n")[1].split("\n\n")[0].splitlines()], ["#", "1", "2", "3"])
        self.assertEqual([line for line in shown.splitlines() if line.startswith("error stack")],
                         ["error stack of attempt 1:", "error stack of attempt 2: the same", "error stack of attempt 3:"])
        self.assertEqual((shown.count("in one\n      boom()"), shown.count("in two\n      boom()")), (1, 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
