"""monitoring: Debian's Prometheus and Alertmanager, and a webhook that gets what they send, for one test.

They listen on loopback, on ports that the kernel chose, keep what they have in a directory of the test, and end with it. Where Debian's packages
are not to be had (scripts/packages.bash fetches them), unavailable() says so.
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import harness

WAIT_SECONDS_MAX = 90
ROUND = "250ms"  # between two evaluations of the rules
SCRAPE = "500ms"


def unavailable():
    """Why Prometheus and Alertmanager cannot be run here; None if they can."""
    for command in ("prometheus", "prometheus-alertmanager"):
        if not shutil.which(command):
            return f"{command} is not installed (Debian package {command})"
    share = share_of("prometheus-alertmanager")
    if share != pathlib.Path("/usr/share") and subprocess.run([*with_share(share), "true"], capture_output=True, check=False).returncode:
        return "Alertmanager is not installed, and there are no private mounts to run it out of its package"
    return None


def share_of(command):
    """Where the package that holds `command` has its /usr/share."""
    return pathlib.Path(shutil.which(command)).resolve().parents[1] / "share"


def with_share(share):
    """Words that run a program which finds `share` as /usr/share: Debian's Alertmanager reads its templates from there, and there alone."""
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', str(share)]


def wait_until(condition, what):
    """Returns what `condition` returns once that is true."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {WAIT_SECONDS_MAX} s: {what}")
        time.sleep(0.05)


def get(url):
    """The JSON document there."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


class Program(harness.Program):
    """Prometheus, or Alertmanager. As a context: started, and stopped at the end."""

    def __init__(self, directory, command):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.command = command
        self.url = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start it, and return when it is ready."""
        try:
            self.url = "http://" + self.launch(self.command, r'msg="Listening on" address=(\S+)', cwd=self.directory)[1]
            wait_until(self.ready, f"{self.command[0]} is ready:\n" + self.log_text())
        except BaseException:
            self.stop()
            raise

    def ready(self):
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=30) as answer:
                return answer.status == 200
        except OSError:
            return False


class Alertmanager(Program):
    """With the sample configuration that is shipped, but for how long it waits, and for the webhook that it sends to."""

    def __init__(self, directory, webhook_url):
        super().__init__(directory, [])
        config = (harness.SOURCE_ROOT / "deploy/prometheus/alertmanager.yml").read_text(encoding="utf-8")
        config, waits = re.subn(r"(group_wait|group_interval): \S+", rf"\1: {ROUND}", config)
        config, receivers = re.subn(r"url: \S+", f"url: {webhook_url}", config)
        assert (waits, receivers) == (2, 1), "this is no longer what the sample looks like"
        (self.directory / "alertmanager.yml").write_text(config, encoding="utf-8")
        program = shutil.which("prometheus-alertmanager")
        share = share_of(program)
        self.command = [*([] if share == pathlib.Path("/usr/share") else with_share(share)), program, "--config.file=alertmanager.yml",
                        "--storage.path=alertmanager", "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]

    def alerts(self):
        return get(self.url + "/api/v2/alerts")


class Prometheus(Program):
    """Scrapes `targets`, {instance: address}, by HTTPS with what `scrape` says, evaluates the rules in `rules`, and tells the Alertmanager at `alertmanager_url`, if there is one.
    `resend` is how often it tells of an alert that goes on; Alertmanager takes one that it has not been told of for four times as long as ended.
    What fires in the five seconds before Prometheus knows its Alertmanagers is not sent, but only after `resend` (findings/prometheus-first-alert.sh)."""

    def __init__(self, directory, targets, rules=None, alertmanager_url=None, resend="8s", scrape=None):
        program = shutil.which("prometheus")
        # As if it had one address whatever port it listens on, because each alert links to it.
        super().__init__(directory, [program, "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus", "--web.listen-address=127.0.0.1:0",
                                     "--web.external-url=http://prometheus.example", "--web.route-prefix=/",
                                     f"--rules.alert.resend-delay={resend}"])
        config = {"global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": ROUND},
                  "scrape_configs": [{"job_name": "shunt",
                                      "static_configs": [{"targets": [address], "labels": {"instance": name}} for name, address in targets.items()], **(scrape or {})}]}
        if rules is not None:
            (self.directory / "rules.yml").write_text(rules, encoding="utf-8")
            config["rule_files"] = ["rules.yml"]
        if alertmanager_url:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager_url.removeprefix("http://")]}]}]}
        (self.directory / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")

    def ask(self, path, **parameters):
        """`data` of the answer; an error is an exception that holds what Prometheus said."""
        try:
            return get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error

    def query(self, expression):
        """[(labels, value)]"""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=expression)["result"]]

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def wait_rounds(self, count=2):
        """Until all rules have been evaluated `count` times from now on."""
        for _ in range(count):
            before = [group["lastEvaluation"] for group in self.ask("rules")["groups"]]
            wait_until(lambda: all(group["lastEvaluation"] > old for group, old in zip(self.ask("rules")["groups"], before)), "rules are evaluated")


class Webhook:
    """What Alertmanager posts. `pages` are the alerts in the order in which they came, each with its `status`: firing or resolved."""

    def __init__(self):
        self.pages = []

    def __enter__(self):
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.pages += document["alerts"]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def of(self, **labels):
        """The pages about alerts that have these labels, in order."""
        return [page for page in list(self.pages) if labels.items() <= page["labels"].items()]
