"""Damaged requests to every method of a service, some at once: what both storms of calls share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from deploy.demo.gateway import Gateway
from services.cine.errors import Reason
from tests.fuzz.asking import memory_mib, reason_of
from tests.fuzz.scribbling import damaged, scribble

CASES = 400
_WAVE = 12
_GROWTH_MIB = 40.0
"""Of a gateway that has answered everything once."""

Methods = Mapping[str, type[Message]]
Answer = tuple[str, str, str]
"""Method, code, and reason or what is wrong with it."""


def methods_of(service: ServiceDescriptor) -> Methods:
    """Give the request type of each method."""
    return {method.name: method.input_type._concrete_class for method in service.methods}


def cases(
    methods: Methods, sound: Callable[[str, np.random.Generator], Message], words: Sequence[str], seed: Sequence[int]
) -> Iterator[tuple[str, bytes]]:
    """Give methods and what they are sent: scribbled messages, some cut, some with bytes changed, some noise.

    Args:
        methods: to choose from.
        sound: makes a request that means something.
        words: to scribble with.
        seed: of all that is drawn.
    """
    rng, names = np.random.default_rng(seed), list(methods)
    for _ in range(CASES):
        name = str(rng.choice(names))
        message = sound(name, rng) if rng.random() < 0.4 else scribble(methods[name](), rng, words)
        yield name, damaged(message.SerializeToString(), rng)


async def ask_all(
    gateway: Gateway,
    service: ServiceDescriptor,
    waiting: Sequence[tuple[str, bytes]],
    streams: Mapping[str, Callable[[Any, bytes], Awaitable[str]]],
) -> list[Answer]:
    """Send every case, some at once.

    Args:
        gateway: asked.
        service: whose methods are called.
        waiting: methods and bytes.
        streams: what calls the methods that answer more than once, and says what is wrong.
    """
    async with grpc.aio.insecure_channel(gateway.address) as channel:

        async def ask(name: str, data: bytes) -> Answer:
            path = f"/{service.full_name}/{name}"
            try:
                if name in streams:
                    return name, "OK", await streams[name](channel, data)
                call: Any = channel.unary_unary(path, None, lambda answer: answer)
                await call(data, timeout=60.0)
            except grpc.aio.AioRpcError as error:
                return name, error.code().name, reason_of(error) or str(error.details())
            return name, "OK", ""

        answers = []
        for start in range(0, len(waiting), _WAVE):
            answers += await asyncio.gather(*(ask(*case) for case in waiting[start : start + _WAVE]))
        return answers


def weather(
    gateway: Gateway, rage: Callable[[int], Coroutine[Any, Any, list[Answer]]], refusals: Mapping[str, set[Reason]]
) -> list[Answer]:
    """Let two storms pass over a gateway, and hold every answer to what may be refused and its memory to a bound."""
    answers = asyncio.run(rage(0))
    before = memory_mib(gateway.process.pid)
    answers += asyncio.run(rage(1))
    assert len(answers) == 2 * CASES
    assert not [each for each in answers if each[1:] != ("OK", "") and each[2] not in refusals.get(each[1], ())]
    assert memory_mib(gateway.process.pid) - before < _GROWTH_MIB
    return answers
