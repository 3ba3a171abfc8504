"""The Python package against a real broker: publishing over kills and cuts without a loss and without a double, consuming over a restart, workers, dead letters."""
import collections
import re
import signal
import subprocess
import sys
import threading
import unittest

import harness
import relay
import wire

sys.path.insert(0, str(harness.SOURCE_ROOT / "python"))
import shunt  # noqa: E402
from shunt import working  # noqa: E402

KILLS = 6
QUICK = {"backoff_min_ms": 1, "backoff_max_ms": 1}


class Case(unittest.TestCase):
    def setUp(self):
        # Clients connect from 127.0.0.1, so none can take the port while the server is away.
        self.server = harness.Server(options=["--listen", "127.0.0.2:0"])
        self.addCleanup(self.server.remove)
        self.server.start()
        self.server.options = ["--listen", self.server.address]
        self.broker = self.client()

    def client(self, **options):
        client = shunt.connect(options.pop("url", self.server.url), **{"timeout": 60, **options})
        self.addCleanup(client.close)
        return client

    def restart(self):
        self.server.kill()
        self.server.start()

    def counts(self, topic, group="default"):
        info = self.broker.group_show(topic, group)
        return {state: info[state] for state in wire.STATES if info[state]}

    def bodies(self, topic):
        """How often each body is in the topic, in order."""
        found = []
        with self.broker.consume(topic, window=1000) as consumer:
            while self.counts(topic).keys() & {"ready", "in_flight"}:
                while delivery := consumer.next(0.05):
                    found.append(delivery.body)
                    delivery.ack()
                consumer.flush()
        return found


class Publishing(Case):
    def kill_while(self, publish):
        """Publish in a thread while the broker is killed; every kill waits until some were confirmed since the last one."""
        confirmed, stop, failed = [], threading.Event(), []

        def run():
            try:
                publish(confirmed, stop)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            for _ in range(KILLS):
                before = len(confirmed)
                wire.until(lambda: failed or len(confirmed) > before + 20)
                self.restart()
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failed, [])
        return confirmed

    def test_one_by_one_over_kills(self):
        self.broker.topic_create("t")
        client = self.client()

        def publish(confirmed, stop):
            while not stop.is_set():
                confirmed.append(client.publish("t", str(len(confirmed))))

        confirmed = self.kill_while(publish)
        self.assertEqual(confirmed, list(range(1, len(confirmed) + 1)), "a number is missing or came twice")
        self.assertEqual(self.bodies("t"), [str(number).encode() for number in range(len(confirmed))])

    def test_a_window_over_kills(self):
        self.broker.topic_create("t")
        client, receipts = self.client(), []

        def publish(confirmed, stop):
            with client.publisher("t", window=200) as publisher:
                while not stop.is_set():
                    receipts.append(publisher.send(str(len(receipts))))
                    confirmed[:] = [None] * publisher.confirmed

        self.kill_while(publish)
        self.assertEqual([receipt.seq for receipt in receipts], list(range(1, len(receipts) + 1)))
        self.assertEqual(self.bodies("t"), [str(number).encode() for number in range(len(receipts))])

    def test_an_answer_that_is_lost_on_the_way(self):
        self.broker.topic_create("t")
        between = relay.Relay(self.server)
        self.addCleanup(between.close)
        client = self.client(url=between.url)
        for number in range(5):
            between.cut_after_request()
            self.assertEqual(client.publish("t", str(number)), number + 1)
        between.cut_after_request()
        with client.publisher("t") as publisher:
            for number in range(5, 3000):
                publisher.send(str(number))
        self.assertEqual(between.cuts, 6)
        self.assertEqual(self.bodies("t"), [str(number).encode() for number in range(3000)])
        client.close()

        # The same without a number is stored twice: the rig does bring the first copy to the broker.
        for _ in range(2):
            between.cut_after_request()
            with self.assertRaises(wire.Disconnected):
                plain = wire.connect(between)  # its HELLO is what is cut, or its handshake
            plain = wire.connect(between)
            between.cut_after_request()
            with self.assertRaises(wire.Disconnected):
                plain.publish("t", b"again")
            plain.close()
        self.assertEqual(self.bodies("t"), [b"again", b"again"])

    def test_a_producer_with_numbers_of_its_own(self):
        self.broker.topic_create("t")
        producer = b"importer-0000001"
        first = self.client(producer=producer)
        self.assertEqual([first.publish("t", str(number), number=number) for number in (10, 20, 30)], [1, 2, 3])
        first.close()
        second = self.client(producer=producer)
        self.assertEqual(second.last_number(), 30)
        self.assertEqual([second.publish("t", str(number), number=number) for number in (30, 40)], [3, 4])
        self.assertEqual(self.bodies("t"), [b"10", b"20", b"30", b"40"])
        # Another one with the same id takes over, and the first is told once and for all.
        self.client(producer=producer)
        for _ in range(2):
            with self.assertRaisesRegex(shunt.Protocol, "another client"):
                second.publish("t", b"50", number=50)
        self.assertEqual(self.bodies("t"), [])

    def test_what_is_refused_says_what_was_stored(self):
        self.broker.topic_create("t", max_messages=3)
        with self.assertRaises(shunt.TopicFull) as caught:
            self.broker.publish_batch("t", [b"1", "2", shunt.Message(b"3", {"a": b"b"}, "key"), b"4"])
        self.assertEqual((caught.exception.accepted, caught.exception.may_retry), ([1, 2, 3], True))
        publisher = self.broker.publisher("t")
        receipts = [publisher.send(b"5") for _ in range(2)]
        with self.assertRaises(shunt.TopicFull):
            publisher.flush()
        publisher.flush()
        self.assertEqual(([receipt.error.name for receipt in receipts], publisher.refused, publisher.confirmed), (["TOPIC_FULL"] * 2, 2, 0))
        self.assertEqual(self.bodies("t"), [b"1", b"2", b"3"])
        with self.assertRaisesRegex(shunt.UnknownTopic, "nowhere"):
            self.broker.publish("nowhere", b"")
        with self.assertRaises(shunt.TooLarge):
            self.broker.publish("t", bytes(2 << 20))
        with self.assertRaises(shunt.TopicExists):
            self.broker.topic_create("t")

    def test_a_message_arrives_as_it_was_sent(self):
        self.broker.topic_create("t")
        self.broker.publish("t", b"\x00\xff", headers={"a": "ä", "b": b"\x01"}, key=b"k", ttl=3600)
        self.broker.publish("t", "{\"a\": 1}", delay=3600)
        self.assertEqual(self.counts("t"), {"ready": 1, "delayed": 1})
        with self.broker.consume("t") as consumer:
            delivery = consumer.next(30)
            self.assertEqual((delivery.id, delivery.body, delivery.headers, delivery.key), ("t/1", b"\x00\xff", {"a": "ä", "b": b"\x01"}, b"k"))
            self.assertEqual([held["seq"] for held in self.broker.group_holders("t")], [1])
            self.assertEqual(([row["key"] for row in self.broker.keys("t")["keys"]], self.broker.keys("t", by="blocked")["keys"]), ([b"k"], []))
            self.assertEqual((delivery.attempt, delivery.deliveries, delivery.generation, delivery.dead), (1, 1, 0, None))

    def test_the_next_host_is_taken(self):
        self.broker.topic_create("t")
        for _ in range(4):
            client = self.client(url=self.server.url_at(f"127.0.0.1:1,{self.server.address}"))
            client.publish("t", b"")
            client.close()


class Consuming(Case):
    def test_over_a_restart(self):
        """What is held goes on: no attempt is charged, nothing comes twice, and what was published meanwhile comes too."""
        self.broker.topic_create("t", max_attempts=1, lease_ms=600000)
        self.broker.publish_batch("t", map(str, range(40)))
        client = self.client()
        seen = collections.Counter()
        with client.consume("t", window=10) as consumer:
            held = [consumer.next(30) for _ in range(3)]
            self.restart()
            wire.until(lambda: client.connected)
            for delivery in held:
                delivery.ack(wait=True)
                seen[delivery.seq] += 1
            self.server.kill()
            wire.until(lambda: not client.connected)
            late = consumer.next(0)  # there is no connection: nothing new begins
            self.assertIsNone(late)
            self.server.start()
            while sum(seen.values()) < 40:
                delivery = consumer.next(30)
                seen[delivery.seq] += 1
                delivery.ack()
                if delivery.seq == 20:
                    self.restart()
            consumer.flush()
            self.assertEqual(consumer.stale, 0)
        self.assertEqual(set(seen.values()), {1})
        self.assertEqual(self.counts("t"), {"acked": 40})

    def test_without_taking_up_again_it_would_not(self):
        """The rig: a consumer that names nothing of what it held is answered STALE after the restart."""
        self.broker.topic_create("t", lease_ms=600000)
        self.broker.publish("t", b"")
        client = self.client()
        with client.consume("t") as consumer:
            delivery = consumer.next(30)
            with client._link.changed:
                consumer._held.clear()
            self.server.kill()
            wire.until(lambda: not client.connected)
            self.server.start()
            wire.until(lambda: consumer._sub is not None)
            with self.assertRaises(shunt.Stale):
                delivery.ack(wait=True)

    def test_closing_gives_back_what_was_not_answered(self):
        self.broker.topic_create("t", max_attempts=1)
        self.broker.publish_batch("t", [b""] * 10)
        with self.assertRaises(RuntimeError), self.client().consume("t") as consumer:
            next(iter(consumer)).ack()
            left = next(iter(consumer))
            raise RuntimeError
        self.assertEqual(self.counts("t"), {"ready": 9, "acked": 1})
        with self.assertRaises(shunt.Stale):
            left.ack(wait=True)
        with self.assertRaises(shunt.Closed):
            consumer.next()
        with self.broker.consume("t") as again:
            self.assertEqual((again.next(30).attempts, again.next(30).attempts), (0, 0))

    def test_answers(self):
        self.broker.topic_create("t", max_attempts=3, **QUICK)
        self.broker.publish_batch("t", [b""] * 5)
        with self.broker.consume("t", window=5) as consumer:
            acked, nacked, rejected, released, waits = [consumer.next(30) for _ in range(5)]
            acked.ack(wait=True)
            nacked.nack(shunt.Failure("Odd", "it is odd", "somewhere"), delay=0)
            rejected.reject("never", wait=True)
            released.release()
            waits.nack(delay=3600, wait=True)
            with self.assertRaisesRegex(shunt.Stale, "answered before"):
                acked.ack()
            again = {delivery.seq: delivery for delivery in (consumer.next(30), consumer.next(30))}
            self.assertEqual({seq: (delivery.attempts, delivery.deliveries) for seq, delivery in again.items()}, {2: (1, 2), 4: (0, 2)})
            again[2].reject(ValueError("last"), wait=True)
            consumer.ack(again[4], wait=True)
        self.assertEqual(self.counts("t"), {"acked": 2, "dead": 2, "delayed": 1})
        letters = {letter["origin"]: self.broker.dlq_show("t", letter["id"]) for letter in self.broker.dlq_list("t")}
        self.assertEqual([(row["outcome"], row["error_type"], row["error_message"], row["error_stack"]) for row in letters["t/2"]["history"]],
                         [("nacked", "Odd", "it is odd", "somewhere"), ("rejected", "ValueError", "ValueError: last", "ValueError: last\n")])
        self.assertEqual(letters["t/3"]["error_message"], "never")

    def test_a_lease_that_is_over(self):
        self.broker.topic_create("t", lease_ms=1000, max_attempts=1, **QUICK)
        self.broker.publish_batch("t", [b""] * 3)
        with self.client().consume("t", window=3) as consumer:
            first = consumer.next(30)
            wire.until(lambda: self.counts("t").get("dead"))
            with self.assertRaises(shunt.Stale):
                first.ack(wait=True)
            self.assertEqual(consumer.stale, 1)
            rest = [consumer.next(30) for _ in range(2)]
            self.assertEqual([delivery.attempts for delivery in rest], [0, 0], "what only lay there was charged")
            self.assertGreaterEqual(consumer.dropped, 2)
            consumer.ack(*rest)
        self.assertEqual(self.counts("t"), {"acked": 2, "dead": 1})

    def test_a_message_that_was_begun_and_left_does_not_stop_the_others(self):
        """After a lease that was over the broker hands out nothing until it hears of this consumer, which has nothing to answer."""
        self.broker.topic_create("t", lease_ms=100, max_attempts=1)
        self.broker.publish("t", b"left")
        with self.client().consume("t") as consumer:
            left = consumer.next(30)
            wire.until(lambda: self.counts("t").get("dead"))
            self.broker.publish("t", b"next")
            following = consumer.next(30)
            self.assertEqual((left.body, following.body), (b"left", b"next"))

    def until_of(self, message):
        holder = self.broker.why(message)["groups"][0]["holder"]
        return holder["until"] if holder else 0

    def test_a_lease_is_extended(self):
        self.broker.topic_create("t", lease_ms=5000, max_attempts=1)
        self.broker.publish_batch("t", [b"", b""])
        with self.client().consume("t", window=1) as consumer:
            first = consumer.next(30)
            begin = self.until_of("t/1")
            first.extend(3600)
            self.assertGreater(self.until_of("t/1"), begin + 3000000)
            first.ack(wait=True)
            second = consumer.next(30)
            begin = self.until_of("t/2")
            second.keep()
            wire.until(lambda: self.until_of("t/2") > begin + 1000)
            second.ack(wait=True)
            with self.assertRaises(shunt.Stale):
                second.extend(1)

    def test_a_topic_that_goes_away_ends_its_consumer(self):
        self.broker.topic_create("t")
        with self.client().consume("t") as consumer:
            self.broker.topic_delete("t")
            with self.assertRaises(shunt.UnknownTopic):
                consumer.next(30)
        with self.assertRaises(shunt.UnknownTopic):
            self.broker.consume("t")

    def test_a_client_in_each_thread(self):
        self.broker.topic_create("t")
        self.broker.publish_batch("t", map(str, range(400)))
        seen, lock = [], threading.Lock()

        def run():
            with shunt.connect(self.server.url) as client:
                client.work("t", note, drain=True, window=4)

        def note(delivery):
            with lock:
                seen.append(delivery.body)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(map(int, seen)), list(range(400)))


WORKER = """
import sys
sys.path.insert(0, {path!r})
import shunt

def handle(message):
    if message.body == b"hang":
        print("hangs", flush=True)
        sys.stdin.readline()
    print(message.id, flush=True)

class Consumer(shunt.Consumer):
    def _open(self, deadline):
        if "{connect}" == "Client":  # which is not connected yet
            print("waits", flush=True)
        super()._open(deadline)

shunt.client.Consumer = Consumer
with shunt.{connect}({url!r}) as broker:
    print("handled", broker.work("t", handle, window=1), flush=True)
"""

FORKING = """
import os, sys
sys.path.insert(0, {path!r})
import shunt

broker = shunt.connect({url!r})
consumer = broker.consume("t")
consumer.next()
if os.fork() == 0:
    try:
        broker.ping()
    except shunt.Error as error:
        print("child:", error.name, flush=True)
sys.stdin.read()
"""


class Working(Case):
    def test_poison_dies_of_its_own_traceback(self):
        self.broker.topic_create("t", max_attempts=3, **QUICK)
        self.broker.publish_batch("t", ["fine", "poison", "fine", "poison"])

        def deeper(body):
            if body == b"poison":
                raise ValueError(f"cannot read {body}")

        self.assertEqual(self.broker.work("t", lambda delivery: deeper(delivery.body), drain=True), 8)
        self.assertEqual(self.counts("t"), {"acked": 2, "dead": 2})
        letter = self.broker.dlq_show("t", "t/2")
        self.assertEqual((letter["reason"], letter["error_type"], letter["error_message"]), ("max_attempts", "ValueError", "ValueError: cannot read b'poison'"))
        self.assertRegex(letter["error_stack"], r"(?s)^Traceback \(most recent call last\):\n.*line \d+, in deeper\n    raise ValueError")
        self.assertNotIn("working.py", letter["error_stack"], "frames of the package itself")
        (cause,) = self.broker.dlq_causes("t")
        self.assertEqual((cause["dead"], re.sub(r" *\(.*", "", cause["title"])), (2, cause["title"].split(" (")[0]))
        self.assertIn("in deeper" if "in deeper" in cause["title"] else "deeper", cause["title"])

    def test_what_a_handler_may_say(self):
        self.broker.topic_create("t", max_attempts=2, **QUICK)
        self.broker.publish_batch("t", ["reject", "retry", "release", "self", "fine"])

        def handle(delivery):
            match delivery.body:
                case b"reject":
                    raise shunt.Reject("never")
                case b"retry":
                    raise shunt.Retry("later", delay=0.001)
                case b"release" if delivery.deliveries < 3:
                    raise shunt.Release(delay=0.001)
                case b"self":
                    delivery.nack("by itself", delay=3600)

        with self.broker.consume("t") as consumer:
            while self.counts("t") != {"acked": 2, "dead": 2, "delayed": 1}:
                if delivery := consumer.next(0.05):
                    working.handle(handle, delivery)
        self.assertEqual({letter["origin"]: (letter["reason"], letter["error_type"]) for letter in self.broker.dlq_list("t")},
                         {"t/1": ("rejected", "shunt.working.Reject"), "t/2": ("max_attempts", "shunt.working.Retry")})

    def spawn(self, connect="connect"):
        process = subprocess.Popen([sys.executable, "-c", WORKER.format(connect=connect, path=str(harness.SOURCE_ROOT / "python"), url=self.server.url)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_a_stop_finishes_what_is_at_hand(self):
        self.broker.topic_create("t", max_attempts=1)
        self.broker.publish_batch("t", ["hang", "next"])
        process = self.spawn()
        self.assertEqual(process.stdout.readline(), "hangs\n")
        process.send_signal(signal.SIGTERM)
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual((process.stdout.read(), process.wait()), ("t/1\nhandled 1\n", 0))
        self.assertEqual(self.counts("t"), {"ready": 1, "acked": 1})

    def test_a_worker_may_be_started_before_its_broker(self):
        self.broker.topic_create("t")
        self.broker.publish("t", "first")
        self.server.kill()
        client = shunt.Client(self.server.url, timeout=0.1)
        self.addCleanup(client.close)
        thread = threading.Thread(target=client.work, args=("t", lambda delivery: None), kwargs={"drain": True})
        thread.start()
        wire.until(lambda: client._link.failures > 2)
        self.server.start()
        thread.join()
        self.assertEqual(self.counts("t"), {"acked": 1})

    def test_a_stop_ends_a_worker_that_waits_for_its_broker(self):
        self.server.kill()
        process = self.spawn(connect="Client")
        self.assertEqual(process.stdout.readline(), "waits\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual((process.stdout.read(), process.wait()), ("handled 0\n", 0))

    def test_a_stop_ends_an_idle_worker(self):
        self.broker.topic_create("t")
        self.broker.publish("t", "first")
        process = self.spawn()
        self.assertEqual(process.stdout.readline(), "t/1\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual((process.stdout.read(), process.wait()), ("handled 1\n", 0))

    def test_a_worker_that_is_killed_is_charged_for_what_it_had_begun(self):
        self.broker.topic_create("t", max_attempts=1)
        self.broker.publish_batch("t", ["hang", "next"])
        process = self.spawn()
        self.assertEqual(process.stdout.readline(), "hangs\n")
        process.kill()
        wire.until(lambda: self.counts("t") == {"ready": 1, "dead": 1})
        self.assertEqual(self.broker.dlq_show("t", "t/1")["history"][0]["outcome"], "disconnected")

    def test_a_forked_child_does_not_keep_the_connection(self):
        self.broker.topic_create("t", max_attempts=1)
        self.broker.publish("t", "hang")
        process = subprocess.Popen([sys.executable, "-c", FORKING.format(path=str(harness.SOURCE_ROOT / "python"), url=self.server.url)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)  # which ends the child
        self.assertEqual(process.stdout.readline(), "child: CLOSED\n")
        process.kill()
        wire.until(lambda: self.counts("t") == {"dead": 1})
        self.assertEqual(self.broker.dlq_show("t", "t/1")["history"][0]["outcome"], "disconnected")


class Administration(Case):
    def test_dead_letters(self):
        self.broker.topic_create("t", max_attempts=1, breaker=0, groups=["a", "b"])
        self.broker.publish_batch("t", map(str, range(150)))
        with self.assertRaises(shunt.UnknownGroup):
            self.broker.consume("t")

        def fail(delivery):
            raise (ValueError if int(delivery.body) % 2 else KeyError)(delivery.seq)

        self.broker.work("t", fail, group="a", drain=True)
        self.assertEqual([letter["origin"] for letter in self.broker.dlq_list("t", "a")], [f"t/{seq}" for seq in range(1, 151)], "of more than one page")
        self.assertEqual(len(list(self.broker.dlq_list("t", "a", type="ValueError"))), 75)
        causes = self.broker.dlq_causes("t", "a")
        self.assertEqual(sorted(cause["dead"] for cause in causes), [75, 75])
        cause = causes[0]["cause"]
        self.assertEqual(self.broker.dlq_attend("t", "a", cause=cause), 1)
        self.assertEqual(self.broker.dlq_attend("t", "a", messages=["t/1", "t/2", "t/999"]), 2)
        self.assertEqual(self.broker.cause_update("t", cause, "a", state="muted", owner="ann", note="known"), 75)
        self.assertEqual({name: self.broker.dlq_cause("t", cause, "a")[name] for name in ("state", "owner", "note")}, {"state": "muted", "owner": "ann", "note": "known"})

        def done(answer):
            job, count = answer
            wire.until(lambda: not job or self.broker.job_show(job)["state"] == "done")
            return count

        self.assertEqual(done(self.broker.dlq_redrive("t", ["t/1", "t/2"], group="a")), 2)
        self.assertEqual(done(self.broker.dlq_redrive("t", group="a", count=3)), 3)
        self.assertEqual(done(self.broker.dlq_purge("t", group="a", filter={"type": "KeyError"}, reason="of no use")), 145)
        # Bodies begin at 0: of the five, two were a ValueError and three a KeyError.
        self.assertEqual(self.counts("t", "a"), {"ready": 5, "dead": 73, "purged": 72})
        self.assertEqual(done(self.broker.dlq_purge("t", group="a")), 73)
        self.assertEqual(done(self.broker.dlq_redrive("t", group="a")), 0)

    def test_reading_a_dead_letter_queue(self):
        self.broker.topic_create("t", max_attempts=1)
        self.broker.publish("t", b"x", headers={"a": "b"})
        self.broker.work("t", lambda delivery: 1 / 0, drain=True)
        with self.broker.consume(shunt.dlq_name("t")) as letters:
            letter = letters.next(30)
            self.assertEqual((letter.topic, letter.body, letter.headers, letter.dead["origin"], letter.dead["error_type"]), ("dlq:t:default", b"x", {"a": "b"}, "t/1", "ZeroDivisionError"))
            letter.ack(wait=True)
        self.assertEqual(self.counts("t"), {"acked": 1})

    def test_topics_and_groups(self):
        for number in range(120):
            self.broker.topic_create(f"t{number:03}")
        self.assertEqual([topic["topic"] for topic in self.broker.topic_list()], [f"t{number:03}" for number in range(120)], "of more than one page")
        self.broker.topic_update("t001", ttl_ms=5, reason="why not")
        self.assertEqual(self.broker.topic_show("t001")["topic"], "t001")
        self.broker.group_create("t001", "more", start="now", max_attempts=7)
        self.broker.group_update("t001", "more", lease_ms=None)
        self.broker.group_pause("t001", "more")
        self.assertTrue(self.broker.group_show("t001", "more")["paused"])
        self.broker.group_resume("t001", "more")
        self.broker.group_reset_breaker("t001", "more")
        self.assertEqual([group["group"] for group in self.broker.group_list("t001")], ["default", "more"])
        self.broker.group_delete("t001", "more")
        self.broker.publish("t002", b"")
        self.broker.topic_purge("t002")
        wire.until(lambda: self.counts("t002") == {"purged": 1})
        self.assertEqual(self.broker.why("t002/1")["groups"][0]["state"], "done")
        self.broker.topic_delete("t003")
        stats = self.broker.stats()
        self.assertEqual((stats["topics"], stats["purged"] if "purged" in stats else 1), (119, 1))
        self.assertGreater(self.broker.ping(), 0)
        self.assertEqual([client["client"] for client in self.broker.client_list()], [self.broker._link.hello["client"]])
        self.assertIn("shunt", self.broker.server["server"])
        with self.assertRaises(shunt.BadArgument):
            self.broker.topic_update("t001", no_such_setting=1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
