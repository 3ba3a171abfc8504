"""packing: msgpack as the protocol uses it, in both directions, with the standard library alone.

encode() always writes the shortest form; Raw passes bytes through as they are. decode() takes exactly one value. A Reader goes over the bytes
step by step, and can skip values without making objects of them. Both refuse extension types, keys of maps that are not text, what nests too
deep, counts and lengths that the bytes cannot hold, and more than VALUES_MAX values: so what a peer sends bounds the memory that reading it
takes. Text that is not UTF-8 comes back with surrogate escapes, so that one odd header cannot stop a consumer.
"""

from __future__ import annotations

import struct
from typing import Any

from .protocol import FRAME_DEPTH_MAX

# Objects made of one frame: a thousand deliveries, or rows of a page, with as many headers as a message may have, are two thirds of it.
VALUES_MAX = 1 << 19


class PackingError(ValueError):
    """The bytes are not one msgpack value by the rules above, or the value has no msgpack form."""


class Raw(bytes):
    """Bytes that are msgpack already."""


def encode(value: object) -> bytes:
    parts: list[bytes] = []
    _encode(value, parts)
    return b"".join(parts)


def decode(data: bytes) -> Any:
    reader = Reader(data)
    value = reader.value()
    reader.finish()
    return value


# ---- writing ----


def _encode(value: object, parts: list[bytes]) -> None:
    if value is None:
        parts.append(b"\xc0")
    elif value is True or value is False:
        parts.append(b"\xc3" if value else b"\xc2")
    elif isinstance(value, Raw):
        parts.append(bytes(value))
    elif isinstance(value, int):
        parts.append(_encode_int(value))
    elif isinstance(value, float):
        parts.append(b"\xcb" + struct.pack(">d", value))
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        parts.append(_head(len(text), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + text)
    elif isinstance(value, (bytes, bytearray)):
        parts.append(_head(len(value), None, (0xC4, 0xC5, 0xC6)) + value)
    elif isinstance(value, (list, tuple)):
        parts.append(array_head(len(value)))
        for item in value:
            _encode(item, parts)
    elif isinstance(value, dict):
        parts.append(_head(len(value), (0x80, 16), (None, 0xDE, 0xDF)))
        for key, item in value.items():
            _encode(key, parts)
            _encode(item, parts)
    else:
        raise PackingError(f"no msgpack form for {type(value).__name__}")


def array_head(size: int) -> bytes:
    """What stands before the `size` elements of an array."""
    return _head(size, (0x90, 16), (None, 0xDC, 0xDD))


def _encode_int(value: int) -> bytes:
    if 0 <= value < 0x80:
        return struct.pack("B", value)
    if -32 <= value < 0:
        return struct.pack("b", value)
    unsigned = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"))
    signed = ((0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))
    for lead, form in unsigned if value >= 0 else signed:
        try:
            return bytes([lead]) + struct.pack(form, value)
        except struct.error:
            continue
    raise PackingError("an integer of more than 64 bits")


def _head(size: int, fixed: tuple[int, int] | None, leads: tuple[int | None, ...]) -> bytes:
    """The head of something with a length: in the leading byte, or behind it in 1, 2 or 4 bytes."""
    if fixed and size < fixed[1]:
        return bytes([fixed[0] | size])
    for lead, form, limit in zip(leads, (">B", ">H", ">I"), (1 << 8, 1 << 16, 1 << 32)):
        if lead is not None and size < limit:
            return bytes([lead]) + struct.pack(form, size)
    raise PackingError("too long")


# ---- reading ----

_NUMBERS = {lead: struct.Struct(form) for lead, form in (
    (0xCA, ">f"), (0xCB, ">d"), (0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"), (0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))}
_BIN, _STR, _ARRAY, _MAP = "bin", "str", "array", "map"
_LENGTHS = {lead: (kind, struct.Struct(form)) for lead, kind, form in (
    (0xC4, _BIN, ">B"), (0xC5, _BIN, ">H"), (0xC6, _BIN, ">I"), (0xD9, _STR, ">B"), (0xDA, _STR, ">H"), (0xDB, _STR, ">I"),
    (0xDC, _ARRAY, ">H"), (0xDD, _ARRAY, ">I"), (0xDE, _MAP, ">H"), (0xDF, _MAP, ">I"))}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


class Reader:
    """Goes over msgpack. `depth` is how many arrays and maps stand around what comes next."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.values_left = VALUES_MAX

    def finish(self) -> None:
        if self.at != len(self.data):
            raise PackingError("bytes are left after the value")

    def value(self, depth: int = 0) -> Any:
        """The next value as an object."""
        self.values_left -= 1
        if self.values_left < 0:
            raise PackingError(f"more than {VALUES_MAX} values")
        kind, found = self._next(depth)
        if kind is None:
            return found
        if kind == _BIN:
            return self._take(found)
        if kind == _STR:
            return self._take(found).decode("utf-8", "surrogateescape")
        if kind == _ARRAY:
            return [self.value(depth + 1) for _ in range(found)]
        items: dict[str, Any] = {}
        self.values_left -= found  # the keys
        for _ in range(found):
            key = self._key(depth)
            items[key] = self.value(depth + 1)
        return items

    def integer(self, depth: int) -> int | None:
        """The next value, if it is one; anything else is passed over."""
        lead = self.data[self.at] if self.at < len(self.data) else 0xC0
        if lead < 0x80 or lead >= 0xE0 or 0xCC <= lead <= 0xD3:
            return int(self.value(depth))
        self.skip(depth)
        return None

    def array(self, depth: int) -> int:
        """How many elements the array has that begins here; they come next."""
        kind, found = self._next(depth)
        if kind != _ARRAY:
            raise PackingError("not an array")
        return int(found)

    def skip(self, depth: int, count: int = 1) -> None:
        """Go over values without keeping them; checked like all others."""
        left = [count]  # of each array and map that is open
        while left:
            if left[-1] == 0:
                left.pop()
                continue
            left[-1] -= 1
            kind, found = self._next(depth + len(left) - 1)
            if kind in (_BIN, _STR):
                self._take(found)
            elif kind == _ARRAY:
                left.append(found)
            elif kind == _MAP:
                for _ in range(found):
                    self._key(depth + len(left) - 1)
                    self.skip(depth + len(left))

    def _key(self, depth: int) -> str:
        kind, found = self._next(depth)
        if kind != _STR:
            raise PackingError("a map's key is not text")
        return self._take(found).decode("utf-8", "surrogateescape")

    def _next(self, depth: int) -> tuple[str | None, Any]:
        """(None, value), or (kind, length) of what has one. A length is never more than the bytes left can hold."""
        if self.at >= len(self.data):
            raise PackingError("the bytes end within a value")
        lead = self.data[self.at]
        self.at += 1
        if lead < 0x80:
            return None, lead
        if lead >= 0xE0:
            return None, lead - 0x100
        if lead < 0xC0:
            kind, size = (_MAP, lead & 0x0F) if lead < 0x90 else (_ARRAY, lead & 0x0F) if lead < 0xA0 else (_STR, lead & 0x1F)
        elif lead in _CONSTANTS:
            return None, _CONSTANTS[lead]
        elif lead in _NUMBERS:
            return None, self._number(_NUMBERS[lead])
        elif lead in _LENGTHS:
            kind, form = _LENGTHS[lead]
            size = self._number(form)
        else:
            raise PackingError(f"a value cannot begin with {lead:02x}")
        if size * (2 if kind == _MAP else 1) > len(self.data) - self.at:
            raise PackingError("the bytes end within a value")
        if depth >= FRAME_DEPTH_MAX and kind in (_ARRAY, _MAP):
            raise PackingError(f"arrays and maps nest more than {FRAME_DEPTH_MAX} deep")
        return kind, size

    def _number(self, form: struct.Struct) -> Any:
        data = self._take(form.size)
        return form.unpack(data)[0]

    def _take(self, size: int) -> bytes:
        data = self.data[self.at : self.at + size]
        if len(data) < size:
            raise PackingError("the bytes end within a value")
        self.at += size
        return bytes(data)
