"""Stores that earlier versions made are taken over: nothing is lost, everything adds up, and what was going on goes on.

stores/layout-N.mdb.xz was made by the last version that wrote layout N:

    SHUNTD=…/shuntd python3 test_old_store.py make stores/layout-N.mdb.xz

The times in it are those of its making, so nothing here may depend on what has fallen due since.
"""
import lzma
import pathlib
import subprocess
import sys
import unittest

import harness
import wire

STORES = pathlib.Path(__file__).parent / "stores"
PRODUCER = bytes(range(16))
ACKED, DEAD, BACK, FRESH = 40, 6, 5, 30
MIB = 1 << 20
TEXT = "could not reach the printer"


def body(i):
    return f"order {i}".encode()


def fill(server):
    """One message or more in every state, and a job that is not done."""
    with wire.connect(server, producer=PRODUCER) as client:
        client.topic_create("orders", groups=["bill", "ship"], max_attempts=1)
        client.publish("orders", *(body(i) for i in range(ACKED + DEAD + BACK + FRESH)), sequence=1)
        client.publish("orders", [b"later", {"for": "tomorrow"}, "a key", 86_400_000], sequence=2)
        client.publish("orders", [b"not for ever", {}, None, 0, 86_400_000], sequence=3)
        subscription = client.subscribe("orders", "bill", messages=1000)
        held = subscription.take(ACKED + DEAD + BACK + FRESH + 1)
        subscription.ack(*held[:ACKED])
        for delivery in held[ACKED:ACKED + DEAD]:
            subscription.nack(delivery, None, "PrinterError", TEXT, "at print()\nat main()")
        client.group_update("orders", "bill", max_attempts=5)
        for delivery in held[ACKED + DEAD:ACKED + DEAD + BACK]:
            subscription.nack(delivery, 0, "PrinterError", TEXT)
        client.topic_create("parcels", groups=["default"], max_attempts=1)
        client.publish("parcels", b"one")
        subscription = client.subscribe("parcels", "default")
        subscription.nack(subscription.take(1)[0], None, "Lost", "no address")
        client.publish("parcels", b"two")
        # One at a time, of two: it is under way when the server ends.
        client.dlq_redrive("orders", "bill", rate=1, count=2)


def make(path):
    server = harness.Server()
    try:
        server.start()
        fill(server)
        server.kill()
        # Without what was set aside for later.
        data = (server.data / "data.mdb").read_bytes().rstrip(b"\0")
        data += bytes(-len(data) % MIB)
    finally:
        server.remove()
    pathlib.Path(path).write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    print(f"{path}: {len(data)} bytes of store")


class OldStore(unittest.TestCase):
    def open(self, name):
        server = harness.Server()
        self.addCleanup(server.remove)
        server.data.mkdir(mode=0o700)
        (server.data / "data.mdb").write_bytes(lzma.decompress((STORES / name).read_bytes()))
        return server

    def check(self, server):
        done = subprocess.run([server.program, "--check", server.data], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def connect(self, server):
        client = wire.connect(server, producer=PRODUCER)
        self.addCleanup(client.close)
        return client

    def test_each_is_taken_over(self):
        names = sorted(path.name for path in STORES.glob("*.xz"))
        self.assertGreater(len(names), 0)
        for name in names:
            with self.subTest(name):
                server = self.open(name)
                self.check(server)  # which reads it and changes nothing
                server.start()
                self.look(self.connect(server))
                server.kill()
                self.check(server)
                server.start()  # and once more, now that it is taken over
                self.work(self.connect(server))
                self.assertEqual(server.stop(), 0, server.log_text())
                self.check(server)

    def look(self, client):
        stats = client.stats()
        self.assertEqual(stats["conservation_error"], 0)
        self.assertEqual(stats["published"], 2 * (ACKED + DEAD + BACK + FRESH + 2) + 2)  # a group each
        self.assertEqual([g["group"] for g in client.topic_show("orders")["groups"]], ["bill", "ship"])
        letters = client.dlq_list("orders", "bill")[0]
        self.assertGreaterEqual(len(letters), DEAD - 2)
        shown = client.dlq_show("orders", letters[-1]["id"], "bill")
        self.assertEqual(shown["history"][-1]["error_message"], TEXT)

    def work(self, client):
        """Every message is there; the dead come back, and are done."""
        client.dlq_redrive("orders", "bill", all=True)
        client.dlq_redrive("parcels", "default", all=True)
        wanted = {"bill": {body(i) for i in range(ACKED, ACKED + DEAD + BACK + FRESH)},
                  "ship": {body(i) for i in range(ACKED + DEAD + BACK + FRESH)}}
        for group, bodies in wanted.items():
            subscription = client.subscribe("orders", group, messages=1000)
            while bodies:
                delivery = subscription.take(1)[0]
                bodies.discard(delivery.message.body)
                subscription.ack(delivery)
        subscription = client.subscribe("parcels", "default")
        self.assertEqual({d.message.body for d in subscription.take(2)}, {b"one", b"two"})
        self.assertEqual(client.stats()["conservation_error"], 0)

    def test_a_newer_one_is_refused_with_a_sentence(self):
        server = self.open(sorted(path.name for path in STORES.glob("*.xz"))[-1])
        server.start()
        server.stop()
        data = bytearray((server.data / "data.mdb").read_bytes())
        layout = int(subprocess.run([server.program, "--version"], capture_output=True, text=True, check=True).stdout.split("layout ")[1].split(")")[0])
        key = b"\0version"
        self.assertGreater(data.count(key), 0)
        at = -1
        while (at := data.find(key, at + 1)) >= 0:
            data[at + len(key):at + len(key) + 4] = (layout + 1).to_bytes(4, "big")
        (server.data / "data.mdb").write_bytes(data)
        done = subprocess.run([server.program, "--data", server.data, "--listen", "127.0.0.1:0", "--http", "off"], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 76)
        self.assertIn("a newer shunt", done.stderr)
        self.assertIn(f"version {layout + 1}", done.stderr)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        harness.main()
