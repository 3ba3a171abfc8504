"""tls_socket: TLS over a connected socket, with the calls of a socket that the client of this folder makes; ssl.SSLSocket cannot say that it has sent all and read on."""
import socket
import ssl

RECORD_BYTES = 1 << 18


class TlsSocket:
    """Takes the plain socket over. Time-outs and errors of the network are those of the plain socket."""

    def __init__(self, plain, context, server_hostname):
        self.plain = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ended = False  # what comes
        self.read_ahead = b""  # decrypted before the sending side was ended
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=server_hostname)
        try:
            while not self._step(self.tls.do_handshake):
                if not self._fill():
                    raise ConnectionResetError("the server closed the connection in the handshake")
        except BaseException:
            plain.close()
            raise

    def __getattr__(self, name):
        return getattr(self.plain, name)  # settimeout, getsockname, setsockopt and the like

    def _step(self, call):
        """Whether it was done; what it had to say is sent."""
        try:
            call()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()

    def _flush(self):
        if self.outgoing.pending:
            self.plain.sendall(self.outgoing.read())

    def _fill(self):
        data = self.plain.recv(RECORD_BYTES)
        self.incoming.write(data)
        return bool(data)

    def sendall(self, data):
        left = memoryview(data)
        while left:
            left = left[self.tls.write(left):]
            self._flush()

    def recv(self, size):
        """Nothing at the end of TLS, or of the connection."""
        if self.read_ahead:
            data, self.read_ahead = self.read_ahead[:size], self.read_ahead[size:]
            return data
        while not (data := self._read(size)) and not self.ended:
            self._flush()
            self.ended = not self._fill()
        return data

    def _read(self, size):
        """All that has come, so that nothing waits here while somebody waits for the socket."""
        data = b""
        try:
            while len(data) < size and (more := self.tls.read(size - len(data))):
                data += more
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return data

    def shutdown(self, how):
        """SHUT_WR: say so in TLS (close_notify), then in TCP; what comes can be read on."""
        if how != socket.SHUT_WR:
            raise ValueError("a TLS stream is ended on its sending side alone")
        while data := self._read(RECORD_BYTES):  # what came before would look like an error to unwrap()
            self.read_ahead += data
        self._step(self.tls.unwrap)
        self.plain.shutdown(how)

    def close(self):
        self.plain.close()
