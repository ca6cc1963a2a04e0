"""What making images costs, and what it costs those who ask for views: `make bench`.

Images a second through a gateway, PNG and copy filter included; and the p99 of PredictView with a batch running over
its p99 without one, in turns within one run, because seconds on a shared machine mean little. Beside them the thesis's
recipe: its U-Net at its published size in PyTorch, of which a few steps are timed and multiplied.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from echoplane.v1 import synthesis_pb2

from deploy.demo.gateway import running_gateway
from services.cine.preprocessing import MODEL_SIDE_PX
from services.client import Client
from tests.bench.cines import small_avi
from training.diffusion.condition import Condition
from training.diffusion.config import DiffusionConfig, load_preset
from training.diffusion.denoiser import Denoiser

IMAGES = 256
TURN_S, TURNS = 6.0, 6
LEAST_IMAGES_PER_S = 30.0
MOST_P99_RATIO = 1.5
THESIS_TIMED_STEPS = 5
OUT = Path("out/bench/synthesis.json")


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        images_per_s: of one batch that has the machine to itself.
        quiet_p99_s, busy_p99_s: of PredictView, without and with a batch.
        quiet_p50_s, busy_p50_s: the same, the median.
        asked: views asked for, without and with.
        images_beside_views_per_s: while views are asked for one after another.
        thesis_step_s: of the thesis's network for one image, the median of a few.
        thesis_steps: of its recipe for one image; nobody waited for all of them.
    """

    images_per_s: float
    quiet_p99_s: float
    busy_p99_s: float
    quiet_p50_s: float
    busy_p50_s: float
    asked: tuple[int, int]
    images_beside_views_per_s: float
    thesis_step_s: float
    thesis_steps: int

    @property
    def p99_ratio(self) -> float:
        """With a batch over without."""
        return self.busy_p99_s / self.quiet_p99_s

    @property
    def thesis_ratio(self) -> float:
        """Images made here in the time that the thesis's recipe would take for one."""
        return self.images_per_s * self.thesis_step_s * self.thesis_steps


def main() -> int:
    """Measure, print, keep; 0 when both goals are met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-repository", default="model_repository")
    with tempfile.TemporaryDirectory() as name:
        figures = asyncio.run(measure(parser.parse_args().model_repository, Path(name)))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        json.dumps(asdict(figures) | {"p99_ratio": figures.p99_ratio, "thesis_ratio": figures.thesis_ratio}, indent=2)
    )
    print(OUT.read_text())
    return 0 if figures.images_per_s >= LEAST_IMAGES_PER_S and figures.p99_ratio <= MOST_P99_RATIO else 1


async def measure(repository: str, folder: Path) -> Figures:
    """Run a gateway and ask it."""
    cine = small_avi(folder / "small.avi")
    with running_gateway(folder / "log", {"MODEL_REPOSITORY": repository}) as gateway:
        async with Client(gateway.address) as client:
            await _views(client, cine, 1.0)  # warm
            pace = await _pace(client)
            quiet: list[float] = []
            busy: list[float] = []
            images = 0
            for _ in range(TURNS):
                quiet += await _views(client, cine, TURN_S)
                batch = asyncio.create_task(_batches(client))
                busy += await _views(client, cine, TURN_S)
                batch.cancel()
                with suppress(asyncio.CancelledError):
                    await batch
                images += _made.pop("images")
    p99, p50 = (lambda spent: float(np.quantile(spent, 0.99))), (lambda spent: float(np.median(spent)))
    beside = images / (TURNS * TURN_S)
    asked = (len(quiet), len(busy))
    return Figures(pace, p99(quiet), p99(busy), p50(quiet), p50(busy), asked, beside, *_thesis())


def _thesis() -> tuple[float, int]:
    """Time a few steps of the thesis's recipe for one image, s each, and give how many it takes."""
    config = load_preset("thesis", DiffusionConfig)
    denoiser = Denoiser(config.network, config.objective, len(config.styles)).eval()
    condition = Condition(torch.tensor([0]), torch.tensor([0]))
    noisy, sigma = torch.randn(1, 1, MODEL_SIDE_PX, MODEL_SIDE_PX), torch.ones(1)
    spent = []
    with torch.inference_mode():
        for _ in range(1 + THESIS_TIMED_STEPS):
            start = time.perf_counter()
            denoiser.predict(noisy, sigma, condition)
            spent.append(time.perf_counter() - start)
    return float(np.median(spent[1:])), config.sampling.steps


_made: dict[str, int] = {}


async def _pace(client: Client) -> float:
    """Give images a second, the copy filter included.

    Raises:
        RuntimeError: the gateway has none.
    """
    request = synthesis_pb2.GenerateBatchRequest(per_view=IMAGES // 4)
    start = time.perf_counter()
    checks = [image.copy_check async for image in client.generate_batch(request)]
    spent_s = time.perf_counter() - start
    if set(checks) != {synthesis_pb2.COPY_CHECK_PASSED}:
        raise RuntimeError("Found images that no copy filter looked at; expected one: the pace counts it in.")
    return len(checks) / spent_s


async def _batches(client: Client) -> None:
    """Have images made until cancelled."""
    _made["images"] = 0
    seed = 0
    while True:
        seed += 1
        request = synthesis_pb2.GenerateBatchRequest(per_view=IMAGES // 4, seed=seed)
        async with aclosing(client.generate_batch(request)) as images:
            async for _ in images:
                _made["images"] += 1


async def _views(client: Client, cine: bytes, duration_s: float) -> list[float]:
    """Ask for views one after another; give the time of each, s."""
    spent: list[float] = []
    end = time.perf_counter() + duration_s
    while (start := time.perf_counter()) < end:
        await client.predict_view(cine)
        spent.append(time.perf_counter() - start)
    return spent


if __name__ == "__main__":
    sys.exit(main())
