#!/usr/bin/env python3
"""Rules on dead letters by the tool, with real workers: a fault that passes by itself, one that does not, and a broker that is killed in between."""
import re
import unittest
import urllib.request

from cli_case import NOTHING, USAGE, Case


class Rules(Case):
    def setUp(self):
        super().setUp()
        self.shunt("topic", "create", "t", "--max-attempts", "1")

    def rules(self):
        return self.document("rule", "list", "t")

    def die(self, *codes):
        """A worker takes what there is until there is nothing more, and exits so."""
        for code in codes:
            self.shunt("publish", "t", "--lines", input=f"m{code}\n")
            self.server.shunt("work", "t", "--drain", "--", "sh", "-c", f"echo it says {code} >&2; exit {code}", check=False)

    def stop(self, worker):
        worker.terminate()
        worker.communicate(timeout=60)

    def test_a_fault_that_passes_is_brought_back_until_it_has_passed(self):
        self.assertEqual(self.document("rule", "set", "t", "--action", "redrive", "--type", "exit 75", "--times", "20", "--wait", "1ms")["rule"], 10)
        (self.directory / "down").touch()
        self.shunt("publish", "t", "--lines", input="m\n")
        worker = self.start("work", "t", "--", "sh", "-c", f"echo >>{self.directory}/tried; test ! -e {self.directory}/down || exit 75")
        tried = self.directory / "tried"
        self.eventually(lambda: tried.exists() and len(tried.read_text().splitlines()) >= 2)
        self.stop(worker)
        self.server.kill()
        self.server.start()
        (self.directory / "down").unlink()
        worker = self.start("work", "t", "--", "sh", "-c", "true")
        self.eventually(lambda: self.group("t")["acked"] + self.group("t")["dead"] == 1 and self.rules()[0]["waiting"] == 0 and not self.group("t")["ready"])
        self.stop(worker)
        [rule] = self.rules()
        self.assertEqual(self.group("t")["acked"], 1)
        self.assertEqual((rule["outcomes"]["acked"], rule["outcomes"]["pending"], rule["given_up"]), (1, 0, 0))
        self.assertEqual(rule["matched"], rule["done"])

    def test_a_letter_tells_which_rule_will_act_and_when_and_how_to_stop_it(self):
        self.shunt("rule", "set", "t", "--action", "redrive", "--type", "exit 75", "--wait", "1d", "--wait-max", "1d")
        self.die(75, 3)
        waits, stays = self.document("dlq", "list", "t")
        self.assertEqual((waits["rule"], waits["rule_action"], stays["rule"], stays["rule_action"], stays["rule_at"]), (10, "redrive", None, None, None))
        self.assertRegex(waits["rule_at"], r"^20\d\d-.*Z$")
        listed = self.shunt("dlq", "list", "t")
        self.assertRegex(listed.stdout.splitlines()[1], r" 10 redrive in \d+")
        self.assertIn("RULE will act on 1 of these: `shunt rule set t NUMBER --off -g default` leaves them where they are", listed.stderr)
        stop = "shunt rule set t 10 --off -g default"
        for command in (("dlq", "show", "t", "t/1"), ("why", "t/1")):
            told = self.shunt(*command).stdout
            self.assertIn(f"rule 10 brings it back at {waits['rule_at']}, unless somebody decides before", told)
            self.assertIn(f"(`{stop}` leaves it where it is)", told)
        self.assertNotIn("--off", self.shunt("dlq", "show", "t", "t/2").stdout)
        self.shunt(*stop.split()[1:])
        self.assertEqual([row["rule"] for row in self.document("dlq", "list", "t")], [None, None])
        self.assertNotIn("RULE will act", self.shunt("dlq", "list", "t").stderr)

    def test_a_fault_that_stays_is_given_up_and_somebody_is_to_look(self):
        self.shunt("rule", "set", "t", "--action", "redrive", "--all", "--times", "2", "--wait", "1ms")
        self.shunt("publish", "t", "--lines", input="m\n")
        worker = self.start("work", "t", "--", "sh", "-c", "exit 70")
        self.eventually(lambda: self.rules()[0]["given_up"] == 1)
        self.stop(worker)
        [rule] = self.rules()
        self.assertEqual((rule["matched"], rule["done"], rule["waiting"]), (3, 2, 0))
        self.assertEqual(rule["outcomes"], {"pending": 0, "acked": 0, "failed_same": 2, "failed_other": 0, "gone": 0})
        group = self.group("t")
        self.assertEqual((group["dead"], group["unattended"], group["redriven"]), (1, 1, 2))

    def test_letters_are_moved_each_once_also_if_the_broker_dies_meanwhile(self):
        self.shunt("topic", "create", "others")
        self.shunt("rule", "set", "t", "--action", "move", "--to", "others", "--match", "not mine")
        lines = [f"m{i}" for i in range(100)]
        self.shunt("publish", "t", "-H", "kind=file", "--lines", input="".join(line + "\n" for line in lines))
        self.shunt("topic", "update", "t", "--lease", "1s")  # what the broker lost sight of comes back after that
        refuse = ("work", "t", "-j", "4", "--", "sh", "-c", "echo not mine >&2; exit 65")
        worker = self.start(*refuse)
        self.eventually(lambda: self.group("t")["moved"] >= 20)
        self.server.kill()
        worker.kill()  # else it waits for a broker to tell
        worker.communicate(timeout=60)
        self.server.start()
        worker = self.start(*refuse)
        self.eventually(lambda: self.group("t")["moved"] == 100)
        self.stop(worker)
        group = self.group("t")
        self.assertEqual((group["moved"], group["acked"], group["published"]), (100, 0, 100))
        self.assertEqual((self.rules()[0]["matched"], self.rules()[0]["done"], self.rules()[0]["given_up"]), (100, 100, 0))
        self.shunt("work", "others", "--drain", "--", "sh", "-c", f'printf "%s %s %s\\n" "$SHUNT_HEADER_SHUNT_ORIGIN" "$SHUNT_HEADER_KIND" "$(cat)" >>{self.directory}/arrived')
        arrived = sorted((self.directory / "arrived").read_text().splitlines())
        self.assertEqual(arrived, sorted(f"t/{i + 1} file {line}" for i, line in enumerate(lines)))

    def test_what_cannot_be_moved_stays_a_letter_and_says_so(self):
        self.shunt("topic", "create", "u", "--max-attempts", "1")
        self.shunt("rule", "set", "t", "--action", "move", "--to", "u", "--all")
        self.shunt("rule", "set", "u", "--action", "move", "--to", "t", "--all")
        self.die(3)
        self.eventually(lambda: self.group("t")["moved"] == 1)
        why = self.shunt("why", "t/1").stdout
        self.assertIn("moved to u/1 by rule 10 on dead letters", why)
        self.shunt("work", "u", "--drain", "--", "sh", "-c", "exit 3")
        self.eventually(lambda: self.document("rule", "list", "u")[0]["given_up"] == 1)
        self.assertEqual((self.group("u")["dead"], self.group("u")["unattended"]), (1, 1), "what was moved once is not moved again")
        self.shunt("topic", "delete", "u", "-y")
        self.die(4)
        self.eventually(lambda: self.rules()[0]["given_up"] == 1)
        self.assertEqual((self.group("t")["dead"], self.group("t")["unattended"]), (1, 1))

    def test_muted_and_discarded_letters_and_those_of_no_rule(self):
        self.shunt("rule", "set", "t", "20", "--action", "discard", "--match", "says 3")
        self.shunt("rule", "set", "t", "10", "--action", "mute", "--type", "exit 4")
        self.die(3, 4, 5)
        self.eventually(lambda: self.group("t")["discarded"] == 1)
        group = self.group("t")
        self.assertEqual((group["dead"], group["unattended"]), (2, 1))
        table = self.shunt("rule", "list", "t").stdout.splitlines()
        self.assertRegex(table[0], r"^RULE +STATE +ACTION +MATCHED +DONE +WAITING +GIVEN UP +ACKED +FAILED +FILTER$")
        self.assertRegex(table[1], r"^ *10 +on +mute +1 +1 +0 +0 +- +- +type=exit 4$")
        self.assertRegex(table[2], r"^ *20 +on +discard +1 +1 .* match=says 3$")
        why = self.shunt("why", "t/1").stdout
        self.assertIn("rule 20", why)

    def test_what_rules_did_is_on_the_page_of_metrics_and_outlives_them(self):
        self.shunt("topic", "create", "u")
        for code, action, *more in (4, "mute"), (5, "discard"), (6, "redrive", "--times", "1", "--wait", "1ms"), (7, "move", "--to", "u"):
            self.shunt("rule", "set", "t", "--action", action, "--match", f"says {code}", *more)
        self.assertEqual(self.actions(), {"mute": 0, "discard": 0, "redrive": 0, "move": 0}, "before the first, too")
        self.die(4, 4, 4, 4, 5, 5, 5, 6, 7, 7)
        wanted = {"mute": 4, "discard": 3, "redrive": 1, "move": 2}
        self.eventually(lambda: self.actions() == wanted)
        for rule in self.rules():
            self.shunt("rule", "delete", "t", str(rule["rule"]))
        self.server.kill()
        self.server.start()
        self.assertEqual(self.actions(), wanted)

    def actions(self):
        with urllib.request.urlopen(self.server.http + "/metrics", timeout=30) as answer:
            found = re.findall(r'^shunt_rule_actions_total{topic="t",group="default",action="(\w+)"} (\d+)$', answer.read().decode(), re.M)
        return {action: int(count) for action, count in found}

    def test_a_test_says_what_it_would_match_and_changes_nothing(self):
        self.die(3, 3, 4)
        cause = {row["title"].split(":")[0]: row["cause"] for row in self.document("dlq", "causes", "t")}
        of_three = [{"cause": cause["exit 3"], "title": self.title("exit 3"), "dead": 2, "earlier": 0}]
        self.assertEqual(self.document("rule", "set", "t", "--action", "discard", "--type", "exit 3", "--dry-run"), of_three)
        self.assertEqual(self.document("rule", "test", "t", "--cause", cause["exit 3"][:6]), of_three)
        self.assertEqual(self.rules(), [])
        self.shunt("rule", "set", "t", "10", "--action", "discard", "--type", "exit 3")
        self.assertEqual(self.document("rule", "test", "t", "10"), of_three)
        self.assertEqual(sum(row["dead"] for row in self.document("rule", "test", "t", "--all")), 3)
        self.assertEqual(sum(row["earlier"] for row in self.document("rule", "test", "t", "--all")), 2)
        self.assertIn("3 dead letters that lie there now, 2 of which an earlier rule would decide on; nothing was changed", self.shunt("rule", "test", "t", "--all").stderr)
        self.shunt("rule", "test", "t", "--type", "exit 9", code=NOTHING)
        self.assertEqual((self.group("t")["dead"], self.rules()[0]["matched"]), (3, 0))

    def title(self, begin):
        return next(row["title"] for row in self.document("dlq", "causes", "t") if row["title"].startswith(begin))

    def test_one_is_turned_off_and_on_and_deleted_and_the_audit_log_says_so(self):
        self.assertIn("rule 10 on the dead letters of t:default is on", self.shunt("rule", "set", "t", "--action", "mute", "--all").stdout)
        self.assertIn("is off", self.shunt("rule", "set", "t", "10", "--off").stdout)
        self.die(3)
        self.assertEqual((self.rules()[0]["matched"], self.rules()[0]["disabled"]), (0, True))
        self.shunt("rule", "set", "t", "10", "--on")
        self.die(3)
        self.assertEqual(self.rules()[0]["matched"], 1)
        self.shunt("rule", "delete", "t", "10")
        self.assertEqual(self.rules(), [])
        self.assertIn("list its rules", self.shunt("rule", "delete", "t", "10", code=NOTHING).stderr)
        acts = [(act["act"], act["asked"]) for act in map(dict, self.document("audit")) if act["act"].startswith("rule")]
        self.assertEqual(acts[0], ("rule_set", "action=mute"))
        self.assertEqual([act[0] for act in acts], ["rule_set", "rule_set", "rule_set", "rule_deleted"])

    def test_misuse(self):
        for words in [("set", "t"), ("set", "t", "--action", "mute"), ("set", "t", "--action", "mute", "--all", "--type", "A"), ("set", "t", "--type", "A"), ("set", "t", "5"),
                      ("set", "t", "--off"), ("set", "t", "5", "--on", "--off"), ("set", "t", "0", "--off"), ("set", "t", "65536", "--off"), ("set", "t", "x", "--off"),
                      ("set", "t", "--action", "mute", "--all", "--times", "21"), ("set", "t", "5", "--off", "--dry-run"), ("test", "t"), ("delete", "t"),
                      ("set", "t", "--action", "eat", "--all"), ("set", "t", "--action", "mute", "--all", "--times", "2")]:
            with self.subTest(words=words):
                self.shunt("rule", *words, code=USAGE)
        self.assertEqual(self.rules(), [])


if __name__ == "__main__":
    unittest.main()
