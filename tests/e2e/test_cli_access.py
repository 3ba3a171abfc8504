"""`shunt user`, `role`, `token` and `whoami`: what they set is what the broker has, and no secret is where it should not be."""
import pathlib
import re
import subprocess

import harness
import wire
from cli_case import FAILED, NOTHING, USAGE, Case
from secure import plain_only
from terminal import Terminal

DENIED = 77
PHC = re.compile(r"\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
SET = {"password": "a long secret", "other": "another secret"}


class Access(Case):
    def user(self, name):
        return self.document("user", "show", name)

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def stored(self):
        """Every verifier in the server's files: there is no request that shows one."""
        text = b"".join(path.read_bytes() for path in pathlib.Path(self.server.data).rglob("*") if path.is_file())
        return {match.group() for match in PHC.finditer(text.decode("latin-1"))}

    def test_a_user_is_added_changed_and_deleted(self):
        self.shunt("role", "set", "triage", "--grant", "*:look,dlq-look,dlq-redrive")
        self.shunt("user", "add", "kim", "--role", "triage", "--grant", "mails:publish", "--grant", "a.*:all", "--certificate", "dns:kim.example")
        kim = self.user("kim")
        self.assertEqual((kim["roles"], kim["grants"], kim["certificates"]), (["triage"], ["mails:publish", "a.*:all"], ["dns:kim.example"]))
        self.assertEqual((kim["password"], kim["tokens"], kim["disabled"], kim["administrator"]), (False, 0, False, False))
        self.assertIn("there is a user of that name", self.shunt("user", "add", "kim", code=USAGE).stderr)
        self.shunt("user", "set", "kim", "--grant", "b:look", "--no-roles", "--disable")
        kim = self.user("kim")
        self.assertEqual((kim["roles"], kim["grants"], kim["certificates"], kim["disabled"]), ([], ["b:look"], ["dns:kim.example"], True))
        shown = self.shunt("user", "show", "kim").stdout
        self.assertRegex(shown, r"(?m)^state\s+disabled$")
        self.assertRegex(shown, r"(?m)^grants\s+b:look$")
        self.shunt("user", "set", "kim", "--enable", "--no-certificates", "--no-grants")
        kim = self.user("kim")
        self.assertEqual((kim["disabled"], kim["certificates"], kim["grants"]), (False, [], []))
        self.assertIn("no terminal", self.shunt("user", "delete", "kim", code=USAGE).stderr)
        self.shunt("user", "delete", "kim", "-y")
        self.assertIn("no user `kim`", self.shunt("user", "show", "kim", code=NOTHING).stderr)
        self.assertIn("no user", self.shunt("user", "set", "kim", "--enable", code=NOTHING).stderr)
        self.shunt("role", "delete", "triage", "-y")

    @plain_only("it starts from a store without users")
    def test_lists_are_whole_and_in_order(self):
        names = [f"u{number:03}" for number in range(250)]
        client = wire.connect(self.server)
        self.addCleanup(client.close)
        for name in reversed(names):
            client.request(wire.USER_SET, name, {"grants": [f"{name}:look"]})
        self.assertEqual([row["user"] for row in self.document("user", "list")], names)
        lines = self.shunt("user", "list").stdout.splitlines()
        self.assertEqual((len(lines), lines[0].split()[:2]), (251, ["USER", "STATE"]))
        self.assertEqual([row["role"] for row in self.document("role", "list")], ["administrator"])

    def test_a_password_is_read_from_a_file_or_a_pipe_and_only_its_verifier_leaves_the_tool(self):
        self.shunt("user", "add", "ann", "--password-file", self.file("secret", SET["password"] + "\nnot this line\n"))
        self.assertTrue(self.user("ann")["password"])
        self.shunt("user", "passwd", "ann", "--password-file", "-", input=SET["other"])
        self.server.stop()
        verifiers = self.stored()
        self.assertEqual(len(verifiers), 2, "with a salt of its own each")
        everything = b"".join(path.read_bytes() for path in pathlib.Path(self.server.data).rglob("*") if path.is_file())
        self.assertFalse(any(secret.encode() in everything for secret in SET.values()))

    def test_a_password_is_asked_for_twice_without_an_echo(self):
        command = [harness.SHUNT, "user", "add", "ann", "--password"]
        with Terminal(command, 80, self.server.environment()) as terminal:
            terminal.read_until("New password: ")
            terminal.press(SET["password"].encode() + b"\n")
            terminal.read_until("The same again: ")
            terminal.press(SET["password"].encode() + b"\n")
            text = terminal.read_until(None)
        self.assertNotIn(SET["password"], text)
        self.assertTrue(self.user("ann")["password"])
        with Terminal([harness.SHUNT, "user", "passwd", "ann"], 80, self.server.environment()) as terminal:
            terminal.read_until("New password: ")
            terminal.press(SET["password"].encode() + b"\n")
            terminal.read_until("The same again: ")
            terminal.press(SET["other"].encode() + b"\n")
            self.assertIn("nothing was changed", terminal.read_until(None))
            self.assertEqual(terminal.process.wait(), FAILED)

    def test_what_is_no_password_is_refused_before_anybody_is_asked(self):
        for name, text in (("short", "7 bytes"), ("long", "x" * 1025), ("empty", "")):
            with self.subTest(name):
                done = self.shunt("user", "add", "ann", "--password-file", self.file(name, text), code=USAGE)
                self.assertIn("8 to 1024 bytes", done.stderr)
        self.shunt("user", "add", "ann", "--password-file", self.file("least", "8 bytes!"))
        self.shunt("user", "passwd", "ann", "--password-file", self.file("most", "x" * 1024))
        self.shunt("user", "passwd", "ann", "--none")
        self.assertFalse(self.user("ann")["password"])
        self.assertIn("No such file", self.shunt("user", "passwd", "ann", "--password-file", "/nowhere", code=FAILED).stderr)

    @plain_only("it starts from a store without users")
    def test_a_token_is_printed_once_and_alone(self):
        self.shunt("user", "add", "shop")
        done = self.shunt("token", "create", "shop", "--expires", "90d", "--note", "web shop")
        self.assertRegex(done.stdout, r"\Ashunt_[A-Za-z0-9_-]{56}\n\Z")
        self.assertIn("not shown again", done.stderr)
        made = self.document("token", "create", "shop")
        self.assertEqual(list(made), ["token", "text"])
        first, second = self.document("token", "list", "shop")
        self.assertEqual((first["note"], second["token"], second["expires"]), ("web shop", made["token"], None))
        self.assertNotIn("shunt_", self.shunt("token", "list").stdout)
        self.shunt("token", "revoke", str(made["token"]))
        self.assertEqual(len(self.document("token", "list")), 1)
        self.assertIn(str(made["token"]), self.shunt("token", "revoke", str(made["token"]), code=NOTHING).stderr)
        for secret in (done.stdout.strip(), made["text"]):
            self.assertNotIn(secret, self.server.log_text())
            self.assertNotIn(secret, self.shunt("audit", "-o", "json").stdout)

    @plain_only("it starts from a store without users")
    def test_the_built_in_role_and_the_last_administrator_stay(self):
        self.assertIn("built in", self.shunt("role", "set", "administrator", "--no-grants", code=DENIED).stderr)
        self.shunt("user", "add", "root", "--role", "administrator", "--certificate", "cn:root")
        self.assertTrue(self.user("root")["administrator"])
        for change in (["set", "root", "--disable"], ["set", "root", "--no-roles"], ["set", "root", "--no-certificates"], ["delete", "root", "-y"]):
            with self.subTest(change):
                self.assertIn("another administrator", self.shunt("user", *change, code=DENIED).stderr)
        self.assertTrue(self.user("root")["administrator"])

    @plain_only("it starts from a store without users")
    def test_whoami_without_authentication_is_anybody(self):
        self.assertRegex(self.shunt("whoami").stdout, r"(?m)^known by\s+anybody$")
        self.assertEqual(self.document("whoami")["how"], "anybody")

    def test_what_contradicts_itself_or_says_nothing_is_misuse(self):
        for line in (["user", "set", "a"], ["user", "set", "a", "--role", "r", "--no-roles"], ["user", "set", "a", "--enable", "--disable"],
                     ["user", "add", "a", "--password", "--password-file", "f"], ["user", "passwd", "a", "--none", "--password-file", "f"],
                     ["role", "set", "r"], ["role", "set", "r", "--grant", "a:look", "--no-grants"], ["token", "revoke", "x"], ["user", "add"]):
            with self.subTest(line):
                self.shunt(*line, code=USAGE)

    def test_users_survive_a_restart_and_the_check_knows_them(self):
        self.shunt("role", "set", "r", "--grant", "a:look")
        self.shunt("user", "add", "u", "--role", "r", "--grant", "*:publish")
        token = self.document("token", "create", "u")["token"]
        before = (self.user("u"), self.document("role", "list"), self.document("token", "list"))
        self.server.stop()
        done = subprocess.run([harness.SHUNTD, "--check", self.server.data], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.server.start()
        self.assertEqual((self.user("u"), self.document("role", "list"), self.document("token", "list")), before)
        self.shunt("token", "revoke", str(token))


if __name__ == "__main__":
    harness.main()
