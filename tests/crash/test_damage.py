#!/usr/bin/env python3
"""A store is damaged in thousands of ways: bits, bytes, sectors, pages, its end. Each time it is refused, or the check finds it, or it did
no harm; and a server that takes it up never delivers a body that is not the published one, and never hangs. The same is done to a journal, which
says itself what is damaged, and shows either all or, where the end is damaged, all but the end.

SHUNT_DAMAGES is how many (default 10,000), SHUNT_SEED which; damage.c says what is done. Of servers there are SHUNT_DAMAGED_SERVERS (40).
"""
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from rig import LAZY_JOURNAL, SEED, Place, Workload, harness, live, wire
from workload import TOPIC, body_of

DAMAGES = int(os.environ.get("SHUNT_DAMAGES", "10000"))
SERVERS = int(os.environ.get("SHUNT_DAMAGED_SERVERS", "40"))
ROUNDS = 24
KEYS, KEYS_MAX = 12, 400  # that are damaged, in two ways each; more until one has mattered: old pages have keys too
TOPIC_ID, MESSAGES_MAX = 1, 1000
PATIENCE = 20  # times that a delivery may take longer than expected, on a machine that does other things too
PAGE_BYTES = 4096
PAGES_HARMED = 10  # of each store that a server takes up; some 90 are in use
DAMAGE = pathlib.Path(harness.BUILD_DIR) / "tests" / "crash" / "damage"
DAMAGE_PLANTED = DAMAGE.with_name("damage-planted")
# As shuntd(8) has them: damaged, no memory for so large a map, the disk failed, a newer version; and the signals of a server that read
# where nothing is.
ENDS = {65, 71, 74, 76, -7, -11}
OUTCOMES = ("refused", "found", "ended", "harmless")  # each must be seen
DAMAGES_JOURNAL, OUTCOMES_JOURNAL = DAMAGES // 10, ("refused", "found", "harmless", "older")
DAMAGES_PLANTED = 1100  # each kind is among them
ROUNDS_JOURNAL = 80  # until the small journal has come round
RECORDS_MIN, LIVES_MAX = 20, 8  # that the store does not have; a life may end when it has just got them


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.environ.get("SANITIZED"):
            return
        cls.place = Place()
        cls.addClassCleanup(shutil.rmtree, cls.place.directory, True)
        with cls.place.server() as server:
            assert live(server, Workload(), ROUNDS) is None, server.log_text()
        cls.with_journal = cls.new_journal()

    @classmethod
    def new_journal(cls, plant=""):
        """A place whose store has a journal, part of which is not in the store yet."""
        place = Place(journal=True)
        cls.addClassCleanup(shutil.rmtree, place.directory, True)
        with place.server(plant=plant) as server:
            assert live(server, Workload(), ROUNDS_JOURNAL) is None, server.log_text()
        for life in range(LIVES_MAX):
            with place.server(environment=LAZY_JOURNAL, plant=plant) as server, wire.Client(server.port) as client:
                client.topic_create(f"more-{life}")
                for number in range(RECORDS_MIN):
                    client.publish(f"more-{life}", f"{number} ".encode() * (number % 9 * 300 + 3))
            _, output, figures = cls.damage(0, {"SHUNT_PLANT": plant}, DAMAGE_PLANTED, place.data / "journal")
            if figures.get("records", 0) >= RECORDS_MIN:
                return place
        raise AssertionError(f"too few records: {output}")

    def setUp(self):
        if os.environ.get("SANITIZED"):  # it takes what LMDB reads by damaged pages for the program's own reading
            self.skipTest("a sanitizer ends where LMDB follows damage")

    @classmethod
    def damage(cls, count, environment=None, program=DAMAGE, path=None):
        work = tempfile.mkdtemp(prefix="damage-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.addClassCleanup(shutil.rmtree, work, True)
        done = subprocess.run([program, path or cls.place.data / "data.mdb", work, str(count), str(SEED)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, timeout=900, check=False, env={**os.environ, **(environment or {})})
        return done.returncode, done.stdout, {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}

    def test_damage_is_noticed(self):
        status, output, figures = self.damage(DAMAGES)
        print(output.splitlines()[-1] if output else "")
        self.assertEqual(status, 0, output)
        self.check_it_was_enough(figures, DAMAGES)
        self.assertLess(figures["older"], DAMAGES // 500, output)

    def test_damage_to_a_journal_is_told(self):
        status, output, figures = self.damage(DAMAGES_JOURNAL, path=self.with_journal.data / "journal")
        print(output.splitlines()[-1] if output else "")
        self.assertEqual(status, 0, output)
        self.check_it_was_enough(figures, DAMAGES_JOURNAL, OUTCOMES_JOURNAL)

    def journal_planted(self, plant, wanted):
        place = self.new_journal(plant)
        status, output, _ = self.damage(DAMAGES_PLANTED, {"SHUNT_PLANT": plant}, DAMAGE_PLANTED, place.data / "journal")
        self.assertEqual(status, 1, output)
        self.assertRegex(output, wanted)

    def test_a_bad_middle_taken_for_the_end_is_caught(self):
        self.journal_planted("blind-end", "wrong: it is in order, and not what was written|wrong: only the check finds it")

    def test_a_checksum_without_the_head_is_caught(self):
        self.journal_planted("bare-head", "an old record in the place of the next .*: wrong")

    def check_it_was_enough(self, figures, wanted, outcomes=OUTCOMES):
        self.assertEqual(figures["states"], wanted)
        for outcome in outcomes:
            self.assertGreater(figures[outcome], 0, f"none was {outcome}: {figures}")

    def test_a_run_that_saw_too_little_fails(self):
        _, _, figures = self.damage(3)
        with self.assertRaisesRegex(AssertionError, "none was"):
            self.check_it_was_enough(figures, 3)
        with self.assertRaisesRegex(AssertionError, "too few ended"):
            self.servers(lambda path: "nothing", 10)

    def test_a_checksum_that_is_not_compared_is_caught(self):
        """By the program, and by what a server delivers; a sound one delivers none of these."""
        status, output, _ = self.damage(DAMAGES, {"SHUNT_PLANT": "no-checksum"}, DAMAGE_PLANTED)
        self.assertEqual(status, 1, output)
        self.assertIn("is shown with another body", output)
        with self.assertRaisesRegex(AssertionError, "was delivered with another body"):
            self.fail(f"status, delivered: {self.serve(self.spoil_bodies, 'no-checksum')}")
        self.assertEqual(self.serve(self.spoil_bodies), (0, 0))

    def test_a_forged_message_is_caught(self):
        status, output, _ = self.damage(1, {"SHUNT_PLANT_FORGED": "1"})
        self.assertEqual(status, 1, output)
        self.assertIn("is shown with another body", output)

    def test_a_journal_that_is_not_the_stores_own_is_refused(self):
        """The whole file is missing, empty, cut, of another store, or has lost a piece: the server and the check say which and what to do."""
        other = self.new_journal().data / "journal"
        for harm, wanted in ((lambda path: path.unlink(), "journal is not there.* put it back"),
                             (lambda path: os.truncate(path, 0), "/journal: the journal is empty.* restore"),
                             (lambda path: os.truncate(path, path.stat().st_size - 1), "/journal: the journal is cut short.* restore"),
                             (lambda path: shutil.copyfile(other, path), "/journal: the journal belongs to another store.* restore"),
                             (self.spoil_oldest, r"/journal: the journal is damaged: record \d+, at byte \d+.* restore")):
            with Place() as place:
                place.copy_from(self.with_journal)
                harm(place.data / "journal")
                before = (place.data / "data.mdb").read_bytes()
                check = subprocess.run([harness.SHUNTD, "--check", place.data], capture_output=True, text=True, check=False)
                self.assertIn(check.returncode, ENDS)
                self.assertRegex(check.stderr, wanted)
                server = place.server()
                try:
                    server.start()
                    self.assertFalse(server.started)
                    self.assertRegex(server.log_text(), wanted)
                finally:
                    server.remove()
                self.assertEqual((place.data / "data.mdb").read_bytes(), before)

    def spoil_oldest(self, path):
        """The body of every record but the last, the store knows where they are; old ones do not matter."""
        data = path.read_bytes()
        records = [(struct.unpack_from(">Q", data, at + 32)[0], at) for at in range(PAGE_BYTES, len(data), PAGE_BYTES) if data[at + 8 : at + 16] == b"shuntrec"]
        with open(path, "r+b") as file:
            for _, at in sorted(records)[:-1]:
                file.seek(at + 64)
                file.write(b"?")

    def test_a_server_never_delivers_what_was_not_published(self):
        dice, used = random.Random(SEED), self.used_pages()
        self.servers(lambda path: self.harm(path, dice, used), SERVERS)

    def servers(self, harm, wanted):
        ended = delivered = 0
        for _ in range(wanted):
            status, count = self.serve(harm)
            ended += status != 0
            delivered += count
        print(f"{wanted} servers on damaged stores: {ended} ended, {delivered} messages delivered as published")
        self.assertGreater(ended, wanted // 10, "too few ended")
        self.assertGreater(delivered, wanted, "too little was delivered")

    def test_a_damaged_key_passes_over_nothing(self):
        """The key of a message says a later number: far beyond the topic's last one, or the one after its neighbour's."""
        ended, places = 0, self.keys()
        self.assertGreater(len(places), KEYS_MAX, "there are too few keys in the file to damage")
        for number, (at, seq) in enumerate(random.Random(SEED).sample(places, KEYS_MAX)):
            if number >= KEYS and ended:
                break
            for wrong in (seq | 1 << 40, seq + 2):
                status, _ = self.serve(lambda path, at=at, wrong=wrong: self.overwrite(path, at, struct.pack(">Q", wrong)))
                self.assertIn(status, (0, 65))
                ended += status == 65
        self.assertGreater(ended, 0, "none of these keys mattered")

    def test_a_damaged_key_between_pages_is_noticed(self):
        """Searches for what lies behind it go to the page before: messages were handed out twice, and the check saw nothing."""
        data, found = (self.place.data / "data.mdb").read_bytes()[: 1 << 22], 0
        for page in range(2, len(data) // PAGE_BYTES):
            for at, seq in self.dividers(data, page * PAGE_BYTES):
                def harm(path, at=at, seq=seq):
                    return self.overwrite(path, at, struct.pack(">Q", seq + 2))

                with Place() as place:
                    place.copy_from(self.place)
                    harm(place.data / "data.mdb")
                    report = subprocess.run([harness.SHUNTD, "--check", place.data], stdout=subprocess.PIPE, text=True, check=False).stdout
                if "a search does not find them" in report:
                    found += 1
                    self.assertIn(self.serve(harm)[0], (0, 65))
        self.assertGreater(found, 0, "no key between two pages of messages mattered")

    def dividers(self, data, page):
        """Where the number of each key of the topic is that divides two pages below this one, and which it is."""
        flags, end = struct.unpack_from("<HH", data, page + 10)
        if flags == 1 and 16 < end <= PAGE_BYTES:
            for (node,) in struct.iter_unpack("<H", data[page + 18 : page + end]):  # the first has no key
                size, topic, seq = struct.unpack_from("<H", data, page + node + 6) + struct.unpack_from(">IQ", data, page + node + 8)
                if size == 12 and topic == TOPIC_ID:
                    yield page + node + 12, seq

    def serve(self, harm, plant=None):
        """A server on a copy of the store that was harmed: its exit status, how many messages it delivered."""
        with Place() as place:
            place.copy_from(self.place)
            what = harm(place.data / "data.mdb")
            server = place.server(plant=plant)
            try:
                server.start()
                delivered = self.consume(server) if server.started else 0
                status = server.stop()
                self.assertIn(status, ENDS | {0})
                return status, delivered
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"{what}: {error}\n{server.log_text()}") from error
            finally:
                server.remove()

    def keys(self):
        """Where the number of a key of the topic is in the file, and which it is. Old pages have some too."""
        data, found = (self.place.data / "data.mdb").read_bytes()[: 1 << 22], []
        for seq in range(1, MESSAGES_MAX):
            key, at = struct.pack(">IQ", TOPIC_ID, seq), -1
            while (at := data.find(key, at + 1)) >= 0:
                found.append((at + 4, seq))
        return found

    def overwrite(self, path, at, data):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(data)
        return f"{data.hex()} at {at}"

    def spoil_bodies(self, path):
        """The number too, or what follows the topic's name in its own row is taken for a body when it happens to be a space."""
        body = re.compile(rf"{TOPIC} (?=\d+ )".encode())
        return self.overwrite(path, 0, body.sub(lambda found: found[0].upper(), path.read_bytes()[: 1 << 22]))[:40]

    def test_only_bodies_are_spoiled(self):
        with Place() as place:
            file = place.directory / "file"
            file.write_bytes(f"\4{TOPIC} \1{TOPIC} 12 {TOPIC} 12 ".encode())
            self.spoil_bodies(file)
            self.assertEqual(file.read_bytes(), f"\4{TOPIC} \1{TOPIC.upper()} 12 {TOPIC.upper()} 12 ".encode())

    def used_pages(self):
        """Pages that are not empty, so that the damage hits something."""
        data = (self.place.data / "data.mdb").read_bytes()[: 1 << 22]
        return [n for n in range(len(data) // PAGE_BYTES) if any(data[n * PAGE_BYTES : (n + 1) * PAGE_BYTES])]

    def harm(self, path, dice, used):
        pages = dice.sample(used, PAGES_HARMED)
        with open(path, "r+b") as file:
            for page in pages:
                file.seek(page * PAGE_BYTES + dice.randrange(PAGE_BYTES - 64))
                file.write(dice.randbytes(dice.choice((1, 8, 64))))
        return f"damaged pages {pages}"

    def consume(self, server):
        """Take all there is, for as long as the server lasts, and as it says that there is more."""
        count, patience = 0, PATIENCE
        try:
            with wire.Client(server.port, timeout=10.0) as client:
                subscription = client.subscribe(TOPIC, messages=16)
                while (delivery := subscription.next(0.2)) or (patience and wire.states(client, TOPIC).get("ready")):
                    if not delivery:
                        patience -= 1
                        continue
                    if bytes(delivery.message.body) != body_of(TOPIC, delivery.seq):
                        raise AssertionError(f"{TOPIC}/{delivery.seq} was delivered with another body")
                    subscription.ack(delivery)
                    count += 1
        except (wire.Disconnected, wire.ShuntError, wire.SubscriptionClosed, ConnectionError):
            pass  # it may well end, or refuse
        return count


if __name__ == "__main__":
    harness.main()
