"""Section 1 of the page: the text of an ERROR is for people: it says what is missing, by name."""

from client import CREDIT, PEEK, SUBSCRIBE
from server import WireTest


class Texts(WireTest):
    def test_who_asks_for_a_topic_that_is_not_there_reads_its_name(self):
        client = self.create()
        for call, *arguments in (
                (client.topic_show,), (client.topic_update,), (client.topic_delete,), (client.topic_purge,), (client.group_list,),
                (client.group_create, "g"), (client.group_update, "g"), (client.group_show,), (client.group_delete, "g"),
                (client.group_pause,), (client.group_resume,), (client.peek,), (client.dlq_list,), (client.publish, b"x"), (client.subscribe,)):
            with self.subTest(call=call.__name__):
                text = self.refused("UNKNOWN_TOPIC", call, "nowhere", *arguments).text
                self.assertIn("no such topic: `nowhere`", text)
                self.assertIn("create it", text)
        for call, arguments in ((client.dlq_show, ("1",)), (client.dlq_redrive, ()), (client.dlq_purge, ())):
            with self.subTest(call=call.__name__):
                named = {} if arguments else {"all": True}
                self.assertIn("`nowhere`", self.refused("UNKNOWN_TOPIC", call, "nowhere", *arguments, **named).text)
        self.assertIn(f"`{self.topic}`", self.refused("TOPIC_EXISTS", client.topic_create, self.topic).text)

    def test_who_asks_for_a_group_that_is_not_there_reads_its_name(self):
        client = self.create()
        says = f"no such group: `nobody` of topic `{self.topic}`"
        for call in (client.topic_purge, client.group_update, client.group_show, client.group_delete, client.group_pause, client.peek,
                     client.dlq_list, client.subscribe):
            with self.subTest(call=call.__name__):
                self.assertIn(says, self.refused("UNKNOWN_GROUP", call, self.topic, "nobody").text)
        self.assertIn(says, self.refused("UNKNOWN_GROUP", client.dlq_show, self.topic, "1", "nobody").text)
        self.assertIn(says, self.refused("UNKNOWN_GROUP", client.dlq_purge, self.topic, "nobody", all=True).text)
        self.assertIn(f"`default` of topic `{self.topic}`", self.refused("GROUP_EXISTS", client.group_create, self.topic, "default").text)

    def test_who_asks_for_something_else_that_is_not_there_reads_which(self):
        client = self.create()
        text = self.refused("NOT_FOUND", client.dlq_show, self.topic, f"{self.topic}/7").text
        self.assertIn(f"`{self.topic}/7` among the dead letters of group `default` of topic `{self.topic}`", text)
        self.assertIn("job 4711", self.refused("NOT_FOUND", client.job_show, 4711).text)
        self.assertIn("job 4711", self.refused("NOT_FOUND", client.job_cancel, 4711).text)
        self.assertIn("subscription 99", self.refused("NOT_FOUND", client.request, CREDIT, 99, 1, 1).text)

    def test_who_loses_a_subscription_reads_whose(self):
        client = self.create(groups=["default", "audit"])
        by_group = client.subscribe(self.topic, "audit")
        by_topic = client.subscribe(self.topic)
        other = self.connect()
        other.group_delete(self.topic, "audit")
        other.topic_delete(self.topic)
        client.ping()
        self.assertEqual(by_group.closed.text, f"no such group: `audit` of topic `{self.topic}`, which was deleted")
        self.assertEqual(by_topic.closed.text, f"no such topic: `{self.topic}`, which was deleted")

    def test_a_hostile_name_does_no_harm(self):
        client = self.create()
        text = self.refused("UNKNOWN_TOPIC", client.request, PEEK, "\x1b[2J\r\nshunt: all is well", "g", 0, 1).text
        self.assertIn("`?[2J??shunt: all is well`", text)
        text = self.refused("UNKNOWN_GROUP", client.request, PEEK, self.topic, "x" * 100_000, 0, 1).text
        self.assertLess(len(text), 500)
        self.assertIn("…`", text)
        self.refused("BAD_NAME", client.request, SUBSCRIBE, "a\nb", "g", 1, 1)
