"""Damages files and request streams: part by part, where a format's parts are known, and byte by byte.

A case is told by its seed and its index alone: `mutant(seed, index)` is the same bytes today and tomorrow.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.fuzz.parts import Part, bare, divide
from tests.fuzz.requests import damaged_request, upload
from tests.fuzz.seeds import NAMES, grammar_of, seed_bytes

MOST_BYTES = 4 * 2**20
"""Of one case: what needs more is a bomb, made by hand."""

REQUEST_SHARE = 0.15
"""Of the cases that damage the request around a sound file, not the file."""

DEEPEST = 400

NUMBERS = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 4096, 2**15 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
LARGE = (2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
FLOATS = (float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 1e-308, 0.0, -0.0, -1.0, 3.4e38)
WORDS = (b"NaN", b"-inf", b"1e999", b"-1", b"0", b"4294967296", b"9" * 400, b"0x10", b"1\\2\\3", b"\0\x1b\r\n", b" ")


@dataclass(frozen=True)
class Case:
    """One hostile request.

    Attributes:
        name: what was damaged.
        messages: what is sent, each as it stands on the wire.
        data: the file in it; empty where the request itself is damaged.
    """

    name: str
    messages: tuple[bytes, ...]
    data: bytes = b""


def mutant(seed: int, index: int) -> Case:
    """Make one case."""
    rng = Random(f"{seed}:{index}")
    name = NAMES[index % len(NAMES)]
    if rng.random() < REQUEST_SHARE:
        return Case(f"request with {name}", tuple(damaged_request(seed_bytes(name), rng)))
    data = damaged_file(name, rng)
    return Case(name, tuple(upload(data)), data)


def damaged_file(name: str, rng: Random) -> bytes:
    """Damage a seed: its parts, its bytes, or both."""
    data, how = seed_bytes(name), rng.random()
    if how < 0.8:
        whole = divide(data, grammar_of(name))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
            sites = list(whole.walk())
            inside, index = rng.choice(sites)
            rng.choice(PART_CHANGES)(inside, index, rng)
        data = whole.write()
    if how > 0.6:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            rng.choice(BYTE_CHANGES)(changed, rng)
        data = bytes(changed)
    return data[:MOST_BYTES]


# ---- parts ----------------------------------------------------------------------------------------------------------


def _delete(inside: list[Part], index: int, rng: Random) -> None:
    if len(inside) > 1:
        del inside[index]


def _repeat(inside: list[Part], index: int, rng: Random) -> None:
    again = inside[index].write() * rng.choice((1, 2, 10, 300))
    inside.insert(index, Part(again[:MOST_BYTES]))


def _swap(inside: list[Part], index: int, rng: Random) -> None:
    other = rng.randrange(len(inside))
    inside[index], inside[other] = inside[other], inside[index]


def _nest(inside: list[Part], index: int, rng: Random) -> None:
    """Put a part into itself, again and again."""
    part = inside[index]
    between = part.inside[0].wrap if part.inside else bare
    body = part.write()
    for _ in range(rng.choice((1, 3, 30, DEEPEST))):
        body = between(body, len(body))
        body = part.wrap(body, len(body))
    inside[index] = Part(body)


def _lie(inside: list[Part], index: int, rng: Random) -> None:
    part = inside[index]
    true = len(part.body)
    lies = (*NUMBERS, *LARGE, true - 1, true + 1, true + 2, true * 2, -1, -2, -8)
    inside[index] = Part(part.body, part.inside, part.wrap, rng.choice(lies))


def _cut(inside: list[Part], index: int, rng: Random) -> None:
    part = inside[index]
    inside[index] = Part(part.body[: rng.randrange(len(part.body) + 1)], [], part.wrap)


def _number(inside: list[Part], index: int, rng: Random) -> None:
    """Put an extreme number where one may stand."""
    part = inside[index]
    body = bytearray(part.write() if rng.random() < 0.2 else part.body)
    value = number_bytes(rng)
    at = rng.randrange(max(1, min(len(body), 512)))
    at -= at % len(value) if rng.random() < 0.8 else 0
    body[at : at + len(value)] = value
    inside[index] = Part(bytes(body), [], part.wrap)


def _word(inside: list[Part], index: int, rng: Random) -> None:
    """Put text where a number in letters may stand; in MetaImage, behind the sign of equality."""
    part = inside[index]
    key, sign, _ = part.body.partition(b" = ")
    word = rng.choice(WORDS) * rng.choice((1, 1, 1, 3, 2_000))
    separator = rng.choice((b"\\", b" ", b"\n"))
    words = separator.join([word] * rng.choice((1, 1, 2, 16)))[: MOST_BYTES // 16]
    body = key + sign + words + b"\n" if sign and len(key) < 64 else words
    inside[index] = Part(body, [], part.wrap)


def _noise(inside: list[Part], index: int, rng: Random) -> None:
    part = inside[index]
    inside[index] = Part(rng.randbytes(rng.choice((0, 1, 3, len(part.body), 1_000))), [], part.wrap)


def _grow(inside: list[Part], index: int, rng: Random) -> None:
    part = inside[index]
    grown = (part.body or b"\0") * rng.choice((2, 17, 256))
    inside[index] = Part(grown[:MOST_BYTES], [], part.wrap)


def _graft(inside: list[Part], index: int, rng: Random) -> None:
    """Put a part of another file in a part's place, behind it, or into its wrapping."""
    donor = rng.choice(NAMES)
    theirs, at = rng.choice(list(divide(seed_bytes(donor), grammar_of(donor)).walk()))
    part, graft = inside[index], theirs[at]
    change = rng.randrange(3)
    if change == 2:
        graft = Part(inside=[graft], wrap=part.wrap)
    inside[index : index + (change != 1)] = [graft]


def _rewrap(inside: list[Part], index: int, rng: Random) -> None:
    """Give a part the name of its neighbour: another tag, another chunk, another marker."""
    part, other = inside[index], inside[rng.randrange(len(inside))]
    inside[index] = Part(part.body, part.inside, other.wrap)


PartChange = Callable[[list[Part], int, Random], None]
PART_CHANGES: tuple[PartChange, ...] = (
    *(_delete, _repeat, _swap, _nest, _lie, _lie, _cut, _number, _number, _number, _number),
    *(_word, _word, _noise, _grow, _graft, _rewrap),
)


def number_bytes(rng: Random) -> bytes:
    """Draw an extreme number, of 1 to 8 bytes, in either order."""
    order = rng.choice("<>")
    kind = rng.choice("BHHIIIQfd")
    if kind in "fd":
        value = rng.choice(FLOATS)
        return struct.pack(order + kind, value if kind == "d" or abs(value) < 3.4e38 else float("inf"))
    width = struct.calcsize(kind)
    return (rng.choice(NUMBERS + LARGE) % (1 << 8 * width)).to_bytes(width, "little" if order == "<" else "big")


# ---- bytes ----------------------------------------------------------------------------------------------------------


def _place(data: bytearray, rng: Random) -> int:
    """Choose where: mostly near the head, where claims are made, sometimes at the end."""
    end = rng.choice((64, 700, 4_096, len(data), len(data)))
    at = rng.randrange(max(1, min(end, len(data))))
    return len(data) - 1 - at if rng.random() < 0.15 and data else at


def _bit(data: bytearray, rng: Random) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _extreme(data: bytearray, rng: Random) -> None:
    at, value = _place(data, rng), number_bytes(rng)
    data[at : at + len(value)] = value


def _overwrite(data: bytearray, rng: Random) -> None:
    at, amount = _place(data, rng), rng.choice((1, 4, 64, 1_000))
    data[at : at + amount] = rng.randbytes(amount) if rng.random() < 0.5 else bytes([rng.randrange(256)]) * amount


def _insert(data: bytearray, rng: Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 3, 16, 256)))


def _remove(data: bytearray, rng: Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 3, 16, 256, 4_096))]


def _stutter(data: bytearray, rng: Random) -> None:
    at, amount = _place(data, rng), rng.choice((1, 8, 100, 2_000))
    data[at:at] = data[at : at + amount] * rng.choice((1, 5, 200))


def _move(data: bytearray, rng: Random) -> None:
    at, to, amount = _place(data, rng), _place(data, rng), rng.choice((1, 8, 100, 2_000))
    piece = data[at : at + amount]
    del data[at : at + amount]
    data[to:to] = piece


def _truncate(data: bytearray, rng: Random) -> None:
    del data[_place(data, rng) :]


def _other_tail(data: bytearray, rng: Random) -> None:
    """Go on with the rest of another file."""
    other = seed_bytes(rng.choice(NAMES))
    data[_place(data, rng) :] = other[rng.randrange(len(other)) :]


ByteChange = Callable[[bytearray, Random], None]
BYTE_CHANGES: tuple[ByteChange, ...] = (
    *(_bit, _bit, _extreme, _extreme, _overwrite, _insert, _remove, _stutter, _move, _truncate, _other_tail),
)
