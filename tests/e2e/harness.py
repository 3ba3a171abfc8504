"""harness: a fresh shuntd for one test, and the tool to talk to it; other programs that say where they listen.

Programs come from the environment, as meson sets it: SHUNTD, SHUNT, BUILD_DIR. Ports are chosen by the kernel and read from
the server's log; everything lives in a directory of its own that is removed, and stopping asserts that the server ends well.
With E2E_HTTPS in the environment every server speaks TLS, and its clients here do; with SHUNT_SECURE it lets nobody in who does not
log in, too, and they show a token (secure.py).
"""
import http.client
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse
import urllib.request

import secure

SHUNTD = os.environ.get("SHUNTD", "")
SHUNT = os.environ.get("SHUNT", "")
BUILD_DIR = os.environ.get("BUILD_DIR", "")
HTTPS = bool(os.environ.get("E2E_HTTPS"))
SOURCE_ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
SKIPPED = 77
LOGINS = {}  # what urllib shows to those who listen there


class Program:
    """A program that goes on, and says on stderr where it listens. Every line of that is kept in `log`, over all its starts."""

    def __init__(self):
        self.process = None
        self.log = []

    def launch(self, command, listens, **more):
        """Start it; returns the match of the first line that `listens` is found in."""
        lines = queue.Queue()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", **more)
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr, lines))
        self.reader.start()
        while True:
            line = lines.get(timeout=START_SECONDS_MAX)
            if line is None:
                raise AssertionError(f"{os.path.basename(command[0])} did not start:\n" + self.log_text())
            found = re.search(listens, line)
            if found:
                return found

    def _read(self, stream, lines):
        with stream:
            for line in stream:
                self.log.append(line)
                lines.put(line)
        lines.put(None)

    def log_text(self):
        return "".join(self.log)

    def kill(self):
        """SIGKILL, as a crash."""
        self.process.kill()
        self._wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self):
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
            self.log.append(f"(killed: it had not stopped after {STOP_SECONDS_MAX} s)\n")
        self.reader.join()
        return status


# What the journal may keep in memory would hide what a test measures.
SMALL_JOURNAL = "journal-memory: 1MiB\n"


class Server(Program):
    """One shuntd. As a context: started, and stopped at the end."""

    def __init__(self, data=None, options=(), wrapper=(), settings=""):
        """`wrapper`: words put before the server's command line; they must end up as the server itself (exec). `settings`: the text of a
        configuration file."""
        super().__init__()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
        self.data = pathlib.Path(data) if data else self.directory / "data"
        self.options = list(options)
        if settings:
            (self.directory / "settings.yaml").write_text(settings, encoding="utf-8")
            self.options += ["--config", self.directory / "settings.yaml"]
        self.wrapper = list(wrapper)
        self.program = SHUNTD
        self.url = self.http = self.address = None
        self.ca = self.tls = None  # the file of the authority whose clients it speaks TLS with, and what they speak it with
        self.token = None  # what its clients here show
        self.added = ""  # to its settings
        self.bring_tls()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            status = self.stop()
            if kind is None and status != 0:
                raise AssertionError(f"shuntd ended with {status}:\n" + self.log_text())
        finally:
            self.remove()

    def bring_tls(self, ca=None):
        """From its next start on its settings have a certificate of their own, of this authority; None: that ends."""
        self.added = (secure.settings() if secure.ON else secure.tls_settings()) if HTTPS or secure.ON else ""
        if ca:
            self.added = self.added and self.added.replace(secure.tls_settings(), "")
            self.trust(ca)
        elif self.added:
            self.trust(secure.certificate()[0])

    def _options(self):
        """With what the mode adds to the settings, in a file that takes the place of the test's."""
        if not self.added:
            return self.options
        options, text = list(self.options), self.added
        if "--config" in options:
            at = options.index("--config")
            text += pathlib.Path(options[at + 1]).read_text(encoding="utf-8")
            del options[at:at + 2]
        path = self.directory / "secure.yaml"
        path.write_text(text, encoding="utf-8")
        return [*options, "--config", path]

    def _make_administrator(self, options):
        """Before the first start on a data directory; a restored one, too, gets one of its own."""
        if not self.token or not self.data.exists():
            wrapper = [] if "env" in self.wrapper[:1] else self.wrapper  # what an environment plants is for the server
            self.token = secure.make_administrator([*wrapper, self.program, "--data", self.data, *options])

    def trust(self, ca, own=None):
        """Let clients here know the server by this authority; `own`: the certificate that they show, and its key."""
        self.ca = ca
        self.tls = ssl.create_default_context(cafile=ca)
        if own:
            self.tls.load_cert_chain(*own)

    def start(self):
        """Start it, and return when it listens."""
        options = self._options()
        if secure.ON:
            self._make_administrator(options)
        command = [*self.wrapper, self.program, "--data", self.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        line = self.launch(command, "event=listening").string
        self.address = re.search(r"\blisten=(\S+)", line)[1]
        self.url = self.url_at(self.address, " tls=on" in line)
        http = re.search(r"\bhttp=(\S+)", line)
        self.http = http and f"http{'s' * (' http_tls=on' in line)}://{http[1]}"
        if self.token and http:
            LOGINS[http[1]] = self.token
            urllib.request.install_opener(secure.opener(LOGINS))

    def url_at(self, address, tls=None):
        """The URL by which its clients reach it at another address, a relay's for one."""
        tls = bool(self.ca) if tls is None else tls
        query = {"ca": self.ca} if self.ca and tls else {}
        if self.token:
            query["token-file"] = secure.token_file(self.token)
        return f"shunt{'s' * tls}://{address}" + "?" * bool(query) + "&".join(f"{name}={urllib.parse.quote(str(path))}" for name, path in query.items())

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self._wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self):
        """For programs that are to talk to this server."""
        trusted = {"CURL_CA_BUNDLE": str(self.ca), "NODE_EXTRA_CA_CERTS": str(self.ca), "SSL_CERT_FILE": str(self.ca)} if self.ca else {}
        if self.token:
            trusted |= {"CURL_HOME": str(secure.curl_home(self.token)), "NODE_OPTIONS": secure.node_options(self.token)}
        return {**os.environ, "SHUNT_URL": self.url, **trusted}

    def http_client(self, timeout=60):
        """An http.client connection to it."""
        scheme, _, where = self.http.partition("://")
        if self.token:
            return secure.Connection(self.token, where, timeout=timeout, context=self.tls)
        return http.client.HTTPSConnection(where, timeout=timeout, context=self.tls) if scheme == "https" else http.client.HTTPConnection(where, timeout=timeout)

    def scraped(self):
        """How Prometheus reaches it: the address, and what else its scrape job says."""
        scheme, _, where = self.http.partition("://")
        tls = {"scheme": "https", "tls_config": {"ca_file": str(self.ca)}} if scheme == "https" else {}
        login = {"authorization": {"credentials": self.token}} if self.token else {}
        return where, {**tls, **login}

    @property
    def http_login(self):
        """The header that a request must have whose bytes the test writes itself, with the end of its line; nothing if it needs none."""
        return f"Authorization: Bearer {self.token}\r\n" if self.token else ""

    def http_socket(self, timeout=60, receive_bytes=None):
        """A socket that is connected to its HTTP."""
        plain = socket.socket()
        if receive_bytes:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        plain.settimeout(timeout)
        plain.connect(("127.0.0.1", int(self.http.rpartition(":")[2])))
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1") if self.http.startswith("https:") else plain

    def shunt(self, *args, check=True, **more):
        """Run the tool; returns the completed process with text output."""
        more.setdefault("timeout", 120)
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run([SHUNT, *map(str, args)], env=self.environment(), capture_output=True, text=True,
                              errors="replace", check=False, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"shunt {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done


def main():
    """unittest.main() for meson: 77, which is `skipped`, if every test was skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    if len(result.skipped) < result.testsRun:
        sys.exit(0)
    print("; ".join(sorted({reason for _, reason in result.skipped})))
    sys.exit(SKIPPED)
