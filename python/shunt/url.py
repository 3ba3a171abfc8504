"""url: shunt://HOST[:PORT][,HOST[:PORT]]…, or with TLS shunts://HOST…[?ca=FILE][&cert=FILE&key=FILE]. What could mean two things is refused."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import NamedTuple

from .errors import BadArgument
from .protocol import PORT_DEFAULT

URL_DEFAULT = "shunt://127.0.0.1"
HOSTS_MAX = 16
HOST_BYTES_MAX = 255
_SCHEME, _SCHEME_TLS = "shunt://", "shunts://"


class Host(NamedTuple):
    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


class Tls(NamedTuple):
    """Files in PEM: the authorities that are trusted (None: those of the system), and what is shown to a broker that asks."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def parse_url(text: str) -> tuple[list[Host], Tls | None]:
    """The hosts, and what TLS needs; None: it is not spoken."""

    def bad(why: str) -> BadArgument:
        return BadArgument(f'url "{text[:200]}": {why}')

    secure = text.startswith(_SCHEME_TLS)
    if not secure and not text.startswith(_SCHEME):
        raise bad("it begins with shunt://, or with shunts:// for TLS")
    place, asks, query = text[len(_SCHEME_TLS if secure else _SCHEME) :].partition("?")
    if asks and not secure:
        raise bad("ca=, cert= and key= are for TLS, with shunts://")
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
    if not secure:
        return found, None
    try:
        return found, _parse_query(query) if asks else Tls()
    except ValueError as error:
        raise bad(str(error)) from None


def _parse_query(query: str) -> Tls:
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name not in Tls._fields or name in found:
            raise ValueError("after ? stand ca=FILE, cert=FILE and key=FILE, with & between them, each at most once")
        if re.search(r"%(?![0-9A-Fa-f]{2})|%00", value):
            raise ValueError("after % stand two hex digits, and not 00")
        found[name] = urllib.parse.unquote(value, errors="surrogateescape")
        if not found[name]:
            raise ValueError("after ca=, cert= and key= stands a file's name")
    if ("cert" in found) != ("key" in found):
        raise ValueError("cert= and key= go together")
    return Tls(**found)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
