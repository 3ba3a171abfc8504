"""url: shunt://HOST[:PORT][,HOST[:PORT]]…, or with TLS shunts://HOST…[?ca=FILE][&cert=FILE&key=FILE], or on this machine shunt+unix:///PATH. What could
mean two things is refused."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from typing import NamedTuple

from .errors import BadArgument
from .protocol import PORT_DEFAULT

URL_DEFAULT = "shunt://127.0.0.1"
HOSTS_MAX = 16
HOST_BYTES_MAX = 255
PATH_BYTES_MAX = 107  # of a Unix-domain socket, as the system takes it
_SCHEME, _SCHEME_TLS, _SCHEME_UNIX = "shunt://", "shunts://", "shunt+unix://"


class Host(NamedTuple):
    name: str  # or the path of a Unix-domain socket
    port: int  # 0: it is a path

    @property
    def is_local(self) -> bool:
        return self.port == 0

    def __str__(self) -> str:
        if self.is_local:
            return self.name
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


class Tls(NamedTuple):
    """Files in PEM: the authorities that are trusted (None: those of the system), and what is shown to a broker that asks."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class Auth(NamedTuple):
    """The user that the client is, and where it has the secret that shows it."""

    user: str | None = None
    password_file: str | None = None
    token_file: str | None = None
    insecure: str | None = None  # "yes": a secret may go to another machine without TLS


class Url(NamedTuple):
    hosts: list[Host]
    tls: Tls | None  # None: it is not spoken
    auth: Auth


def parse_url(text: str) -> Url:

    def bad(why: str) -> BadArgument:
        return BadArgument(f'url "{text[:200]}": {why}')

    if text.startswith(_SCHEME_UNIX):
        try:
            return Url([Host(_parse_path(text[len(_SCHEME_UNIX) :]), 0)], None, Auth())
        except ValueError as error:
            raise bad(str(error)) from None
    secure = text.startswith(_SCHEME_TLS)
    if not secure and not text.startswith(_SCHEME):
        raise bad("it begins with shunt://, with shunts:// for TLS, or with shunt+unix://")
    place, asks, query = text[len(_SCHEME_TLS if secure else _SCHEME) :].partition("?")
    hosts = place.removesuffix("/").split(",")
    if len(hosts) > HOSTS_MAX:
        raise bad(f"at most {HOSTS_MAX} hosts")
    found = []
    for host in hosts:
        match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:/\[\]]*))(?::(.*))?", host, re.ASCII | re.DOTALL)
        if not match:
            raise bad("nothing may follow host and port" if "/" in host else "the host is not a name or address (an IPv6 address stands in [ ])")
        address, name, port = match.groups()
        if not (address or name):
            raise bad("the host is missing")
        if len(address or name) > HOST_BYTES_MAX:
            raise bad("the host is too long")
        if address is not None and not _is_ipv6(address):
            raise bad("between [ and ] stands an IPv6 address")
        if name is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
            raise bad("the host is not a name or address (an IPv6 address stands in [ ])")
        if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
            raise bad("the port is a number from 1 to 65535")
        found.append(Host(address or name, int(port) if port else PORT_DEFAULT))
    try:
        tls, auth = _parse_query(query, secure) if asks else ({}, {})
    except ValueError as error:
        raise bad(str(error)) from None
    return Url(found, Tls(**tls) if secure else None, Auth(**auth))


def _parse_query(query: str, secure: bool) -> tuple[dict[str, str], dict[str, str]]:
    tls: dict[str, str] = {}
    auth: dict[str, str] = {}
    for part in query.split("&"):
        key, _, value = part.partition("=")
        name = key.replace("-", "_")
        found = tls if name in Tls._fields else auth
        if name not in Tls._fields + Auth._fields or "_" in key or name in found:
            raise ValueError("after ? stand ca=FILE, cert=FILE, key=FILE, user=NAME, password-file=FILE, token-file=FILE and insecure=yes, with & between them, each at most once")
        if found is tls and not secure:
            raise ValueError("ca=, cert= and key= are for TLS, with shunts://")
        found[name] = _unquote(value)
        if not found[name]:
            raise ValueError("after = stands a value")
        if name == "insecure" and value != "yes":
            raise ValueError("insecure= is yes or left out")
    if ("cert" in tls) != ("key" in tls):
        raise ValueError("cert= and key= go together")
    return tls, auth


def _parse_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("after shunt+unix:// stands the path of a socket, which begins with /")
    if re.search(r"[?&#]", text):
        raise ValueError("the path of a socket holds no ?, & or # (write %3F, %26 or %23)")
    path = _unquote(text)
    if len(os.fsencode(path)) > PATH_BYTES_MAX or path.endswith("/"):
        raise ValueError(f"the path of a socket has at most {PATH_BYTES_MAX} bytes, and does not end with /")
    return path


def _unquote(value: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", value):
        raise ValueError("after % stand two hex digits, and not 00")
    return urllib.parse.unquote(value, errors="surrogateescape")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
