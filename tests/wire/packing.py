"""packing: msgpack as the protocol uses it, in both directions, with the standard library alone.

encode() always writes the shortest form; Raw passes bytes through as they are, for tests that want another form.
decode() takes exactly one value and refuses extension types. Text that is not UTF-8 comes back with surrogate escapes,
so that one odd header cannot stop a consumer.
"""

import struct


class PackingError(ValueError):
    """The bytes are not one msgpack value, or the value has no msgpack form."""


class Raw(bytes):
    """Bytes that are msgpack already."""


def encode(value):
    parts = []
    _encode(value, parts)
    return b"".join(parts)


def decode(data):
    value, end = _decode(data, 0)
    if end != len(data):
        raise PackingError("bytes are left after the value")
    return value


# ---- writing ----


def _encode(value, parts):
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
        parts.append(_head(len(value), (0x90, 16), (None, 0xDC, 0xDD)))
        for item in value:
            _encode(item, parts)
    elif isinstance(value, dict):
        parts.append(_head(len(value), (0x80, 16), (None, 0xDE, 0xDF)))
        for key, item in value.items():
            _encode(key, parts)
            _encode(item, parts)
    else:
        raise PackingError(f"no msgpack form for {type(value).__name__}")


def _encode_int(value):
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


def _head(size, fixed, leads):
    """The head of something with a length: in the leading byte, or behind it in 1, 2 or 4 bytes."""
    if fixed and size < fixed[1]:
        return bytes([fixed[0] | size])
    for lead, form, limit in zip(leads, (">B", ">H", ">I"), (1 << 8, 1 << 16, 1 << 32)):
        if lead is not None and size < limit:
            return bytes([lead]) + struct.pack(form, size)
    raise PackingError("too long")


# ---- reading ----

_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_LENGTHS = {
    0xC4: ("bin", ">B"),
    0xC5: ("bin", ">H"),
    0xC6: ("bin", ">I"),
    0xD9: ("str", ">B"),
    0xDA: ("str", ">H"),
    0xDB: ("str", ">I"),
    0xDC: ("array", ">H"),
    0xDD: ("array", ">I"),
    0xDE: ("map", ">H"),
    0xDF: ("map", ">I"),
}


def _decode(data, at):
    lead = _take(data, at, 1)[0]
    at += 1
    if lead < 0x80:
        return lead, at
    if lead < 0x90:
        return _decode_sized("map", lead & 0x0F, data, at)
    if lead < 0xA0:
        return _decode_sized("array", lead & 0x0F, data, at)
    if lead < 0xC0:
        return _decode_sized("str", lead & 0x1F, data, at)
    if lead >= 0xE0:
        return lead - 0x100, at
    if lead in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[lead], at
    if lead in _NUMBERS:
        number, at = _decode_number(_NUMBERS[lead], data, at)
        return number, at
    if lead in _LENGTHS:
        kind, form = _LENGTHS[lead]
        size, at = _decode_number(form, data, at)
        return _decode_sized(kind, size, data, at)
    raise PackingError(f"a value cannot begin with {lead:02x}")


def _take(data, at, size):
    if len(data) - at < size:
        raise PackingError("the bytes end within a value")
    return data[at : at + size]


def _decode_number(form, data, at):
    size = struct.calcsize(form)
    return struct.unpack(form, _take(data, at, size))[0], at + size


def _decode_sized(kind, size, data, at):
    if kind == "bin":
        return bytes(_take(data, at, size)), at + size
    if kind == "str":
        return bytes(_take(data, at, size)).decode("utf-8", "surrogateescape"), at + size
    items = []
    for _ in range(size * (2 if kind == "map" else 1)):
        item, at = _decode(data, at)
        items.append(item)
    if kind == "array":
        return items, at
    try:
        return dict(zip(items[::2], items[1::2])), at
    except TypeError as error:
        raise PackingError("a map's key is an array or a map") from error
