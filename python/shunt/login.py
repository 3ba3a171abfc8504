"""login: who a client says that it is."""

from __future__ import annotations

import ipaddress
import os
import stat
from typing import NamedTuple

from .errors import BadArgument
from .url import Auth, Host

SECRET_BYTES_MAX = 1024


class Login(NamedTuple):
    user: str | None  # None: by a token
    secret: str | None  # None: it is in the file, which is read for each connection
    file: str | None

    def auth(self) -> dict[str, str]:
        """What HELLO says. Raises BadArgument if the file cannot be used."""
        secret = self.secret if self.secret is not None else read_secret(self.file or "")
        if self.user is None:
            return {"mechanism": "token", "token": secret}
        return {"mechanism": "password", "user": self.user, "password": secret}

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, file={self.file!r})"  # without the secret


def login_of(
    auth: Auth, user: str | None, password: str | None, password_file: str | os.PathLike[str] | None, token: str | None, token_file: str | os.PathLike[str] | None
) -> Login | None:
    """What the URL and the arguments say together; None: nothing. Raises BadArgument for what does not fit, or cannot be read."""
    if user is not None and auth.user is not None:
        raise BadArgument("user: the url names a user already")
    user = auth.user if user is None else user
    ways = [(way, value) for way, value in (
        ("password", auth.password_file), ("password", password_file), ("token", auth.token_file), ("token", token_file)) if value is not None]
    secrets = [(way, value) for way, value in (("password", password), ("token", token)) if value is not None]
    if len(ways) + len(secrets) > 1:
        raise BadArgument("a password or a token is named more than once")
    if not ways and not secrets:
        if user is not None:
            raise BadArgument("user and password go together")
        return None
    way = (ways + secrets)[0][0]
    if (way == "password") != (user is not None):
        raise BadArgument("user and password go together")
    login = Login(user, secrets[0][1] if secrets else None, os.fspath(ways[0][1]) if ways else None)
    if login.secret is not None and not 0 < len(login.secret.encode()) <= SECRET_BYTES_MAX:
        raise BadArgument(f"a password or token has 1 to {SECRET_BYTES_MAX} bytes")
    login.auth()  # a file that cannot be used is told at once
    return login


def read_secret(path: str) -> str:
    """The first line of a file that is closed to others."""
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            if about.st_mode & (stat.S_IWGRP | stat.S_IRWXO if about.st_uid == 0 else stat.S_IRWXG | stat.S_IRWXO):
                raise BadArgument(f"{path}: the secret can be read or changed by others: chmod 600 it, and make a new one if somebody may have read it")
            line = file.readline(SECRET_BYTES_MAX + 3).rstrip(b"\r\n")
        if not line or len(line) > SECRET_BYTES_MAX or b"\0" in line:
            raise BadArgument(f"{path}: its first line must be the secret, of at most {SECRET_BYTES_MAX} bytes")
        return line.decode()
    except (OSError, ValueError) as error:
        raise BadArgument(f"{path}: {error.strerror if isinstance(error, OSError) else 'the secret is not UTF-8'}") from None


def refuse_plain(hosts: list[Host]) -> None:
    """Everybody on the way reads what is sent plainly."""
    for host in hosts:
        if not host.is_local and not _is_loopback(host.name):
            raise BadArgument(f"the password or token would go to {host.name} without encryption: connect with shunts://, or say insecure")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
