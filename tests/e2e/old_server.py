"""old_server: a proxy that makes a server look like one from before there were causes: it does not know the requests about them, passes
over the filter of DLQ_LIST, sends no `next`, and no cause with a letter; nor does it know WITHIN."""
import re
import socket
import struct
import threading

import harness  # noqa: F401 (finds tests/wire)
import wire
from packing import decode, encode

SINCE_CAUSES = {wire.DLQ_CAUSES: "DLQ_CAUSES", wire.DLQ_CAUSE: "DLQ_CAUSE", wire.DLQ_ATTEND: "DLQ_ATTEND", wire.CAUSE_UPDATE: "CAUSE_UPDATE"}
UNSUPPORTED = 9


def frames(stream):
    """The frames that come from a socket, decoded."""
    while True:
        head = stream.read(4)
        if len(head) < 4:
            return
        yield decode(stream.read(struct.unpack(">I", head)[0]))


def put(to, frame):
    payload = encode(frame)
    to.sendall(struct.pack(">I", len(payload)) + payload)


class OldServer:
    """As a context: listens at `url`, for one connection after the other."""

    def __init__(self, server):
        self.behind = re.fullmatch(r"shunt://(.+):(\d+)", server.url).groups()
        self.refused = []  # names of the requests that it did not know

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "shunt://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.create_connection(self.behind) as server:
                listings = set()
                back = threading.Thread(target=self._answers, args=(server, client, listings))
                back.start()
                self._requests(client, server, listings)
                server.shutdown(socket.SHUT_WR)
                back.join()

    def _requests(self, client, server, listings):
        with client.makefile("rb") as stream:
            for op, number, *fields in frames(stream):
                if op in SINCE_CAUSES:
                    self.refused.append(SINCE_CAUSES[op])
                    put(client, [wire.ERROR, number, UNSUPPORTED, "UNSUPPORTED", "operation %d is not known" % op, False])
                    continue
                if op == wire.DLQ_LIST:
                    listings.add(number)
                    fields = fields[:4]
                put(server, [op, number, *fields])

    def _answers(self, server, client, listings):
        with server.makefile("rb") as stream:
            for op, number, *fields in frames(stream):
                if op == wire.OK and number in listings:
                    fields = fields[:2]
                    for row in fields[0]:
                        del row["cause"], row["attended"]
                for field in fields:
                    if isinstance(field, dict) and "features" in field:
                        field["features"].remove("within")
                try:
                    put(client, [op, number, *fields])
                except OSError:
                    return
