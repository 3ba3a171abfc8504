"""The audit log (section 7 of the page): each act leaves one row that says who, what, when, from where and why."""

import time
import unittest

from client import (AUDIT_LIST, CAUSE_UPDATE, CLOCK_SET, DLQ_ATTEND, DLQ_EDIT, DLQ_PURGE, DLQ_REDRIVE, RULE_DELETE, RULE_SET, GROUP_CREATE, GROUP_DELETE, GROUP_PAUSE,
                    GROUP_RESUME, GROUP_UPDATE, BREAKER_RESET, JOB_CANCEL, TOPIC_CREATE, TOPIC_DELETE, TOPIC_PURGE, TOPIC_UPDATE)
from server import WireTest

KEYS = {"id", "time", "act", "topic", "group", "asked", "job", "count", "user", "client", "host", "peer", "reason"}


class Audit(WireTest):
    def acts(self, client, after=0, limit=None, **asked):
        rows, more, following = client.request(AUDIT_LIST, after, limit, asked or None)
        return rows, more, following

    def newest(self, client):
        """The number of the newest act."""
        after = 0
        while True:
            _, more, after = self.acts(client, after, 1000)
            if not more:
                return after

    def test_each_act_leaves_one_row_with_who_what_and_why(self):
        name = self.topic
        client = self.connect(client="ann@desk", host="h1")
        before = self.newest(client)
        worker = self.connect(client="w", host="h", build="b")
        did = []

        def act(op, fields, place, wanted):
            """`fields` and, at `place` behind op and id, the reason."""
            answer = client.request(op, *fields, *[None] * (place - len(fields)), f"because {len(did)}")
            did.append((wanted, f"because {len(did)}"))
            return answer

        act(TOPIC_CREATE, [name], 3, ("topic_created", name, None, None))
        act(TOPIC_UPDATE, [name, {"ttl_ms": 60000, "lease_ms": None}], 2, ("topic_updated", name, None, "lease_ms=inherit ttl_ms=60000"))
        act(GROUP_CREATE, [name, "g", None, "now"], 4, ("group_created", name, "g", "from=now"))
        act(GROUP_UPDATE, [name, "g", {"max_attempts": 7}], 3, ("group_updated", name, "g", "max_attempts=7"))
        act(GROUP_PAUSE, [name, "g"], 2, ("group_paused", name, "g", None))
        act(GROUP_RESUME, [name, "g"], 2, ("group_resumed", name, "g", None))
        act(BREAKER_RESET, [name, "g"], 2, ("breaker_reset", name, "g", None))
        worker.publish(name, b"1", b"2", b"3")
        subscription = worker.subscribe(name, "default", messages=3)
        subscription.resolve(*((d.seq, d.token, 2, None, "E", "m", None) for d in subscription.take(3)))
        [cause] = client.request(64, name, "default")[0]
        act(CAUSE_UPDATE, [name, "default", cause["cause"], {"state": "muted", "note": "a note"}], 4,
            ("cause_updated", name, "default", f'cause={cause["cause"]} state=muted note="a note"'))
        [number] = act(RULE_SET, [name, "default", 7, {"reason": "corrupt"}, {"action": "mute"}], 5, ("rule_set", name, "default", "rule=7 reason=corrupt action=mute"))
        self.assertEqual(number, 7)
        act(RULE_DELETE, [name, "default", 7], 3, ("rule_deleted", name, "default", "rule=7"))
        act(DLQ_EDIT, [name, "default", "1", 0, b"mended"], 5, ("dlq_edited", name, "default", "message=1 body=6B"))
        job, count = act(DLQ_REDRIVE, [name, "default", {"count": 2}, 1], 5, ("dlq_redriven", name, "default", "count=2 rate=1"))
        self.assertEqual(count, 2)
        act(JOB_CANCEL, [job], 1, ("job_cancelled", name, "default", f"job={job}"))
        act(DLQ_PURGE, [name, "default", {"all": True}], 4, ("dlq_purged", name, "default", "all=true"))
        act(TOPIC_PURGE, [name, "g"], 2, ("topic_purged", name, "g", None))
        act(CLOCK_SET, [], 0, ("clock_set", None, None, None))
        act(GROUP_DELETE, [name, "g"], 2, ("group_deleted", name, "g", None))
        act(TOPIC_DELETE, [name], 1, ("topic_deleted", name, None, None))
        rows, more, following = self.acts(client, before, 1000)
        self.assertFalse(more)
        self.assertEqual([((row["act"], row["topic"], row["group"], row["asked"]), row["reason"]) for row in rows], did)
        host, port = client.socket.getsockname()
        for at, row in enumerate(rows):
            self.assertEqual(set(row), KEYS)
            self.assertEqual((row["client"], row["host"], row["peer"]), ("ann@desk", "h1", f"{host}:{port}"))
            self.assertEqual(row["id"], before + 1 + at)
            self.assertLess(abs(row["time"] - time.time() * 1000), 3600000)
        self.assertEqual(following, rows[-1]["id"])
        redriven, cancelled = rows[11], rows[12]
        self.assertEqual((redriven["job"], redriven["count"], cancelled["job"]), (job, 2, job))

    def test_what_is_refused_or_only_looks_leaves_none(self):
        client = self.create()
        before = self.newest(client)
        self.refused("TOPIC_EXISTS", client.request, TOPIC_CREATE, self.topic)
        self.refused("UNKNOWN_TOPIC", client.request, TOPIC_DELETE, "none")
        self.refused("LAST_GROUP", client.request, GROUP_DELETE, self.topic, "default")
        self.refused("BAD_ARGUMENT", client.request, DLQ_PURGE, self.topic, "default", {})
        self.refused("NOT_FOUND", client.request, JOB_CANCEL, 2 ** 40)
        self.refused("NOT_FOUND", client.request, DLQ_ATTEND, self.topic, "default", None, ["1"])
        client.publish(self.topic, b"x")
        client.topic_show(self.topic)
        self.assertEqual(self.newest(client), before)

    def test_a_reason_is_optional_and_as_long_as_its_bound_and_no_longer(self):
        client = self.create()
        before = self.newest(client)
        longest = "é" * 256
        client.request(GROUP_PAUSE, self.topic, "default")
        client.request(GROUP_PAUSE, self.topic, "default", None)
        client.request(GROUP_PAUSE, self.topic, "default", longest)
        self.assertIn("512 bytes", self.refused("TOO_LARGE", client.request, GROUP_PAUSE, self.topic, "default", longest + "x").text)
        self.refused("BAD_ARGUMENT", client.request, GROUP_PAUSE, self.topic, "default", "a\0b")
        rows, _, _ = self.acts(client, before)
        self.assertEqual([row["reason"] for row in rows], [None, None, longest])

    def test_pages_go_on_where_the_last_one_ended_and_filters_choose(self):
        client = self.create()
        client.topic_create("another")
        before = self.newest(client)
        for n in range(6):
            client.request(GROUP_PAUSE if n % 2 else GROUP_RESUME, "another" if n == 5 else self.topic, "default", str(n))
        rows, more, following = self.acts(client, before, 4)
        self.assertEqual(([row["reason"] for row in rows], more), (["0", "1", "2", "3"], True))
        self.assertEqual(following, rows[-1]["id"])
        rows, more, following = self.acts(client, following, 4)
        self.assertEqual(([row["reason"] for row in rows], more), (["4", "5"], False))
        self.assertEqual(self.acts(client, following), ([], False, following))
        self.assertEqual(self.acts(client, 2 ** 64 - 1)[:2], ([], False))
        rows, _, _ = self.acts(client, before, topic=self.topic, act="group_paused")
        self.assertEqual([row["reason"] for row in rows], ["1", "3"])
        self.assertEqual(self.acts(client, before, topic="no such")[0], [])
        now = self.acts(client, before)[0][-1]["time"]
        self.assertEqual(len(self.acts(client, before, until=now + 1)[0]), 6)
        self.assertEqual([row for row in self.acts(client, before, until=now)[0] if row["time"] >= now], [])
        self.assertEqual(self.acts(client, before, since=now + 3600000)[0], [])
        self.assertEqual(self.acts(client, before, since=2 ** 64 - 1)[0], [])
        self.assertIn("topic_deleted", self.refused("BAD_ARGUMENT", client.request, AUDIT_LIST, 0, 0, {"act": "delete"}).text)


if __name__ == "__main__":
    unittest.main()
