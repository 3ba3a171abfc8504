"""secure: with SHUNT_SECURE=1 in the environment (`./test --secure`) every server of the rigs speaks TLS alone and lets nobody in who does not log in.

The servers of one test program share an authority and a certificate, and each data directory gets an administrator of its own, made by
--init-admin before its first start. The rigs' clients trust that authority and show that administrator's token.
"""
import atexit
import functools
import http.client
import itertools
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest
import urllib.request

from certificates import Authority

ON = bool(os.environ.get("SHUNT_SECURE"))
INIT_SECONDS_MAX = 60
FIRST_JOB = 3 if ON else 1  # the first number that a new store has for a job: the administrator and its token have numbers, too
FIRST_ACT = 3 if ON else 1  # and for a row of the audit log
administrators = itertools.count(1)


def plain_only(reason):
    """A test, or a class of them, that has nothing to say in this mode: it is skipped there, and the reason is printed."""
    return unittest.skipIf(ON, f"not with TLS and logins on: {reason}")


@functools.cache
def directory():
    """Of this program, and gone when it ends."""
    made, owner = pathlib.Path(tempfile.mkdtemp(prefix="secure-")), os.getpid()

    def remove():
        if os.getpid() == owner:  # and not a child that was forked
            shutil.rmtree(made, ignore_errors=True)
    atexit.register(remove)
    return made


@functools.cache
def certificate():
    """The files of the authority, of the server's certificate, and of its key."""
    authority = Authority(directory())
    return authority.cert, *authority.issue("server", names="DNS:localhost,IP:127.0.0.1,IP:127.0.0.2")


@functools.cache
def context():
    """What clients speak TLS with."""
    return ssl.create_default_context(cafile=certificate()[0])


def tls_settings():
    _, cert, key = certificate()
    return f"tls-cert: {cert}\ntls-key: {key}\n"


def settings():
    """What a server's configuration file has more than in a plain run."""
    return "auth: on\n" + tls_settings()


def make_administrator(command):
    """In the store of the stopped server that this command would start, by the documented way. Returns its token."""
    name = f"rig-{next(administrators)}"  # a restored store has the one of the store that was backed up
    done = subprocess.run([*map(str, command), "--init-admin", name], capture_output=True, text=True, check=False, timeout=INIT_SECONDS_MAX)
    if done.returncode:
        raise AssertionError(f"shuntd --init-admin: exit {done.returncode}\n{done.stderr}")
    return done.stdout.strip()


def token_file(token):
    """A file that holds it, as the clients want one."""
    path = directory() / f"token-{token[6:22]}"
    path.touch(mode=0o600)
    path.write_text(token + "\n", encoding="ascii")
    return path


def curl_home(token):
    """A directory for CURL_HOME, where curl finds the header to send."""
    path = directory() / f"curl-{token[6:22]}"
    path.mkdir(mode=0o700, exist_ok=True)
    (path / ".curlrc").write_text(f'header = "Authorization: Bearer {token}"\n', encoding="ascii")
    return path


def node_options(token):
    """For NODE_OPTIONS: fetch() shows the token where the script shows nothing else."""
    path = directory() / f"fetch-{token[6:22]}.cjs"
    path.touch(mode=0o600)
    path.write_text("const plain = globalThis.fetch;\nglobalThis.fetch = (url, options = {}) => "
                    f"plain(url, {{...options, headers: {{Authorization: 'Bearer {token}', ...options.headers}}}});\n", encoding="ascii")
    return f"--require {path}"


class Connection(http.client.HTTPSConnection):
    """Shows the token with each request that shows nothing else."""

    def __init__(self, token, where, **more):
        super().__init__(where, **more)
        self.token, self.shown = token, False

    def putheader(self, header, *values):
        self.shown = self.shown or header.lower() == "authorization"
        super().putheader(header, *values)

    def endheaders(self, *args, **more):
        if not self.shown:
            self.putheader("Authorization", f"Bearer {self.token}")
        self.shown = False
        super().endheaders(*args, **more)


class _Login(urllib.request.BaseHandler):
    def __init__(self, tokens):
        self.tokens = tokens

    def https_request(self, request):
        if request.host in self.tokens and not request.has_header("Authorization"):
            request.add_unredirected_header("Authorization", f"Bearer {self.tokens[request.host]}")
        return request


def opener(tokens):
    """For urllib: speaks TLS as the rigs do, and shows to each address the token that `tokens` has for it."""
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context()), _Login(tokens))
