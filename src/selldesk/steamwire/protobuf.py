"""The part of protobuf's wire format that Steam's authentication calls use: varint, fixed64, length-delimited, float.

A message is a list of (field number, value). On encoding the Python type chooses the wire type: int and bool → varint, `Fixed64`
→ fixed64, float → 32-bit float, str and bytes → length-delimited.
"""

import struct
from collections.abc import Iterable

Value = int | bool | float | str | bytes


class Fixed64(int):
    """A 64-bit number that goes over the wire as eight bytes (SteamIDs do)."""


class ProtobufFault(ValueError):
    """Bytes that are no protobuf message."""


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(fields: Iterable[tuple[int, Value | None]]) -> bytes:
    """Fields whose value is None are left out."""
    out = bytearray()
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, Fixed64):
            out += _varint(number << 3 | 1) + struct.pack("<Q", value)
        elif isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        elif isinstance(value, float):
            out += _varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            body = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | 2) + _varint(len(body)) + body
    return bytes(out)


class Message:
    """A decoded message: repeated fields keep all values, `get_*` answer the last one or a default."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        position = 0
        while position < len(data):
            key, position = _read_varint(data, position)
            number, wire = key >> 3, key & 7
            value: int | bytes
            if wire == 0:
                value, position = _read_varint(data, position)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                value, position = data[position : position + size], position + size
            elif wire == 2:
                size, position = _read_varint(data, position)
                value, position = data[position : position + size], position + size
            else:
                raise ProtobufFault(f"wire type {wire}")
            if position > len(data) or number == 0:
                raise ProtobufFault("truncated message")
            self._fields.setdefault(number, []).append(value)

    def get_int(self, number: int, default: int = 0) -> int:
        """A varint or a fixed-width integer."""
        value = self._fields.get(number, [default])[-1]
        return value if isinstance(value, int) else int.from_bytes(value, "little")

    def get_bytes(self, number: int) -> bytes:
        value = self._fields.get(number, [b""])[-1]
        if isinstance(value, int):
            raise ProtobufFault(f"field {number} is a number")
        return value

    def get_text(self, number: int) -> str:
        try:
            return self.get_bytes(number).decode()
        except UnicodeDecodeError as error:
            raise ProtobufFault(f"field {number} is no text") from error

    def get_float(self, number: int, default: float = 0.0) -> float:
        value = self._fields.get(number, [b""])[-1]
        return struct.unpack("<f", value)[0] if isinstance(value, bytes) and len(value) == 4 else default

    def messages(self, number: int) -> list["Message"]:
        return [Message(value) for value in self._fields.get(number, []) if isinstance(value, bytes)]


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ProtobufFault("truncated varint")
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
