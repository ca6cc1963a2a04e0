"""Requests of any message type, filled at random, and their bytes damaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

TEXTS = ("", "a", "../../etc/passwd", "x" * 65, "\u202e%s%n", "'; DROP TABLE jobs; --", "file:///etc", "any")
NUMBERS = (0, 1, 2, 3, 5, 17, 1000, 2**31, 2**32 - 1)


def scribble(message: Message, rng: np.random.Generator, texts: Sequence[str]) -> Message:
    """Fill some fields of a message with values that may or may not mean anything."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.5:
            continue
        held: Any = getattr(message, field.name)
        if not field.is_repeated:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                held.SetInParent()
                scribble(held, rng, texts)
            else:
                setattr(message, field.name, _value_of(field, rng, texts))
            continue
        for _ in range(int(rng.choice([1, 2, 4, 1100], p=[0.5, 0.3, 0.19, 0.01]))):
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                scribble(held.add(), rng, texts)
            else:
                held.append(_value_of(field, rng, texts))
    return message


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Give a third of all messages cut, changed in one byte, or replaced by noise; the others as they are."""
    changed, kind = bytearray(data), rng.random()
    if kind < 0.1:
        return rng.bytes(int(rng.integers(1, 200)))
    if kind < 0.2 and changed:
        del changed[int(rng.integers(len(changed))) :]
    elif kind < 0.35 and changed:
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def _value_of(field: FieldDescriptor, rng: np.random.Generator, texts: Sequence[str]) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return str(rng.choice(texts))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return int(rng.choice([0, 1, 2, 3, 4, 5, 99, -1]))
    return int(rng.choice(NUMBERS)) if rng.random() < 0.9 or field.type != FieldDescriptor.TYPE_UINT64 else 2**64 - 1
