"""The runbooks: the commands of each page, run in the state that its alert is about, and whether they end it.

A page's `Look` is run as a whole; each block of its `Act` has a state of its own, because they are alternatives. `# exits N` behind a command is what it
ends with, 0 if nothing is said.
"""
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

import harness
from certificates import Authority
from cli_case import Case

PAGES = harness.SOURCE_ROOT / "docs/runbooks"
NOT_NOW = 75
COMMAND_SECONDS_MAX = 60


def sections(page):
    """{heading: [[command]]}, a list for each block of shell commands."""
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"(?m)^## (.+)\n", text)[1:]
    return {heading: [block.splitlines() for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", body)] for heading, body in zip(parts[::2], parts[1::2])}


class Runbooks(Case):
    def setUp(self):
        super().setUp()
        self.config = self.directory / "shuntd.conf"
        self.config.write_text("log-level: info\n", encoding="utf-8")
        self.server.stop()
        self.server.options = ["--config", self.config]
        self.server.start()
        self.environment = {}
        self.backups = self.directory / "backups"
        self.backups.mkdir()

    # ---- states

    def dies(self, *settings):
        """Three messages that died of one fault, and one that waits."""
        self.shunt("topic", "create", "orders", "--max-attempts", "1", *settings)
        self.die(3)
        self.shunt("group", "pause", "orders", "default")
        self.shunt("publish", "orders", "waits")
        self.shunt("group", "resume", "orders", "default")

    def die(self, count):
        self.shunt("publish", "orders", "--lines", input="bad\n" * count)
        self.shunt("work", "orders", "--drain", "--", "sh", "-c", "echo 'ValueError: bad' >&2; exit 1")

    def expires(self):
        self.shunt("topic", "create", "orders", "--max-attempts", "1", "--dlq-retention", "1ms")
        self.die(1)
        self.eventually(lambda: self.group("orders")["expired"] == 1)

    def discards(self):
        """One message by a rule, and one by its time to live."""
        self.shunt("topic", "create", "orders", "--max-attempts", "1", "--expired", "discard")
        self.environment["RULE"] = str(self.document("rule", "set", "orders", "--action", "discard", "--all")["rule"])
        self.die(1)
        self.shunt("topic", "update", "orders", "--ttl", "1ms")
        self.shunt("publish", "orders", "late")
        self.eventually(lambda: self.group("orders")["discarded"] == 2)

    def regresses(self):
        self.dies()
        self.shunt("dlq", "cause", "orders", self.causes()[0]["cause"], "--state", "resolved")
        self.die(1)

    def redrives(self):
        self.dies()
        self.environment["JOB"] = str(self.document("dlq", "redrive", "orders", "--all", "--rate", "1/s", "--no-wait")["job"])
        self.shunt("redrive", "pause", self.environment["JOB"])  # the letter that the page takes must not leave before it

    def holds(self):
        """A consumer that has had a message for ages."""
        self.shunt("topic", "create", "orders")
        self.shunt("publish", "orders", "slow")
        self.start("work", "orders", "--", "sleep", "1000")
        self.eventually(lambda: self.group("orders")["in_flight"] == 1)

    def pauses(self):
        self.dies()
        self.shunt("group", "pause", "orders", "default")

    def blocks(self):
        """A dead letter that holds its key, and a message that waits for it."""
        self.shunt("topic", "create", "orders", "--max-attempts", "1", "--order", "key", "--on-dead", "block")
        for _ in range(2):
            self.shunt("publish", "orders", "--key", "account-17", "debit")
        self.shunt("work", "orders", "--drain", "--", "false", code=NOT_NOW)

    def heats(self):
        """A key whose messages wait for each other, and nothing else."""
        self.shunt("topic", "create", "orders", "--order", "key")
        self.shunt("publish", "orders", "--key", "account-17", "--lines", input="debit\n" * 3)
        self.eventually(lambda: self.document("consume", "orders", "-n", "1") and self.is_hot())

    def opens(self):
        """A group all of whose messages failed, and whose breaker waits."""
        self.shunt("topic", "create", "orders", "--max-attempts", "5", "--breaker-window", "5", "--breaker-pause-min", "10m", "--breaker-pause-max", "10m")
        self.shunt("publish", "orders", "--lines", input="fine\n" * 8)
        worker = self.start("work", "orders", "--", "sh", "-c", "echo 'ConnectionError: the database is away' >&2; exit 1")
        self.eventually(self.is_open)
        worker.kill()
        worker.wait()

    def lies(self):
        """A backlog in two groups, of which nobody consumes."""
        self.dies()
        self.shunt("group", "create", "orders", "audit")

    def stops(self):
        self.dies()
        self.assertEqual(self.server.stop(), 0)

    # ---- what the state is

    def causes(self):
        return self.document("dlq", "causes", "orders")

    def is_unattended(self):
        return self.group("orders")["oldest_unattended"] is not None

    def is_regressed(self):
        return self.causes()[0]["state"] == "regressed"

    def is_paused(self):
        return self.group("orders")["paused"]

    def is_blocked(self):
        return self.group("orders")["blocked_keys"] == 1

    def is_hot(self):
        return [row["key"] for row in self.document("keys", "orders", "--by", "waiting")["keys"]] == ["account-17"]

    def is_open(self):
        return self.group("orders")["breaker"] not in ("closed", "off")

    def backs_up(self):
        subprocess.run([harness.SHUNTD, "--config", self.config, "--data", self.server.data, "--backup", self.backups / f"{time.monotonic_ns()}"], check=True, capture_output=True, timeout=COMMAND_SECONDS_MAX)

    def has_an_old_backup(self):
        self.dies()
        self.backs_up()
        (self.server.data / "backup-succeeded").write_text(f"{int(time.time() * 1000) - 37 * 3600 * 1000}\n", encoding="utf-8")

    def fails_to_back_up(self):
        self.dies()
        self.backs_up()
        taken = next(self.backups.iterdir())
        done = subprocess.run([harness.SHUNTD, "--config", self.config, "--data", self.server.data, "--backup", taken], capture_output=True, check=False, timeout=COMMAND_SECONDS_MAX)
        self.assertNotEqual(done.returncode, 0)

    def backup_times(self):
        """(succeeded, failed), as the files have them that the server shows."""
        return [int(path.read_text()) if path.exists() else 0 for path in (self.server.data / "backup-succeeded", self.server.data / "backup-failed")]

    def has_no_new_backup(self):
        return self.backup_times()[0] < time.time() * 1000 - 36 * 3600 * 1000

    def has_a_failed_backup(self):
        succeeded, failed = self.backup_times()
        return failed > succeeded

    def shows_an_old_certificate(self):
        """One that ends tomorrow is in use; a new one lies in its place."""
        authority = Authority(self.directory / "certificates")
        cert, key = authority.issue("broker")
        self.server.stop()
        self.config.write_text(f"tls-cert: {cert}\ntls-key: {key}\n", encoding="utf-8")
        self.server.bring_tls(authority.cert)
        self.server.start()
        self.dies()
        authority.issue("broker", days=90)
        self.environment |= {"CERT": str(cert), "KEY": str(key)}
        self.certificate_asked = False

    def ends_soon(self):
        connection = self.server.http_client(COMMAND_SECONDS_MAX)
        connection.request("GET", "/metrics")
        ends = re.search(r"(?m)^shunt_tls_certificate_expiry_timestamp_seconds (\S+)$", connection.getresponse().read().decode())
        connection.close()
        return float(ends[1]) < time.time() + 14 * 86400

    def shows_it_still(self):
        """Asked before the page's commands, and behind them; then it may take a moment until the signal has come."""
        if self.certificate_asked:
            self.eventually(lambda: not self.ends_soon())
        self.certificate_asked = True
        return self.ends_soon()

    # ---- running

    def run_blocks(self, prepare, blocks):
        """Each command of these blocks, in a state that `prepare` makes."""
        prepare()
        running = self.server.process.poll() is None
        letters = running and self.document("dlq", "list", "orders")
        causes = running and self.causes()
        path = [str(pathlib.Path(program).resolve().parent) for program in (harness.SHUNT, harness.SHUNTD)]
        environment = {**self.server.environment(), "TOPIC": "orders", "GROUP": "default", "ID": letters[0]["origin"] if letters else "", "USER": "ann",
                       "FP": causes[0]["cause"][:6] if causes else "", "PID": str(self.server.process.pid), "DATA": str(self.server.data), "CONFIG": str(self.config),
                       "HTTP": self.server.http, "BACKUPS": str(self.backups), "PATH": os.pathsep.join([*path, os.environ["PATH"]]), **self.environment}
        for command in [command for block in blocks for command in block]:
            wanted = int((re.search(r"# exits (\d+)$", command) or [0, 0])[1])
            done = subprocess.run(["sh", "-euc", command], env=environment, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=COMMAND_SECONDS_MAX, check=False)
            self.assertEqual(done.returncode, wanted, f"{command}\n{done.stdout}{done.stderr}")

    def clear(self):
        """Nothing is left of the state."""
        if self.server.process.poll() is not None:
            self.server.start()
        for process in self.started:
            process.kill()
            process.wait()
        self.started.clear()
        self.server.shunt("topic", "delete", "orders", "-y", check=False)
        (self.directory / "letters.jsonl").unlink(missing_ok=True)
        if "tls-cert" in self.config.read_text(encoding="utf-8"):
            self.server.stop()
            self.server.bring_tls()
            self.config.write_text("log-level: info\n", encoding="utf-8")
            self.server.start()
        for backup in self.backups.iterdir():  # the next page may name its own after the same second
            shutil.rmtree(backup)

    def start(self, *args, **more):
        process = super().start(*args, **more)
        self.started.append(process)
        return process

    def check_page(self, name):
        self.started = []
        prepare, holds, ended_by = self.STATES[name]
        page = sections(PAGES / f"{name}.md")
        self.assertEqual(list(page), ["What it means", "Look", "Decide", "Act"])
        for section, runs in (("Look", [page["Look"]]), ("Act", [[block] for block in page["Act"]])):
            for blocks in runs:
                def begin():
                    prepare(self)
                    if holds:
                        self.assertTrue(holds(self), "the state is that of the alert")
                try:
                    self.run_blocks(begin, blocks)
                    if section == ended_by:
                        self.assertFalse(holds(self), f"{section} gives the all-clear")
                finally:
                    self.clear()
        self.assertTrue(page["Look"], "there is something to look at")

    # What makes the state of an alert; whether it is so; the section that ends it.
    STATES = {
        "ShuntDeadLetterUnattended": (dies, is_unattended, "Look"),
        "ShuntDeadLetterOverdue": (dies, is_unattended, "Look"),
        "ShuntSloBudgetBurn": (dies, is_unattended, None),
        "ShuntCauseRegressed": (regresses, is_regressed, "Look"),
        "ShuntDeadLettersGrow": (dies, None, None),
        "ShuntDeadLetterOld": (dies, None, None),
        "ShuntDeadLettersExpireUnseen": (dies, is_unattended, "Look"),
        "ShuntDeadLettersExpireSoon": (dies, None, None),
        "ShuntDeadLettersDroppedUnseen": (expires, None, None),
        "ShuntDeadLettersDropped": (expires, None, None),
        "ShuntMessagesDiscarded": (discards, None, None),
        "ShuntDeadLetterFlood": (dies, None, None),
        "ShuntLettersBounce": (redrives, None, None),
        "ShuntBacklogWithoutConsumers": (lies, None, None),
        "ShuntBacklogOld": (pauses, None, None),
        "ShuntHotKey": (heats, is_hot, None),
        "ShuntKeyBlocked": (blocks, is_blocked, "Act"),
        "ShuntGroupPaused": (pauses, is_paused, "Act"),
        "ShuntInFlightOld": (holds, None, None),
        "ShuntInFlightNearLimit": (holds, None, None),
        "ShuntConservationError": (dies, None, None),
        "ShuntStoreNearlyFull": (dies, None, None),
        "ShuntDiskNearlyFull": (dies, None, None),
        "ShuntBreakerOpen": (opens, is_open, "Act"),
        "ShuntBackupOld": (has_an_old_backup, has_no_new_backup, "Act"),
        "ShuntBackupFailed": (fails_to_back_up, has_a_failed_backup, "Act"),
        "ShuntCertificateExpires": (shows_an_old_certificate, shows_it_still, "Act"),
        "ShuntLogDropped": (dies, None, None),
        "ShuntDown": (stops, None, None),
        "ShuntUnhealthy": (dies, None, None),
        "ShuntNotScraped": (dies, None, None),
    }

    def test_the_commands_of_each_page_run(self):
        self.assertEqual({page.stem for page in PAGES.glob("Shunt*.md")}, set(self.STATES))
        for name in self.STATES:
            with self.subTest(page=name):
                self.check_page(name)


if __name__ == "__main__":
    harness.main()
