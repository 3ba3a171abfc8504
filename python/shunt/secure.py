"""secure: TLS between a link and its socket. It knows no socket but in the handshake: bytes go in and out. The broker's certificate must be good, and name
the host of the URL; there is no way to leave that out."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import time

from .errors import BadArgument
from .url import Tls

READ_BYTES = 1 << 18


def context_of(tls: Tls) -> ssl.SSLContext:
    """With the files that the URL names, as they are now. Raises BadArgument if they cannot be used."""
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert and tls.key:
            _check_closed(tls.key)
            context.load_cert_chain(tls.cert, tls.key, password=b"")  # rather than to be asked on the terminal
    except (OSError, ValueError) as error:
        raise BadArgument(f"the files of the url ({', '.join(filter(None, tls))}): {error}") from error
    return context


def _check_closed(path: str) -> None:
    about = os.stat(path)
    closed = stat.S_IWGRP | stat.S_IRWXO if about.st_uid == 0 else stat.S_IRWXG | stat.S_IRWXO
    if about.st_mode & closed:
        raise ValueError(f"{path}: the private key can be read or changed by others: chmod 600 it")


def said(error: ssl.SSLError) -> str:
    """In words that say what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not accepted: {error.verify_message}"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "what came is not TLS (a server without tls-cert is reached with shunt://)"
    if error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return "the server wants a certificate of the client: give the URL cert= and key="
    return str(error)


class Secure:
    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host.partition("%")[0])
        self.ended = False  # the broker has said that nothing follows

    def shake(self, connection: socket.socket, deadline: float) -> None:
        """The handshake, on a socket that blocks."""
        while True:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                pass
            finally:
                connection.sendall(self._out.read())
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            data = connection.recv(READ_BYTES)
            if not data:
                raise ConnectionResetError("it closed the connection during the handshake of TLS")
            self._in.write(data)

    def seal(self, data: bytes) -> bytes:
        """What is to be sent for it."""
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left) :]
        return self._out.read()

    def open(self, data: bytes) -> bytes:
        """What came in it. TLS itself may have something to answer then: answers()."""
        self._in.write(data)
        found = []
        try:
            while part := self._tls.read(READ_BYTES):
                found.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(found)

    def answers(self) -> bytes:
        return self._out.read()

    def end(self) -> bytes:
        """What says that nothing follows."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the broker's own end is not waited for
        return self._out.read()
