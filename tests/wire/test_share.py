"""Section 6 of the page: what looks at much is answered page by page, and lets others in between."""

from client import PEEK, frame
from server import WireTest

ASKED = 1000
MESSAGES = 12_000


class Share(WireTest):
    def crowded(self):
        """A topic whose messages the group `default` is through with and another still needs."""
        client = self.create(groups=["default", "late"])
        client.publish(self.topic, *[b"x"] * MESSAGES)
        job = client.topic_purge(self.topic, "default")
        while client.job_show(job)["state"] != "done":
            pass
        return client

    def test_others_are_answered_between_the_answers_to_one_who_looks_at_much(self):
        client = self.crowded()
        asked = range(client.next_id, client.next_id + ASKED)
        client.next_id += ASKED
        client.waiting.extend(asked)  # whose order the client checks
        other = self.connect()
        client.send_bytes(b"".join(frame(PEEK, id, self.topic, "default", 0, 1) for id in asked))
        client.reply(asked[0])
        between = 0
        client.timeout = 60.0
        while asked[-1] not in client.replies:
            other.ping()
            between += 1
            self.read_what_is_there(client)
        self.assertGreaterEqual(between, 10)
        self.assertTrue(all(client.reply(id)[:2] == [[], True] for id in asked[1:]))

    @staticmethod
    def read_what_is_there(client):
        """Frames that have come; does not wait for more."""
        client.socket.setblocking(False)
        try:
            client.buffer += client.socket.recv(1 << 18)
        except BlockingIOError:
            pass
        finally:
            client.socket.settimeout(client.timeout)
        while len(client.buffer) >= 4 and len(client.buffer) >= 4 + int.from_bytes(client.buffer[:4], "big"):
            client.step()

    def test_a_page_that_ends_early_goes_on_at_next(self):
        client = self.crowded()
        client.publish(self.topic, b"last")
        rows, more, after = client.request(PEEK, self.topic, "default", 0, 5)[:3]
        self.assertEqual((rows, more), ([], True))
        rows, more, _ = client.request(PEEK, self.topic, "default", after, 5)[:3]
        self.assertEqual(([row["seq"] for row in rows], more), ([MESSAGES + 1], False))
