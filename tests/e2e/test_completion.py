"""Completion of command lines: the words that the tool offers, and what real shells make of them."""
import os
import pathlib
import pty
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
from cli_case import Case, alone

SHELLS = ("bash", "zsh", "fish")
COMPLETIONS = harness.SOURCE_ROOT / "deploy/completions"
MAN = harness.SOURCE_ROOT / "docs/man"
WAIT_SECONDS_MAX = 60


def need(shell):
    path = shutil.which(shell)
    if not path:
        raise unittest.SkipTest(f"{shell} is not installed")
    return path


def candidates(*words, **more):
    """What `shunt completion words` offers for the last of the words."""
    done = alone("completion", "words", "--", *words, **more)
    if (done.returncode, done.stderr) != (0, ""):
        raise AssertionError(f"{words}: exit {done.returncode}: {done.stderr}")
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


# ---- each option is offered, and stands in the man page

def options_of(text):
    """The options that a --help lists."""
    return re.findall(r"^ +(?:-\w, )?(--[\w-]+)", text, re.M)


def man_page(name):
    return (MAN / name).read_text().replace("\\-", "-").replace("Fl -", "--")


def named(page):
    return set(re.findall(r"--[a-z][a-z-]*", page))


def sections(page, noun):
    """Of the tool's page: what is said of all commands, of the settings, and of those of this noun."""
    before, *rest = re.split(r"^\.S[HS] ", page, flags=re.M)
    return "\n".join(s for s in rest if s.startswith((f"{noun}", "OPTIONS", "topic create"))) + before


def missing(listed, there):
    return [option for option in listed if option not in there]


def commands():
    """Each command as its words."""
    for noun in candidates(""):
        if noun == "help":
            continue
        verbs = candidates(noun, "", env={**os.environ, "SHUNT_URL": "shunt://127.0.0.1:1"})
        text = alone(noun, "--help").stdout
        if text.startswith(f"Usage: shunt {noun} COMMAND"):
            yield from ((noun, verb) for verb in verbs)
        else:
            yield (noun,)


class EveryOption(unittest.TestCase):
    def test_is_offered(self):
        count = 0
        for words in commands():
            listed = options_of(alone(*words, "--help").stdout)
            self.assertGreater(len(listed), 4, words)
            self.assertEqual(missing(listed, candidates(*words, "--")), [], words)
            count += 1
        self.assertGreater(count, 40)

    def test_stands_in_the_man_page(self):
        for words in commands():
            if words == ("bench",):
                page = man_page("shunt-bench.1")
            else:
                page = sections(man_page("shunt.1"), words[0])
            self.assertEqual(missing(options_of(alone(*words, "--help").stdout), named(page)), [], words)
        self.assertEqual(missing(options_of(subprocess.run([harness.SHUNTD, "--help"], capture_output=True, text=True, check=True).stdout),
                                 named(man_page("shuntd.8"))), [])

    def test_one_that_is_missing_is_found(self):
        """The rig itself: an option taken out of the page, or out of what is offered, does not pass."""
        listed = options_of(alone("publish", "--help").stdout)
        page = sections(man_page("shunt.1"), "publish")
        self.assertIn("--lines", listed)
        self.assertEqual(missing(listed, named(page.replace("--lines", "--rows"))), ["--lines"])
        offered = candidates("publish", "--")
        self.assertEqual(missing(listed, [o for o in offered if o != "--lines"]), ["--lines"])

    def test_every_command_is_in_the_man_page(self):
        titles = re.findall(r"^\.SS (.*)$", man_page("shunt.1"), re.M)
        for noun, *verbs in commands():
            own = [title for title in titles if re.match(rf"{noun}\b", title)]
            self.assertTrue(own if not verbs else any(re.search(rf"\b{verbs[0]}\b", title) for title in own), (noun, verbs))


# ---- what is offered

class Offered(Case):
    def setUp(self):
        super().setUp()
        self.fill_dlq("fruit", ["pear", "plum"])
        self.shunt("topic", "create", "files", "--groups", "audit,billing")
        self.environment = self.server.environment()

    def offers(self, *words, env=None):
        return candidates(*words, env=env or self.environment)

    def test_names_that_the_broker_knows(self):
        cause = [row["cause"] for row in self.document("dlq", "causes", "fruit")]
        self.assertEqual(sorted(self.offers("topic", "show", "")), ["files", "fruit"])
        self.assertEqual(self.offers("topic", "show", "fr"), ["fruit"])
        self.assertEqual(self.offers("group", "show", "files", ""), ["audit", "billing"])
        self.assertEqual(sorted(self.offers("clients", "f")), ["files", "fruit"])
        self.assertEqual(self.offers("clients", "files", ""), ["audit", "billing"])
        self.assertEqual(self.offers("group", "holders", "files", "b"), ["billing"])
        self.assertEqual(self.offers("topic", "purge", "files", "-g", "b"), ["billing"])
        self.assertEqual(self.offers("topic", "purge", "files", "--group=b"), ["--group=billing"])
        self.assertEqual(sorted(self.offers("dlq", "cause", "fruit", "")), sorted(cause))
        self.assertEqual(self.offers("dlq", "list", "fruit", f"--cause={cause[0][:6]}"), [f"--cause={cause[0]}"])
        self.assertEqual(self.offers("dlq", "show", "fruit", ""), ["fruit/1", "fruit/2"])
        self.assertEqual(self.offers("dlq", "redrive", "fruit", "fruit/1", "fruit/2"), ["fruit/2"])
        self.assertEqual(self.offers("why", "fruit/"), ["fruit/1", "fruit/2"])
        self.assertEqual(self.offers("consume", "dlq:f"), ["dlq:files:audit", "dlq:files:billing", "dlq:fruit:default"])
        self.assertEqual(self.offers("dlq", "redrive", "fruit", "--to", ""), ["files", "fruit"])

    def test_jobs_and_rules(self):
        self.assertEqual((self.offers("redrive", "show", ""), self.offers("rule", "delete", "fruit", "")), ([], []))
        self.shunt("rule", "set", "fruit", "--action", "mute", "--type", "none")
        self.shunt("dlq", "redrive", "fruit", "--all")
        job = str(self.document("job", "list")[0]["job"])
        self.assertEqual(self.offers("redrive", "show", ""), [job])
        self.assertEqual(self.offers("job", "cancel", ""), [job])
        rule = str(self.document("rule", "list", "fruit")[0]["rule"])
        self.assertEqual(self.offers("rule", "delete", "fruit", ""), [rule])
        self.assertEqual(self.offers("rule", "delete", "fruit", "-g", "other", ""), [])

    def test_asking_is_no_look(self):
        def unattended():
            return self.document("check", "--format", "json", "--crit-age", "1h")["unattended"]
        self.assertEqual(unattended(), 2)
        for words in (("dlq", "show", "fruit", ""), ("dlq", "cause", "fruit", ""), ("why", "fruit/"), ("dlq", "list", "fruit", "--cause", "")):
            self.assertNotEqual(self.offers(*words), [])
        self.assertEqual(unattended(), 2)

    def test_the_server_is_the_one_that_the_line_names(self):
        nobody = {**os.environ, "SHUNT_URL": "shunt://127.0.0.1:1"}
        self.assertEqual(self.offers("topic", "show", "", env=nobody), [])
        for line in (("--url", self.server.url, "topic", "show", "fr"), (f"--url={self.server.url}", "topic", "show", "fr"),
                     ("topic", "show", "--url", self.server.url, "fr")):
            self.assertEqual(self.offers(*line, env=nobody), ["fruit"], line)
        self.assertEqual(self.offers("--url", "shunt://127.0.0.1:1", "topic", "show", ""), [])

    def test_words_that_need_no_server(self):
        nobody = {**os.environ, "SHUNT_URL": "shunt://127.0.0.1:1"}
        for line, expected in (
                (("top",), ["topic"]),
                (("topic", "sh"), ["show"]),
                (("help", "topic", "sh"), ["show"]),
                (("-o", ""), ["table", "json", "jsonl"]),
                (("topic", "list", "--output=js"), ["--output=json", "--output=jsonl"]),
                (("dlq", "cause", "t", "fp", "--state", "m"), ["muted"]),
                (("dlq", "list", "t", "--reason", "max"), ["max_attempts"]),
                (("rule", "set", "t", "--action", "re"), ["redrive"]),
                (("topic", "update", "t", "--expired", ""), ["inherit", "dlq", "discard"]),
                (("topic", "create", "t", "--expired", ""), ["dlq", "discard"]),
                (("topic", "create", "t", "--max-m"), ["--max-messages"]),
                (("group", "create", "t", "g", "--from", ""), ["oldest", "now"]),
                (("topic", "create", ""), []),
                (("publish", "t", "--file", ""), [":files"]),
                (("publish", "t", "--file", "one", "tw"), [":files"]),
                (("dlq", "export", "t", "--to", ""), [":files"]),
                (("work", "t", "--", ""), [":command"]),
                (("work", "t", "--", "cat", "-"), [":files"]),
                (("bench", "--shuntd", ""), [":files"]),
                (("bench", "--data", ""), [":directories"]),
                (("bench", "dr"), ["drain"]),
                (("completion", ""), ["bash", "zsh", "fish"]),
                (("nonsense", "x", ""), []),
                (("topic", "nonsense", ""), []),
                (("topic", "show", "--nonsense", "--q"), ["--quiet"])):
            self.assertEqual(self.offers(*line, env=nobody), expected, line)
        self.assertIn("unknown command", alone("completion", "words").stderr)
        self.assertEqual(alone("completion", "words", "--").stdout, "")

    def test_a_broker_that_does_not_answer_is_not_waited_for(self):
        """It ends by itself, with what needs no broker, long before the limits of an ordinary command."""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            env = {**os.environ, "SHUNT_URL": "shunt://127.0.0.1:%d" % deaf.getsockname()[1]}
            self.assertEqual(self.offers("topic", "show", "", env=env), [])
            self.assertEqual(self.offers("topic", "show", "--time", env=env), ["--timeout"])


# ---- shells

# In place of the tool: completion is the tool's; any other command line is written down as its words.
STAND_IN = """#!/bin/sh
[ "$1" = completion ] && exec "$TOOL" "$@"
printf '%s\\n' "$@" >"$TOLD.part" && mv "$TOLD.part" "$TOLD"
"""


class InShells(Offered):
    """One real shell each; the tests that need no shell are not run again."""

    def setUp(self):
        super().setUp()
        self.programs = self.directory / "programs"
        self.programs.mkdir()
        stand_in = self.programs / "shunt"
        stand_in.write_text(STAND_IN)
        stand_in.chmod(0o755)
        (self.directory / "a letter.txt").touch()
        (self.directory / "a folder").mkdir()
        self.told = self.directory / "told"
        self.scripts = self.directory / "scripts"
        self.scripts.mkdir()
        for shell in SHELLS:
            (self.scripts / shell).write_text(alone("completion", shell).stdout)
        path = f"{self.programs}:{os.path.dirname(harness.SHUNTD)}:{os.environ['PATH']}"
        self.environment = {**self.environment, "PATH": path, "TOOL": harness.SHUNT, "TOLD": str(self.told), "HOME": str(self.directory),
                            "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def typed(self, command, keys):
        """Type a line on a terminal of its own; returns the words that the tool was then called with."""
        self.told.unlink(missing_ok=True)
        main, side = pty.openpty()
        process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=self.environment, cwd=self.directory, start_new_session=True)
        os.close(side)
        screen = []

        def watch():
            try:
                while got := os.read(main, 4096):
                    screen.append(got)
            except OSError:
                pass # the terminal is gone
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            end = time.monotonic() + WAIT_SECONDS_MAX
            while b"ready>" not in b"".join(screen):
                self.assertLess(time.monotonic(), end, b"".join(screen))
                time.sleep(0.01)
            os.write(main, keys.encode() + b"\r")
            while not self.told.exists():
                self.assertLess(time.monotonic(), end, b"".join(screen))
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
            watcher.join()
            os.close(main)
        return self.told.read_text().splitlines()

    def lines_typed(self, command):
        cause = self.document("dlq", "causes", "fruit")[0]["cause"]
        for keys, words in (("shunt topic sho\tfru\t", ["topic", "show", "fruit"]),
                            ("shunt dlq show fruit fruit/1\t", ["dlq", "show", "fruit", "fruit/1"]),
                            (f"shunt dlq list fruit --cause {cause[:6]}\t", ["dlq", "list", "fruit", "--cause", cause]),
                            ("shunt topic purge files --group=b\t", ["topic", "purge", "files", "--group=billing"]),
                            ("shunt consume dlq:fr\t", ["consume", "dlq:fruit:default"]),
                            (f"shunt --url {shlex.quote(self.server.url)} topic show fr\t", ["--url", self.server.url, "topic", "show", "fruit"]),
                            ("shunt publish fruit --file a\\ l\t", ["publish", "fruit", "--file", "a letter.txt"]),
                            ("shunt --out\tjsonl ping", ["--output", "jsonl", "ping"])):
            self.assertEqual(self.typed(command, keys), words, keys)

    def test_bash_types(self):
        start = self.directory / "bashrc"
        start.write_text(f"PS1='ready>'\nset +o history\nsource {self.scripts / 'bash'}\n")
        self.lines_typed([need("bash"), "--noprofile", "--rcfile", start, "-i"])

    def test_zsh_types(self):
        zsh = need("zsh")
        (self.directory / ".zshrc").write_text(f"autoload -Uz compinit && compinit -u -D\nsource {self.scripts / 'zsh'}\nPS1='ready>'\nunsetopt zle_bracketed_paste 2>/dev/null\n")
        self.environment["ZDOTDIR"] = str(self.directory)
        self.lines_typed([zsh, "-d", "-i"])

    def test_zsh_finds_it_where_it_is_installed(self):
        zsh = need("zsh")
        place = self.directory / "functions"
        place.mkdir()
        shutil.copy(self.scripts / "zsh", place / "_shunt")
        (self.directory / ".zshrc").write_text(f"fpath=({place} $fpath)\nautoload -Uz compinit && compinit -u -D\nPS1='ready>'\n")
        self.environment["ZDOTDIR"] = str(self.directory)
        self.assertEqual(self.typed([zsh, "-d", "-i"], "shunt topic sho\tfru\t"), ["topic", "show", "fruit"])

    def run_script(self, *command):
        done = subprocess.run(command, env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS_MAX)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    def test_users_and_roles_are_offered(self):
        self.shunt("role", "set", "readers", "--grant", "*:look")
        self.shunt("user", "add", "ann", "--role", "readers")
        self.shunt("user", "add", "annette")
        for words, offered in ((["user", "show", "ann"], ["ann", "annette"]), (["user", "passwd", "anne"], ["annette"]), (["token", "list", "ann"], ["ann", "annette"]),
                               (["role", "delete", "read"], ["readers"]), (["user", "set", "ann", "--role", "read"], ["readers"])):
            with self.subTest(words):
                line = " ".join(["shunt", *words])
                self.assertEqual(self.bash_reply(self.scripts / "bash", "_shunt", ["shunt", *words], line), offered)

    def bash_reply(self, script, function, words, line):
        """COMPREPLY, from a bash that is not interactive."""
        return sorted(self.run_script(need("bash"), "-c", 'source "$0"; function=$1 COMP_LINE=$2; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                               'COMP_POINT=${#COMP_LINE}; "$function" "$1"; ((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"',
                                      script, function, line, *words))

    def test_bash_replies(self):
        def reply(line, *words):
            return self.bash_reply(self.scripts / "bash", "_shunt", words, line)
        self.assertEqual(reply("shunt topic s", "shunt", "topic", "s"), ["show"])
        self.assertEqual(reply("shunt  topic   ", "shunt", "topic", ""), ["create", "delete", "list", "purge", "show", "update"])
        self.assertEqual(reply("shunt consume dlq:fi", "shunt", "consume", "dlq", ":", "fi"), ["files:audit", "files:billing"])
        self.assertEqual(reply("shunt consume dlq:files:b", "shunt", "consume", "dlq", ":", "files", ":", "b"), ["billing"])
        self.assertEqual(reply("shunt -o json --group=", "shunt", "-o", "json", "--group", "="), [])
        self.assertEqual(reply("shunt topic purge files --group=", "shunt", "topic", "purge", "files", "--group", "="), ["audit", "billing"])
        self.assertEqual(reply('shunt topic purge "files" --group=', "shunt", "topic", "purge", '"files"', "--group", "="), ["audit", "billing"])
        self.assertEqual(reply("shunt publish fruit --file a", "shunt", "publish", "fruit", "--file", "a"), ["a folder", "a letter.txt"])

    def test_fish_replies(self):
        fish = need("fish")

        def reply(line):
            return self.run_script(fish, "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]', str(self.scripts / "fish"), line)
        self.assertEqual(reply("shunt topic s"), ["show"])
        self.assertEqual(sorted(reply("shunt topic show ")), ["files", "fruit"])
        self.assertEqual(reply("shunt consume dlq:fr"), ["dlq:fruit:default"])
        self.assertEqual(sorted(reply("shunt topic purge files --group=")), ["--group=audit", "--group=billing"])
        self.assertEqual(reply(f"shunt --url {shlex.quote(self.server.url)} topic show fr"), ["fruit"])
        self.assertIn("a letter.txt", reply("shunt publish fruit --file a"))
        self.assertIn("--body-file=a letter.txt", reply("shunt dlq edit fruit 1 --body-file=a"))
        self.assertIn("shuntd", reply("shunt work fruit -- shunt"))

    # ---- the server

    def server_options(self):
        return options_of(subprocess.run([harness.SHUNTD, "--help"], capture_output=True, text=True, check=True).stdout)

    def test_bash_knows_the_server(self):
        def reply(line, *words):
            return self.bash_reply(COMPLETIONS / "shuntd.bash", "_shuntd", words, line)
        self.assertEqual(reply("shuntd --", "shuntd", "--"), sorted(self.server_options()))
        self.assertEqual(reply("shuntd --check-", "shuntd", "--check-"), ["--check-config"])
        self.assertEqual(reply("shuntd --config a", "shuntd", "--config", "a"), ["a folder", "a letter.txt"])
        self.assertEqual(reply("shuntd --data=a", "shuntd", "--data", "=", "a"), ["a folder"])
        self.assertEqual(reply("shuntd --listen ", "shuntd", "--listen", ""), [])

    def test_fish_knows_the_server(self):
        fish = need("fish")

        def reply(line):
            return self.run_script(fish, "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]', str(COMPLETIONS / "shuntd.fish"), line)
        self.assertEqual(sorted(reply("shuntd --")), sorted(self.server_options()))
        self.assertIn("a letter.txt", reply("shuntd --config a"))
        self.assertEqual(reply("shuntd --data a"), ["a folder/"])
        self.assertEqual(reply("shuntd --listen "), [])

    def test_zsh_knows_the_server(self):
        zsh = need("zsh")
        place = self.directory / "functions"
        place.mkdir()
        shutil.copy(COMPLETIONS / "_shuntd", place / "_shuntd")
        stand_in = self.programs / "shuntd"
        stand_in.write_text(STAND_IN.replace('"$1" = completion', '"$1" = --help').replace("$TOOL", harness.SHUNTD))
        stand_in.chmod(0o755)
        (self.directory / ".zshrc").write_text(f"fpath=({place} $fpath)\nautoload -Uz compinit && compinit -u -D\nPS1='ready>'\n")
        self.environment["ZDOTDIR"] = str(self.directory)
        for keys, words in (("shuntd --check-\ta\\ l\t", ["--check-config=a letter.txt"]), ("shuntd --data a\\ f\t", ["--data", "a folder"]),
                            ("shuntd --ver\t", ["--version"])):
            self.assertEqual(self.typed([zsh, "-d", "-i"], keys), words)


# The tests of Offered are inherited for its setUp() alone.
for name in [name for name in vars(Offered) if name.startswith("test_")]:
    setattr(InShells, name, None)

if __name__ == "__main__":
    if not all(map(shutil.which, SHELLS)):
        print("not installed, and not tried:", ", ".join(shell for shell in SHELLS if not shutil.which(shell)), file=sys.stderr)
    harness.main()
