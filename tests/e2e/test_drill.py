"""The drill: three services, 5,000 messages, six ways to die, and somebody who has nothing but the tool.

What was planted is known to the test. Every question of an incident is answered with one command; no answer is put together from several.
"""
import contextlib
import dataclasses
import datetime
import json
import pathlib
import random
import subprocess
import sys
import unittest

import harness
from cli_case import PARTLY, Case

HERE = pathlib.Path(__file__).resolve().parent
DRILL_WORKER = pathlib.Path(harness.BUILD_DIR) / "tests" / "e2e" / "drill_worker"
ORDERS, MAIL, IMAGES = 3500, 300, 1200
NOISE = "read kind; case $kind in noise*) head -c 1048576 /dev/urandom >&2; exit 3;; esac"
WORK_SECONDS_MAX = 240
REASON = "incident 17"
NONE = {"pending": 0, "acked": 0, "failed_same": 0, "failed_other": 0, "gone": 0, "moved": 0}


@dataclasses.dataclass
class Fault:
    """What was planted: messages that die of one thing."""
    topic: str
    group: str
    type: str  # of the error
    said: str  # a part of the cause's title
    builds: set = dataclasses.field(default_factory=set)
    origins: set = dataclasses.field(default_factory=set)
    since: str = ""  # not before
    until: str = ""


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def judge(planted, found):
    """What is wrong with the causes that were found, {fingerprint: origins}, if these faults were planted, {name: origins}."""
    wrong = []
    for name, origins in planted.items():
        of = sorted(fingerprint for fingerprint, members in found.items() if members & origins)
        if len(of) != 1:
            wrong.append(f"{name} has the causes {of}")
    for fingerprint, members in found.items():
        of = sorted(name for name, origins in planted.items() if members & origins)
        if len(of) != 1:
            wrong.append(f"{fingerprint} is of {of}")
        strange = members.difference(*planted.values())
        if strange:
            wrong.append(f"{fingerprint} has {sorted(strange)[:5]}, which were not to die")
    return wrong


class Judge(unittest.TestCase):
    PLANTED = {"a": {"t/1", "t/2"}, "b": {"t/3"}}

    def test_what_was_planted_is_found_right(self):
        self.assertEqual(judge(self.PLANTED, {"x": {"t/1", "t/2"}, "y": {"t/3"}}), [])

    def test_what_is_split_merged_missing_or_strange_is_seen(self):
        for found in ({"x": {"t/1"}, "z": {"t/2"}, "y": {"t/3"}}, {"x": {"t/1", "t/2", "t/3"}}, {"x": {"t/1", "t/2"}},
                      {"x": {"t/1", "t/2"}, "y": {"t/3", "t/9"}}, {"x": {"t/1", "t/2"}, "y": {"t/3"}, "z": {"t/9"}}):
            self.assertNotEqual(judge(self.PLANTED, found), [], found)


class Incident(Case):
    """What has happened when the page comes."""

    def setUp(self):
        super().setUp()
        self.dice = random.Random(5000)
        self.faults = {
            "crash": Fault("orders", "billing", "SIGSEGV", "charge_card"),
            "hang": Fault("orders", "billing", "timeout", "timeout"),
            "amount": Fault("mail", "default", "ValueError", "parse_amount"),
            "customer": Fault("mail", "default", "KeyError", "look_up"),
            "address": Fault("mail", "default", "exit 65", "the address of customer"),
            "noise": Fault("images", "thumbs", "exit 3", "exit 3"),
            "late": Fault("images", "thumbs", "ttl_expired", "ttl_expired"),
        }

    def publish(self, topic, bodies, *options, names=()):
        """Publish lines; those that are one of the `names` faults (by their first word) are noted as its messages."""
        before = self.document("topic", "show", topic)["published"]
        self.shunt("publish", topic, "--lines", *options, input="".join(body + "\n" for body in bodies))
        for seq, body in enumerate(bodies, before + 1):
            name = names.get(body.split()[0])
            if name:
                self.faults[name].origins.add(f"{topic}/{seq}")

    def shuffled(self, count, **kinds):
        """So many bodies, of which so many of each kind, each with a value of its own."""
        bodies = [f"{kind} {self.value(kind)}" for kind, number in kinds.items() for _ in range(number)]
        bodies += [f"fine {n}" for n in range(count - len(bodies))]
        self.dice.shuffle(bodies)
        return bodies

    def value(self, kind):
        number = self.dice.randrange(1, 1 << self.dice.randrange(4, 30))
        return self.dice.choice([f"{number} EUR", f"'{number:x}'", f"{number / 100:,.2f}", f"EUR{number}"]) if kind == "amount" else number

    def work(self, *command, build, names, **more):
        """A worker that drains its group; the faults that it may run into are noted with its build and the time."""
        since = now()
        done = subprocess.run([str(word) for word in command], env={**self.server.environment(), **more}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=WORK_SECONDS_MAX, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        for name in names:
            fault = self.faults[name]
            fault.builds.add(build)
            fault.since, fault.until = fault.since or since, now()

    def mail(self, build, letters, names):
        self.publish("mail", letters, names={"amount": "amount", "customer": "customer", "address": "address"})
        self.work(harness.SHUNT, "work", "mail", "-j", "4", "--drain", "--build", build, "--", sys.executable, "-I", "-S", HERE / "drill_mail.py", build=build, names=names)

    def happen(self):
        for topic, groups in (("orders", "billing,audit"), ("mail", "default"), ("images", "thumbs")):
            self.shunt("topic", "create", topic, "--groups", groups, "--max-attempts", "2", "--backoff", "1ms..2ms")
        self.publish("orders", self.shuffled(ORDERS, segv=40, hang=4), names={"segv": "crash", "hang": "hang"})
        self.work(DRILL_WORKER, "orders", "billing", "billing-7", "drain", build="billing-7", names=["crash", "hang"])
        self.shunt("consume", "orders", "-g", "audit", "-n", ORDERS)
        self.mail("mail-1", self.shuffled(MAIL // 2, amount=30, address=12), ["amount", "address"])
        self.mail("mail-2", self.shuffled(MAIL // 2, amount=30, address=13, customer=30), ["amount", "address", "customer"])
        self.faults["late"].since = now()
        self.publish("images", [f"late {n}" for n in range(20)], "--ttl", "1ms", names={"late": "late"})
        self.eventually(lambda: self.group("images", "thumbs")["dead"] == 20)
        self.faults["late"].until = now()
        self.publish("images", self.shuffled(IMAGES - 20, noise=12), names={"noise": "noise"})
        self.work(harness.SHUNT, "work", "images", "-g", "thumbs", "-j", "4", "--drain", "--build", "images-3", "--", "sh", "-c", NOISE, build="images-3", names=["noise"])

    def letters(self, cause):
        """The messages of a cause, as one command lists them."""
        rows = self.document("dlq", "list", cause["topic"], "-g", cause["group"], "--cause", cause["cause"], "--limit", "5000")
        self.assertEqual({row["cause"] for row in rows}, {cause["cause"]})
        return {row["origin"] for row in rows}


class Drill(Incident):
    def test_the_drill(self):
        self.happen()
        self.find_out_what_is_wrong()
        self.crash = next(cause for cause in self.document("dlq", "causes", "orders", "-g", "billing") if "charge_card" in cause["title"])
        self.only_one_kind_can_be_brought_back()
        self.others = self.others_lie()
        self.with_the_worker_as_it_was_the_canary_stops_it()
        self.what_was_begun_is_called_off()
        self.with_the_worker_mended_it_goes_through()
        self.who_did_what_is_told()

    def find_out_what_is_wrong(self):
        causes = self.document("dlq", "causes")
        found = {cause["cause"]: self.letters(cause) for cause in causes}
        self.assertEqual(judge({name: fault.origins for name, fault in self.faults.items()}, found), [])
        for name, fault in self.faults.items():
            with self.subTest(fault=name):
                cause = next(cause for cause in causes if found[cause["cause"]] == fault.origins)
                self.assertEqual((cause["topic"], cause["group"]), (fault.topic, fault.group))
                self.assertEqual((cause["dead"], cause["count"], cause["state"], cause["unattended"]), (len(fault.origins), len(fault.origins), "new", True), "how many")
                self.assertIn(fault.said, cause["title"], "what it is")
                self.assertEqual({build["name"] for build in cause["builds"]}, fault.builds, "whose build")
                self.assertTrue(fault.since <= cause["first"] <= cause["last"] <= fault.until, f"since when: {fault.since} {cause['first']} {fault.until}")
                self.assertLessEqual(set(cause["samples"]), fault.origins)
                row = self.document("dlq", "show", fault.topic, cause["samples"][0], "-g", fault.group, "--unattended")
                self.assertEqual((row["cause"], row["error_type"]), (cause["cause"], fault.type))
        self.assertEqual([cause["dead"] for cause in causes], sorted((len(fault.origins) for fault in self.faults.values()), reverse=True), "the most pressing first")
        self.assertEqual({line.split()[2] for line in self.shunt("dlq", "causes").stdout.splitlines()[1:]}, set(found))

    def others_lie(self):
        """Every dead letter but those of the crash, with all that is listed of it."""
        queues = sorted({(fault.topic, fault.group) for fault in self.faults.values()})
        rows = [row for topic, group in queues for row in self.document("dlq", "list", topic, "-g", group, "--limit", "5000")]
        return [row for row in rows if row["cause"] != self.crash["cause"]]

    def of_crash(self):
        """{origin: generation} of its dead letters."""
        return {row["origin"]: row["generation"] for row in self.document("dlq", "list", "orders", "-g", "billing", "--cause", self.crash["cause"])}

    def redrive(self, *how, **more):
        return self.shunt("--because", REASON, "dlq", "redrive", "orders", "-g", "billing", "--cause", self.crash["cause"], *how, **more)

    def last_job(self):
        return self.document("redrive", "list")[-1]

    @contextlib.contextmanager
    def service(self, build):
        """The service that charges orders, running all the while, as it was built."""
        with subprocess.Popen([DRILL_WORKER, "orders", "billing", build], env=self.server.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                yield
                process.terminate()
                _, said = process.communicate(timeout=WORK_SECONDS_MAX)
                self.assertEqual(process.returncode, 0, said[-2000:])
            finally:
                process.kill()

    def only_one_kind_can_be_brought_back(self):
        self.assertEqual(json.loads(self.redrive("--dry-run", "-o", "json").stdout),
                         [{"cause": self.crash["cause"], "title": self.crash["title"], "dead": len(self.faults["crash"].origins)}])

    def with_the_worker_as_it_was_the_canary_stops_it(self):
        letters = self.faults["crash"].origins
        with self.service("billing-8"):
            stopped = self.redrive("-o", "json", code=PARTLY)
            self.eventually(lambda: self.group("orders", "billing")["dead"] == self.crash["dead"] + len(self.faults["hang"].origins))
        job = self.last_job()
        self.assertEqual(json.loads(stopped.stdout), {"job": job["job"], "redriven": 1})
        self.assertEqual((job["phase"], job["done"], job["total"], job["outcomes"]), ("stopped", 1, len(letters), {**NONE, "failed_same": 1}))
        self.assertRegex(stopped.stderr, r"stopped by itself: the canary orders/\d+ failed of the same cause")
        generations = self.of_crash()
        self.assertEqual(set(generations), letters)
        [canary] = [origin for origin, generation in generations.items() if generation]
        self.assertIn(canary, job["why"])
        self.assertEqual(self.others_lie(), self.others, "nothing else was moved")

    def what_was_begun_is_called_off(self):
        """Nobody consumes, so the canary is out and waits."""
        self.shunt("--because", REASON, "group", "pause", "orders", "billing")
        self.redrive("--no-wait")
        self.eventually(lambda: self.last_job()["outcomes"]["pending"] == 1)
        job = self.last_job()
        self.assertEqual((job["phase"], job["done"], job["total"]), ("canary", 1, len(self.faults["crash"].origins)), "how far it is")
        for act, phase in (("pause", "paused"), ("resume", "canary"), ("cancel", "cancelled")):
            self.assertEqual(self.document("--because", REASON, "redrive", act, job["job"])["phase"], phase)
        self.assertEqual((self.last_job()["done"], self.last_job()["outcomes"]), (1, {**NONE, "pending": 1}))
        [back] = self.faults["crash"].origins - self.of_crash().keys()
        [at] = self.document("why", back, "-g", "billing")["groups"]
        self.assertEqual((at["state"], at["next"], at["attempts"], at["attempts_total"]), ("ready", "resume", 0, 2 * at["generation"]))
        self.assertEqual((at["redrive"]["job"], at["redrive"]["outcome"]), (job["job"], "pending"), "who brought it back")
        self.assertEqual(self.others_lie(), self.others, "nothing else was moved")

    def with_the_worker_mended_it_goes_through(self):
        letters, before = self.faults["crash"].origins, self.group("orders", "billing")
        back = letters - self.of_crash().keys()
        self.shunt("--because", REASON, "group", "resume", "orders", "billing")
        with self.service("billing-9-mended"):
            self.redrive("--watch")
            self.eventually(lambda: self.group("orders", "billing")["acked"] == before["acked"] + len(letters))
        job = self.last_job()
        self.assertEqual((job["phase"], job["done"], job["outcomes"]), ("done", len(letters - back), {**NONE, "acked": len(letters - back)}))
        self.assertEqual(self.of_crash(), {})
        self.assertEqual(self.others_lie(), self.others, "only those of one cause came back")
        for origin in (*back, self.crash["samples"][0]):
            [at] = self.document("why", origin, "-g", "billing")["groups"]
            self.assertEqual((at["state"], at["end"]["how"], at["end"]["build"]), ("done", "acked", "billing-9-mended"))
            self.assertEqual(at["redrive"]["outcome"], "acked")

    def who_did_what_is_told(self):
        first, second, third = (job["job"] for job in self.document("redrive", "list"))
        acts = self.document("audit", "--topic", "orders", "--since", "1h")
        self.assertEqual([(act["act"], act["job"]) for act in acts if act["reason"] == REASON],
                         [("dlq_redriven", first), ("group_paused", 0), ("dlq_redriven", second), ("job_paused", second), ("job_resumed", second),
                          ("job_cancelled", second), ("group_resumed", 0), ("dlq_redriven", third)])
        for act in acts:
            self.assertRegex(act["client"], r"^\S+@shunt-\d+$")
            if act["act"] == "dlq_redriven":
                self.assertIn("cause=" + self.crash["cause"], act["asked"])


if __name__ == "__main__":
    harness.main()
