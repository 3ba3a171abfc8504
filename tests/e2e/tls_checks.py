"""tls_checks: what both addresses that speak TLS, `listen` and `http`, are asked alike."""
import contextlib
import socket
import subprocess

ALERT = b"\x15"  # the type of a record
HALF = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + bytes(50)  # the beginning of a ClientHello
HELLO_BEYOND = b"\x16\x03\x01\xff\xff" + bytes(2000)  # a record that is longer than any may be
WRONG = ((HELLO_BEYOND,), (HALF[:5] + b"\x02" + HALF[6:] + bytes(600),), (b"\x16\x00\x00\x00\x00",), (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",) + (b"\x16\x03\x01\x40\x00" + bytes(16384),) * 5)
REFUSED = (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
           ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"))


class TlsChecks:
    """For a TestCase that has the attributes port, authority and directory, and can start() a server with settings and find an event as logged()."""

    def openssl(self, *args, send=""):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", self.authority.cert, *map(str, args)], input=send, capture_output=True, text=True,
                              check=False, timeout=60)
        return done.stdout + done.stderr

    def plain(self, *parts):
        """A socket without TLS that has sent these."""
        plain = self.enterContext(socket.create_connection(("127.0.0.1", self.port), 60))
        for part in parts:
            plain.sendall(part)
        return plain

    def check_protocol(self):
        self.start()
        said = self.openssl("-tls1_3")
        self.assertIn("Verify return code: 0", said)
        self.assertNotIn("New Session Ticket", said)
        self.assertNotIn("Cipher is TLS_", self.openssl("-tls1_2"))
        self.assertIn("tls-min-version", self.logged("tls_failed"))
        self.server.stop()
        self.start("tls-min-version: 1.2\n")
        self.assertRegex(self.openssl("-tls1_2"), r"Cipher is ECDHE-\S*(GCM|CHACHA20)")
        for refused in REFUSED:
            self.assertIn("Cipher is (NONE)", self.openssl(*refused), refused)
        said = self.openssl("-tls1_2", send="R\n")
        self.assertIn("RENEGOTIATING", said)
        self.assertIn("no renegotiation", said)
        session = self.directory / "session"
        self.openssl("-tls1_2", "-sess_out", session)
        self.assertNotIn("Reused", self.openssl("-tls1_2", "-sess_in", session))

    def check_wrong_handshakes(self, bystander):
        """`bystander()` asks the server something over a connection of its own that is open all the time."""
        for parts in WRONG:
            plain = self.plain()
            with contextlib.suppress(ConnectionError):  # refused before the last of it has come
                for part in parts:
                    plain.sendall(part)
            with contextlib.suppress(ConnectionError):
                self.assertIn(plain.recv(1)[:1], (ALERT, b""), parts)
                while plain.recv(4096):
                    pass
            bystander()
        for cut in (1, 5, 6, len(HALF)):
            self.plain(HALF[:cut]).shutdown(socket.SHUT_WR)
            bystander()
