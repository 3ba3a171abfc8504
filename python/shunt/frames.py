"""frames: what goes over the connection, without the connection: bytes to frames and back."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from . import protocol
from .packing import PackingError, Reader, encode

_HEAD = struct.Struct(">I")
VALUE_BYTES = 64  # of memory for one value, beside its own bytes


def frame(*elements: object) -> bytes:
    """A frame: [operation, request id, fields…]."""
    return with_length(encode(elements))


def with_length(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload)) + payload


class FrameReader:
    """Bytes in, payloads out. A length above FRAME_BYTES_MAX is refused before anything more is kept."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self.buffer += data

    def take(self) -> bytes | None:
        """The next payload; None if it is not whole yet."""
        if len(self.buffer) < _HEAD.size:
            return None
        (length,) = _HEAD.unpack_from(self.buffer)
        if length > protocol.FRAME_BYTES_MAX:
            raise PackingError(f"a frame of {length} bytes; at most {protocol.FRAME_BYTES_MAX}")
        if len(self.buffer) < _HEAD.size + length:
            return None
        payload = bytes(memoryview(self.buffer)[_HEAD.size : _HEAD.size + length])
        del self.buffer[: _HEAD.size + length]
        return payload


class Handout(NamedTuple):
    """An entry of DELIVER."""

    seq: int
    token: int
    attempts: int
    deliveries: int
    generation: int
    published: int
    lease_ms: int
    body: bytes
    headers: dict[str, str | bytes]
    key: bytes | str | None
    dead: dict[str, Any] | None
    deadline_ms: int  # since 1970; 0: none in force
    remaining_ms: int | None
    size: int  # bytes of memory, about


class Received(NamedTuple):
    """A frame from the server. `fields` of a DELIVER: the subscription's number and a list of Handout."""

    op: int
    id: int
    fields: list[Any]


def parse(payload: bytes) -> Received:
    """Raises PackingError if this is no frame. What later versions may send is skipped: of a message, it was never ours to keep."""
    reader = Reader(payload)
    size = reader.array(0)
    if size < 2:
        raise PackingError("a frame without an operation or request id")
    op, id = _uint(reader, 1), _uint(reader, 1)
    if op == protocol.DELIVER and size >= 4:
        sub = _uint(reader, 1)
        fields: list[Any] = [sub, [_handout(reader) for _ in range(reader.array(1))]]
        reader.skip(1, size - 4)
    else:
        fields = [reader.value(1) for _ in range(size - 2)]
    reader.finish()
    _check(op, fields)
    return Received(op, id, fields)


_SHAPES: dict[int, tuple[type, ...]] = {
    protocol.ERROR: (int, str, str, bool), protocol.DELIVER: (int, list), protocol.CLOSED: (int, int, str)}


def _check(op: int, fields: list[Any]) -> None:
    shape = _SHAPES.get(op, ())
    if len(fields) < len(shape) or not all(isinstance(field, kind) for field, kind in zip(fields, shape)):
        raise PackingError(f"operation {op} has other fields than it should")


def _uint(reader: Reader, depth: int) -> int:
    value = reader.value(depth)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PackingError("not an unsigned integer")
    return value


def _handout(reader: Reader) -> Handout:
    size = reader.array(2)
    if size < 8:
        raise PackingError("a delivery with fields missing")
    seq, token, attempts, deliveries, generation, published, lease_ms = [_uint(reader, 3) for _ in range(7)]
    begin, values_left = reader.at, reader.values_left
    parts = reader.array(3)
    body, headers, key = [*(reader.value(4) for _ in range(min(parts, 3))), None, None, None][:3]
    reader.skip(4, min(2, max(0, parts - 3)))
    deadline = reader.integer(4) if parts > 5 else None
    reader.skip(4, max(0, parts - 6))
    dead = reader.value(3) if size > 8 else None
    remaining = reader.value(3) if size > 9 else None
    reader.skip(3, max(0, size - 10))
    memory = reader.at - begin + VALUE_BYTES * (values_left - reader.values_left)
    if not isinstance(body, bytes) or not isinstance(headers, (dict, type(None))) or not isinstance(key, (bytes, str, type(None))) or not isinstance(dead, (dict, type(None))):
        raise PackingError("a message of another shape")
    if type(remaining) is not int or remaining < 0:
        remaining = None
    in_force = deadline or 0 if remaining is not None else 0
    return Handout(seq, token, attempts, deliveries, generation, published, lease_ms, body, headers or {}, key, dead, in_force, remaining, memory)
