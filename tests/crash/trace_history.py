"""trace_history: what a recorded server was asked and has told (record_log.h), as a history for the judge.

A question counts when it arrived, an answer or a delivery when it was sent; the time is the record's number.
"""
import struct

import rig  # noqa: F401 (finds the client)
from packing import decode
from witness import History, Scribe, now_us

RECORD = struct.Struct("=IIQQQQ")  # struct record: kind, text_bytes, data_bytes, id, at, size
LIFE, RECEIVED, SENT = 1, 12, 13


def records(log):
    """(kind, id, data) of each."""
    data, at = memoryview(log.read_bytes()), 0
    while at + RECORD.size <= len(data):
        kind, text_bytes, data_bytes, id, _, _ = RECORD.unpack_from(data, at)
        at += RECORD.size + text_bytes
        yield kind, id, data[at : at + data_bytes]
        at += data_bytes


class Connection:
    def __init__(self, history):
        self.scribe = Scribe(history)
        self.buffers = {RECEIVED: bytearray(), SENT: bytearray()}

    def feed(self, kind, data):
        buffer = self.buffers[kind]
        buffer += data
        while len(buffer) >= 4 and len(buffer) - 4 >= (length := int.from_bytes(buffer[:4], "big")):
            op, id, *fields = decode(bytes(buffer[4 : 4 + length]))
            del buffer[: 4 + length]
            (self.scribe.asked if kind == RECEIVED else self.scribe.came)(op, id, fields)


def history_until(log, cut):
    """Of the first `cut` records; what is noted later has the time of the clock."""
    history, connections = History(), {}
    for number, (kind, id, data) in enumerate(records(log)):
        if number >= cut:
            break
        history.time = lambda number=number: number
        if kind == LIFE:
            history.note("restart")
        elif kind in (RECEIVED, SENT):
            if id not in connections:
                connections[id] = Connection(history)
            connections[id].feed(kind, data)
    history.time = now_us
    history.note("restart")
    return history
