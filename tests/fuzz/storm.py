"""A storm of hostile requests at a real gateway: `python -m tests.fuzz.storm --cases 20000 --seed 1`.

`--only INDEX` repeats one case, and leaves its file in out/fuzz. `--first` and `--cases` take a storm in pieces.

Beside the storm a polite client sends a sound cine at regular times. How long its answers take is compared with the
same client beside an ordinary stream: another client that sends the sound seeds one after another, each as soon as the
last was answered, as the storm does with damaged ones. Both take turns in blocks, so that a slow minute of the machine
falls on both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import grpc
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deploy.demo.gateway import Gateway, running_gateway
from services.cine.errors import Reason
from tests.builders import dicom_bytes, fan_frames
from tests.fuzz.asking import Answer, ask, memory_mib, politely, warm_parent
from tests.fuzz.bombs import BOMBS
from tests.fuzz.mutator import Case, mutant
from tests.fuzz.requests import upload
from tests.fuzz.seeds import NAMES, seed_bytes

MOST_P99_S = 2.0
MOST_GROWTH_MIB = 64.0
MOST_NEIGHBOUR_RATIO = 1.5

CASES_A_TURN = 80
"""Hostile cases of one turn, built before its clock starts: building some stills the loop that times the neighbour."""

POLITE_EVERY_S = 0.1
LANES = 2
"""Hostile requests at a time once the neighbour has been timed: as many as the gateway works on."""

OUT = Path("out/fuzz")


@dataclass
class Storm:
    """What came of it.

    Attributes:
        answers: of each case, by name of the case.
        beside_ordinary_s, beside_storm_s: how long the polite client's answers took, s, turn by turn.
        growth_mib: of the gateway, from when every seed had been answered once until the end.
        parent_growth_mib: of its warm parent.
        is_same_process: whether gateway and warm parent are those of the start.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    beside_ordinary_s: list[list[float]] = field(default_factory=list)
    beside_storm_s: list[list[float]] = field(default_factory=list)
    growth_mib: float = 0.0
    parent_growth_mib: float = 0.0
    is_same_process: bool = True

    @property
    def p99_s(self) -> float:
        """99th percentile of the time of one answer, s."""
        return float(np.percentile([answer.spent_s for answer in self.answers.values()], 99))

    @property
    def neighbour_ratio(self) -> float:
        """The polite client's p99 beside the storm, over that beside an ordinary stream; the median turn.

        A machine that pauses for a second spoils the turn in which it does, not the figure.
        """
        turns = [turn for turn in zip(self.beside_storm_s, self.beside_ordinary_s, strict=True) if all(turn)]
        return float(np.median([np.percentile(storm, 99) / np.percentile(ordinary, 99) for storm, ordinary in turns]))

    def named(self, wanted: Callable[[Answer], bool]) -> dict[str, Answer]:
        """Choose cases by their answer."""
        return {name: answer for name, answer in self.answers.items() if wanted(answer)}


def cases(seed: int, first: int, number: int) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Give names and messages: mutants, with the bombs spread among them."""
    bombs = iter(BOMBS.items())
    every = max(1, number // len(BOMBS))
    for offset in range(number):
        index = first + offset
        case = mutant(seed, index)
        yield f"{index}: {case.name}", case.messages
        if offset % every == 0 and (bomb := next(bombs, None)):
            yield f"bomb {bomb[0]}", upload(bomb[1]())
    for name, build in bombs:
        yield f"bomb {name}", upload(build())


async def rage(
    gateway: Gateway, requests: Iterator[tuple[str, Sequence[bytes]]], blocks: int, told: Callable[[], None]
) -> Storm:
    """Send everything, and watch the gateway meanwhile."""
    storm, parent = Storm(), warm_parent(gateway.process.pid)
    async with _channel(gateway) as ours, _channel(gateway) as theirs:
        ordinary = cycle([upload(seed_bytes(name)) for name in NAMES])
        for _ in NAMES:
            await ask(ours, next(ordinary))
        before = memory_mib(gateway.process.pid), memory_mib(parent)

        async def send(some: Iterable[tuple[str, Sequence[bytes]]]) -> None:
            for name, messages in some:
                storm.answers[name] = await ask(ours, messages)
                told()

        for _ in range(blocks):
            built = list(islice(requests, CASES_A_TURN))
            start = time.monotonic()
            async with _polite(theirs) as spent_s:
                storm.beside_storm_s.append(spent_s)
                await send(built)
            end = 2 * time.monotonic() - start
            async with _polite(theirs) as spent_s:
                storm.beside_ordinary_s.append(spent_s)
                while time.monotonic() < end:
                    await ask(ours, next(ordinary))

        await asyncio.gather(*(send(requests) for _ in range(LANES)))
        storm.growth_mib = memory_mib(gateway.process.pid) - before[0]
        storm.is_same_process = gateway.process.poll() is None and warm_parent(gateway.process.pid) == parent
        storm.parent_growth_mib = memory_mib(parent) - before[1] if storm.is_same_process else 0.0
    return storm


@asynccontextmanager
async def _channel(gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(gateway.address, options=options) as channel:
        yield channel


@asynccontextmanager
async def _polite(channel: grpc.aio.Channel) -> AsyncIterator[list[float]]:
    cine = upload(dicom_bytes(fan_frames(30, 240, 320), "jpeg"))
    spent_s: list[float] = []
    client = asyncio.create_task(politely(channel, cine, POLITE_EVERY_S, spent_s))
    yield spent_s
    client.cancel()
    with suppress(asyncio.CancelledError):
        await client


def verdicts(storm: Storm) -> dict[str, tuple[str, bool]]:
    """Say for each promise what was measured, and whether it holds."""
    faults = storm.named(lambda answer: bool(answer.fault))
    held = {
        "answers that are not typed": (f"{len(faults)}", not faults),
        "p99 of an answer": (f"{storm.p99_s:.2f} s", storm.p99_s <= MOST_P99_S),
        "gateway grows by": (f"{storm.growth_mib:.0f} MiB", storm.growth_mib <= MOST_GROWTH_MIB),
        "warm parent grows by": (f"{storm.parent_growth_mib:.0f} MiB", storm.parent_growth_mib <= MOST_GROWTH_MIB),
        "processes of the start": ("yes" if storm.is_same_process else "no", storm.is_same_process),
    }
    if storm.beside_ordinary_s and storm.beside_storm_s:
        ratio, what = storm.neighbour_ratio, "neighbour's p99, beside the storm over beside others, of the median turn"
        held[what] = (f"{ratio:.2f}", ratio <= MOST_NEIGHBOUR_RATIO)
    return held


def main() -> int:
    """Run a storm, print what came of it; 0 when every promise holds."""
    options = _options()
    if options.only is not None:
        return asyncio.run(_repeat(options.seed, options.only))
    requests = cases(options.seed, options.first, options.cases)
    with tempfile.TemporaryDirectory() as folder, running_gateway(Path(folder, "log")) as gateway, Progress() as bar:
        task = bar.add_task("hostile cases", total=options.cases + len(BOMBS))
        storm = asyncio.run(rage(gateway, requests, options.blocks, lambda: bar.advance(task)))
    _print(storm)
    _keep(storm, OUT / f"storm-{options.seed}-{options.first}.json")
    return 0 if all(holds for _, holds in verdicts(storm).values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.storm", description="A storm of hostile requests.")
    parser.add_argument("--cases", type=int, default=20_000, help="mutants; every bomb comes beside them")
    parser.add_argument("--seed", type=int, default=1, help="of the mutants")
    parser.add_argument("--first", type=int, default=0, help="index of the first mutant")
    parser.add_argument("--blocks", type=int, default=15, help="turns of ordinary stream and storm beside a neighbour")
    parser.add_argument("--only", help="repeat the case of this index, or the bomb of this name")
    return parser.parse_args()


async def _repeat(seed: int, which: str) -> int:
    case = mutant(seed, int(which)) if which.isdigit() else _bomb(which)
    OUT.mkdir(parents=True, exist_ok=True)
    kept = OUT / f"{seed}-{which}.bin"
    kept.write_bytes(case.data or b"".join(case.messages))
    with tempfile.TemporaryDirectory() as folder, running_gateway(Path(folder, "log")) as gateway:
        async with _channel(gateway) as channel:
            answer = await ask(channel, case.messages)
    print(f"{case.name}: {answer}\n{kept}")
    return 1 if answer.fault else 0


def _bomb(name: str) -> Case:
    data = BOMBS[name]()
    return Case(f"bomb {name}", tuple(upload(data)), data)


def _print(storm: Storm) -> None:
    console = Console()
    reasons = Table("answer", "cases", "slowest, s", title=f"{len(storm.answers)} hostile requests")
    for (code, reason), number in Counter((a.code, a.reason) for a in storm.answers.values()).most_common():
        alike = [a.spent_s for a in storm.answers.values() if (a.code, a.reason) == (code, reason)]
        reasons.add_row(f"{code} {reason}", str(number), f"{max(alike):.2f}")
    console.print(reasons)
    _print_cases(console, "not typed", storm.named(lambda answer: bool(answer.fault)))
    _print_cases(console, "crashed the decoder", storm.named(lambda answer: answer.reason == Reason.DECODER_CRASHED))
    _print_cases(console, f"over {MOST_P99_S:.0f} s", storm.named(lambda answer: answer.spent_s > MOST_P99_S))
    for what, (value, holds) in verdicts(storm).items():
        console.print(f"{'[green]holds' if holds else '[red]BROKEN'}[/]  {what}: {value}", highlight=False)


def _print_cases(console: Console, title: str, named: dict[str, Answer]) -> None:
    if named:
        table = Table("case", "answer", "s", "fault", title=f"{title}: {len(named)}")
        for name, answer in sorted(named.items(), key=lambda item: -item[1].spent_s):
            table.add_row(name, f"{answer.code} {answer.reason}", f"{answer.spent_s:.2f}", answer.fault[:120])
        console.print(table)


def _keep(storm: Storm, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: vars(answer) for name, answer in storm.answers.items()}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
