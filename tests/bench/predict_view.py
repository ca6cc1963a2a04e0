"""What PredictView costs, as ratios of processor time in one run: `make bench`.

Loopback against the same work in process (both with the sandbox), and against the script a user would write today:
pydicom's `pixel_array`, then torchvision's ResNet18 in PyTorch on every frame, in one batch. Seconds on a shared
machine mean little; the ways are taken in turn, round after round, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import pydicom
import torch
import torchvision
from rich.console import Console
from rich.table import Table

from deploy.demo.gateway import running_gateway
from services.cine.budget import ReadLimits
from services.cine.intake import IntakeOptions, take_in
from services.cine.reading import read_cine
from services.client import Client
from services.gateway.assess import Assessor
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.runtime.sandbox import Sandbox
from tests.bench.cines import FRAMES, screen_dicom, small_avi
from tests.bench.processor_time import tree_cpu_s
from tests.bench.sandbox_cost import SandboxCost, sandbox_cost

ROUNDS, CALLS = 7, 10
REPOSITORY = Path("model_repository")
SANDBOX_GOAL_MS = 10.0
OUT = Path("out/bench/predict_view.json")
SMALL, SCREEN = "112x112 AVI", "800x600 JPEG DICOM"


@dataclass(frozen=True)
class Costs:
    """Processor time of one call, s, round by round."""

    loopback_s: list[float]
    in_process_s: list[float]


@dataclass(frozen=True)
class Ratio:
    """One measured ratio.

    Attributes:
        what: numerator over denominator, in words.
        value: median over the rounds.
        low: least of the rounds.
        high: most of the rounds.
        goal: in words.
        is_met: whether it holds.
    """

    what: str
    value: float
    low: float
    high: float
    goal: str
    is_met: bool


def main() -> int:
    """Measure, print, keep; 0 when every goal is met."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        avi, dicom = small_avi(Path(name, "small.avi")), screen_dicom(Path(name, "screen.dcm"))
    costs = asyncio.run(_measure({SMALL: avi, SCREEN: dicom}))
    script = [_script_cost_s(dicom) for _ in range(ROUNDS)]
    ratios = [
        _ratio(f"loopback / in process, {cine}", cost.loopback_s, cost.in_process_s, at_most=1.3)
        for cine, cost in costs.items()
    ]
    ratios.append(_ratio(f"script / loopback, {SCREEN}", script, costs[SCREEN].loopback_s, at_least=8.0))
    account = _account_ms(dicom)
    loopback_ms, in_process_ms = (
        1000.0 * median(way) for way in (costs[SCREEN].loopback_s, costs[SCREEN].in_process_s)
    )
    with Sandbox() as sandbox:
        sandboxed = {cine: sandbox_cost(sandbox, data) for cine, data in {SMALL: avi, SCREEN: dicom}.items()}
    _print(ratios, account, loopback_ms, in_process_ms)
    _print_sandbox(sandboxed)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    kept: dict[str, object] = {"ratios": list(map(asdict, ratios)), "account_cpu_ms": account}
    kept["sandbox"] = {cine: asdict(cost) for cine, cost in sandboxed.items()}
    OUT.write_text(json.dumps(kept, indent=2))
    return 0 if all(ratio.is_met for ratio in ratios) else 1


async def _measure(cines: dict[str, bytes]) -> dict[str, Costs]:
    """Measure each cine over loopback and in process, round by round in turn."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_gateway(Path(name, "gateway.log")) as gateway,
        Sandbox() as sandbox,
    ):
        backend = OnnxBackend(REPOSITORY, VIEW_CLASSIFIER)
        here = Assessor(sandbox, backend, None, 30.0)
        costs = {cine: Costs([], []) for cine in cines}
        async with Client(gateway.address) as client:
            for counted in [False, *[True] * ROUNDS]:
                for cine, data in cines.items():
                    loopback = await _cost_s(lambda data=data: client.predict_view(data))
                    in_process = await _cost_s(lambda data=data: here.assess(data, IntakeOptions()))
                    if counted:
                        costs[cine].loopback_s.append(loopback)
                        costs[cine].in_process_s.append(in_process)
        await backend.close()
    return costs


async def _cost_s(call: Callable[[], Awaitable[object]]) -> float:
    """Give CPU s a call, of this process and all below it: client, gateway, warm parent and its children."""
    before = tree_cpu_s(os.getpid())
    for _ in range(CALLS):
        await call()
    return (tree_cpu_s(os.getpid()) - before) / CALLS


def _script_cost_s(data: bytes) -> float:
    """Give CPU s of the script a user would write today, for one cine."""
    network = torchvision.models.resnet18(num_classes=4).eval()
    network.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    start = time.process_time()
    frames = pydicom.dcmread(io.BytesIO(data)).pixel_array
    with torch.inference_mode():
        small = [cv2.resize(frame[..., 0], (112, 112), interpolation=cv2.INTER_AREA) for frame in frames]
        network(torch.from_numpy(np.stack(small))[:, None].float() / 127.5 - 1.0)  # [T,H,W] -> [T,1,H,W]
    return time.process_time() - start


def _account_ms(data: bytes) -> dict[str, float]:
    """Say where the time of a screen goes, CPU ms each; the first three are the floor of reading it at all."""
    cine = read_cine(data, ReadLimits())
    intake = take_in(data, IntakeOptions())
    backend = OnnxBackend(REPOSITORY, VIEW_CLASSIFIER)
    inputs = {VIEW_CLASSIFIER.inputs[0].name: intake.model_input}
    spent = {
        "parse the header, split the fragments": _cpu_ms(lambda: read_cine(data, ReadLimits())),
        f"decode all {cine.frame_count} frames grey at 1/8": _cpu_ms(lambda: cine.grey_frames(range(FRAMES), 8)),
        f"decode {len(intake.frame_indices)} frames grey at 1/2": _cpu_ms(
            lambda: cine.grey_frames(intake.frame_indices, 2)
        ),
        "decode 5 frames in colour at 1/4": _cpu_ms(lambda: [cine.store.colour(i, 4) for i in range(0, 60, 12)]),
        f"model, {len(intake.frame_indices)} frames": _cpu_ms(lambda: backend.run(inputs)),
    }
    whole = _cpu_ms(lambda: take_in(data, IntakeOptions()))
    spent["sector, validation, selection, crop and scale"] = whole - sum(list(spent.values())[:4])
    return spent


def _cpu_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(10):
        start = time.process_time()
        work()
        times.append((time.process_time() - start) * 1000.0)
    return median(times)


def _print(ratios: list[Ratio], account: dict[str, float], loopback_ms: float, in_process_ms: float) -> None:
    console = Console()
    table = Table("ratio of processor time", "median", "rounds", "goal", "", title=f"{ROUNDS} rounds of {CALLS} calls")
    for ratio in ratios:
        mark = "[green]met[/green]" if ratio.is_met else "[red]MISSED[/red]"
        table.add_row(ratio.what, f"{ratio.value:.2f}", f"{ratio.low:.2f} to {ratio.high:.2f}", ratio.goal, mark)
    console.print(table)
    parts = Table("800x600 JPEG DICOM", "CPU ms", title="Where it goes")
    for what, spent_ms in account.items():
        parts.add_row(what, f"{spent_ms:.1f}")
    parts.add_row("process of its own: fork, page faults, limits", f"{in_process_ms - sum(account.values()):.1f}")
    parts.add_row("gRPC, client and server", f"{loopback_ms - in_process_ms:.1f}")
    parts.add_row("[bold]over loopback[/bold]", f"[bold]{loopback_ms:.1f}[/bold]")
    console.print(parts)


def _print_sandbox(costs: dict[str, SandboxCost]) -> None:
    """Print wall time, which a busy machine stretches: it is told, and decides nothing."""
    table = Table("sandbox / in process, added", "median ms", "better quarter", "CPU ms", "goal", "")
    for cine, cost in costs.items():
        mark = "[green]met[/green]" if cost.wall_ms < SANDBOX_GOAL_MS else "[red]MISSED[/red]"
        goal = f"median < {SANDBOX_GOAL_MS:.0f} ms"
        table.add_row(cine, f"{cost.wall_ms:.1f}", f"{cost.low_ms:.1f}", f"{cost.cpu_ms:.1f}", goal, mark)
    Console().print(table)


def _ratio(
    what: str, numerator: list[float], denominator: list[float], at_most: float = 0, at_least: float = 0
) -> Ratio:
    rounds = [a / b for a, b in zip(numerator, denominator, strict=True)]
    value = median(rounds)
    is_met = value <= at_most if at_most else value >= at_least
    return Ratio(what, value, min(rounds), max(rounds), f"<= {at_most}" if at_most else f">= {at_least}", is_met)


if __name__ == "__main__":
    sys.exit(main())
