"""rig: what the tests of this folder share: the harness of tests/e2e, and its storm behind a proxy."""
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
import history  # noqa: E402
import test_kill_broker  # noqa: E402
import wire  # noqa: E402

SANITIZED = bool(os.environ.get("SANITIZED"))
ATTEMPTS_FOR_EVER = 1000


def address(server):
    host, port = re.match(r"shunts?://(.+?):(\d+)", server.url).groups()
    return host, int(port)


class Through:
    """A server as those see it who come through a proxy."""

    def __init__(self, server, proxy):
        self.directory, self.url = server.directory, proxy.url

    def environment(self):
        return {**os.environ, "SHUNT_URL": self.url}


class LostConnections:
    """libshunt's publishers and consumers while connections are lost, and the judgement of all that they saw.

    A lost connection charges what was started on it alone, so attempts may grow without a nack; and nothing may die of that here.
    """

    def begin(self, server, through):
        self.server = server
        history.MAX_ATTEMPTS = ATTEMPTS_FOR_EVER
        with wire.connect(server) as client:
            client.topic_create(test_kill_broker.TOPIC, max_attempts=ATTEMPTS_FOR_EVER, lease_ms=600000, backoff_min_ms=1, backoff_max_ms=20)
        self.storm = test_kill_broker.Storm(through)

    def moved(self, published, acked, seconds=60):
        """Wait until so much more was confirmed."""
        before = self.storm.now()

        def enough():
            now = self.storm.now()
            return now["published"] - before["published"] >= published and now["acked"] - before["acked"] >= acked

        def why():
            self.storm.check_alive()
            return f"the storm stands still: {before} became {self.storm.now()}\n" + self.server.log_text()[-2000:]

        wire.until(enough, seconds, why)

    def note_end(self, client, dead):
        """Judged by history.py alone: it allows for what a lost connection charges."""

    def finish(self):
        """Let it come to its end; returns (history, faults)."""
        found = test_kill_broker.KillBroker.finish(self)
        faults = [fault for fault in history.find_faults(found) if not fault.startswith("charged for what was no failure")]
        return found, faults

    def assertEqual(self, first, second, text=""):
        if first != second:
            raise AssertionError(f"{first} != {second} {text}")
