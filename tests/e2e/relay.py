"""relay: stands between a client and a server, and cuts the connection at a chosen moment."""
import socket
import threading


class Relay:
    """Passes bytes on. After cut_after_request(), what a client sends next is passed to the server, and when the answer comes the connection is cut instead:
    the server has done what was asked, and the client cannot know."""

    def __init__(self, server):
        """In front of a harness.Server; it has a URL as that has."""
        host, _, port = server.address.rpartition(":")
        self.server = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = server.url_at(f"127.0.0.1:{self.listener.getsockname()[1]}")
        self.swallow = None
        self.cuts = 0
        self.threads, self.sockets = [], []
        self._spawn(self._accept)

    def _spawn(self, what, *arguments):
        self.threads.append(threading.Thread(target=what, args=arguments))
        self.threads[-1].start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            self.sockets += [client, server]
            swallowing = threading.Event()
            self._spawn(self._up, client, server, swallowing)
            self._spawn(self._down, client, server, swallowing)

    def cut_after_request(self):
        self.swallow = True

    def _up(self, client, server, swallowing):
        try:
            while data := client.recv(1 << 16):
                if self.swallow:
                    self.swallow = None
                    swallowing.set()
                server.sendall(data)
        except OSError:
            pass
        self._close(client, server)

    def _down(self, client, server, swallowing):
        try:
            while data := server.recv(1 << 16):
                if swallowing.is_set():
                    self.cuts += 1
                    break
                client.sendall(data)
        except OSError:
            pass
        self._close(client, server)

    def _close(self, *sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()
        for one in self.sockets:
            one.close()
