"""url: shunt://HOST[:PORT][,HOST[:PORT]]… What could mean two things is refused."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from .errors import BadArgument
from .protocol import PORT_DEFAULT

URL_DEFAULT = "shunt://127.0.0.1"
HOSTS_MAX = 16
HOST_BYTES_MAX = 255
_SCHEME = "shunt://"


class Host(NamedTuple):
    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


def parse_url(text: str) -> list[Host]:
    def bad(why: str) -> BadArgument:
        return BadArgument(f'url "{text[:200]}": {why}')

    if not text.startswith(_SCHEME):
        raise bad("it begins with shunt://")
    hosts = text[len(_SCHEME) :].removesuffix("/").split(",")
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
    return found


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
