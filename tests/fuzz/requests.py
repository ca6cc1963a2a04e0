"""Request streams on the wire: sound ones, and what a client that means harm may send in their place."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from echoplane.v1 import view_pb2

CHUNK_BYTES = 2**20
MOST_MESSAGES = 600
_LENGTH_DELIMITED = 2
_WIRE_TYPES = range(8)
_STRINGS = ("", "a" * 64, "a" * 65, "../../etc/passwd", "a\nb", "\u0000", "Å", "\u202e", "%s%n", "{}", "x" * 300_000)
_TEXTS = ("request_id", "study_id", "filename", "trial", "subject_code", "visit", "study")
_INTEGERS = (0, 1, -1, 64, 65, 2**31 - 1, -(2**31), 99)


def message(header: Any = None, chunk: bytes | None = None) -> bytes:
    """Write one PredictViewRequest."""
    return bytes(view_pb2.PredictViewRequest(header=header, chunk=chunk).SerializeToString())


def upload(data: bytes, chunk_bytes: int = CHUNK_BYTES, **header: Any) -> list[bytes]:
    """Write the messages that send a file."""
    chunks = [message(chunk=data[at : at + chunk_bytes]) for at in range(0, len(data), chunk_bytes)]
    return [message(view_pb2.CineHeader(**header)), *chunks]


def varint(value: int) -> bytes:
    """Write a base-128 varint; a negative number as protobuf does, in ten bytes."""
    value %= 2**64
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def wire_field(number: int, wire_type: int, body: bytes) -> bytes:
    """Write one field, its length before it where its wire type asks for one."""
    length = varint(len(body)) if wire_type == _LENGTH_DELIMITED else b""
    return varint(number << 3 | wire_type) + length + body


def damaged_request(data: bytes, rng: Random) -> list[bytes]:
    """Write the messages of a sound file and damage them."""
    messages = upload(data, rng.choice((CHUNK_BYTES, len(data) // 2 + 1, len(data) // 100 + 1, 4_099)))
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_CHANGES)(messages, rng)
    return messages[:MOST_MESSAGES]


def _odd_header(messages: list[bytes], rng: Random) -> None:
    text = {name: rng.choice(_STRINGS) for name in _TEXTS}
    numbers = {"format": rng.choice(_INTEGERS), "selection": rng.choice(_INTEGERS)}
    chosen = rng.sample([*text.items(), *numbers.items(), ("max_frames", rng.choice((1, 64, 65, 2**32 - 1)))], 2)
    messages[:1] = [message(view_pb2.CineHeader(**dict(chosen)))]


def _unknown_field(messages: list[bytes], rng: Random) -> None:
    """Add fields that nobody knows, or that come with another wire type than they have."""
    number = rng.choice((0, 1, 2, 3, 4, 15, 16, 1_000, 19_000, 2**29 - 1, 2**40))
    body = rng.choice((b"", b"\0", varint(2**63), b"\xff" * 10, rng.randbytes(8), bytes(100_000)))
    at = rng.randrange(len(messages) + 1)
    field = wire_field(number, rng.choice(_WIRE_TYPES), body) * rng.choice((1, 1, 100))
    if rng.random() < 0.5 and at < len(messages):
        messages[at] += field
    else:
        messages.insert(at, field)


def _huge_varint(messages: list[bytes], rng: Random) -> None:
    value = rng.choice((b"\xff" * 10 + b"\x01", b"\xff" * 4 + b"\x0f", b"\x80" * 9 + b"\x01", b"\x80" * 200))
    messages.insert(rng.randrange(len(messages) + 1), rng.choice((b"\x0a", b"\x12", b"\x20")) + value)


def _groups(messages: list[bytes], rng: Random) -> None:
    """Open groups inside groups, closed or not."""
    depth = rng.choice((1, 99, 101, 10_000, 100_000))
    closed = bytes([0x1C]) * depth if rng.random() < 0.5 else b""
    messages.insert(rng.randrange(len(messages) + 1), bytes([0x1B]) * depth + closed)


def _nested(messages: list[bytes], rng: Random) -> None:
    body = b""
    for _ in range(rng.choice((2, 50, 150))):
        body = wire_field(1, _LENGTH_DELIMITED, body)
    messages.insert(0, body)


def _shuffle(messages: list[bytes], rng: Random) -> None:
    rng.shuffle(messages)


def _repeat(messages: list[bytes], rng: Random) -> None:
    at = rng.randrange(len(messages) + 1)
    messages[at:at] = messages[at : at + 1] * rng.choice((1, 3, 40))


def _drop(messages: list[bytes], rng: Random) -> None:
    del messages[rng.randrange(len(messages) + 1) :]


def _drop_header(messages: list[bytes], rng: Random) -> None:
    del messages[:1]


def _empty_messages(messages: list[bytes], rng: Random) -> None:
    at = rng.randrange(len(messages) + 1)
    messages[at:at] = [rng.choice((b"", message(chunk=b""), wire_field(1, _LENGTH_DELIMITED, b"")))] * 200


def _too_large(messages: list[bytes], rng: Random) -> None:
    messages.insert(
        rng.randrange(len(messages) + 1), message(chunk=bytes(CHUNK_BYTES + rng.choice((0, 1, CHUNK_BYTES))))
    )


def _noise(messages: list[bytes], rng: Random) -> None:
    messages.insert(rng.randrange(len(messages) + 1), rng.randbytes(rng.choice((1, 2, 30, 5_000))))


def _flip(messages: list[bytes], rng: Random) -> None:
    if messages:
        at = rng.randrange(len(messages))
        damaged = bytearray(messages[at] or b"\0")
        damaged[rng.randrange(min(len(damaged), 8))] ^= 1 << rng.randrange(8)
        messages[at] = bytes(damaged)


def _cut(messages: list[bytes], rng: Random) -> None:
    if messages:
        at = rng.randrange(len(messages))
        messages[at] = messages[at][: rng.randrange(len(messages[at]) + 1)]


_CHANGES: tuple[Callable[[list[bytes], Random], None], ...] = (
    *(_odd_header, _odd_header, _odd_header, _unknown_field, _unknown_field, _huge_varint, _groups, _nested),
    *(_shuffle, _repeat, _drop, _drop_header, _empty_messages, _too_large, _noise, _flip, _cut),
)
