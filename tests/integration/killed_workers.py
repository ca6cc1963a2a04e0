"""Has one worker after another killed at random moments, and looks at what the store shows after each.

Forks its workers from one process without threads, so that a kill comes into the work and not into an import.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from services.runtime.logs import configure_logs
from services.synthesis.ledger import JobState, Ledger
from services.synthesis.manifest import MANIFEST
from services.synthesis.plan import ImageFormat, Order, count_per_view, order_of
from services.synthesis.store import Store
from services.synthesis.worker import Worker
from tests.unit.synthesis.making import IDENTITY, Painter, Suspicious, studio

ORDER: Order = order_of(count_per_view(60), 11, ImageFormat.PNG)
LEASE_S = 0.05
PAUSE_S = 0.05
"""Of every inference, so that a job outlives several workers on any machine."""

LONGEST_S = 0.4
"""A worker's life: from before its first image to several batches."""

_PNG_END = b"IEND\xaeB`\x82"


def work(folder: Path) -> None:
    """Work the jobs of a folder off, until killed or there are none."""

    async def all_of_it() -> None:
        by = studio(Painter(pause_s=PAUSE_S), Suspicious())
        worker = Worker(Ledger(folder / "jobs.sqlite"), by, Store(str(folder / "out")), str(os.getpid()), LEASE_S)
        while await worker.work_once():
            pass

    configure_logs("error")
    asyncio.run(all_of_it())


def check_what_is_visible(root: Path) -> None:
    """Hold everything that has a name of its own to be whole, and a manifest to be true."""
    for path in root.rglob("*.png"):
        assert path.name.startswith(".") or path.read_bytes().endswith(_PNG_END), f"half of {path.name}"
    if (root / MANIFEST).exists():
        manifest = json.loads((root / MANIFEST).read_text())
        assert len(manifest["images"]) == ORDER.total
        for image in manifest["images"]:
            assert hashlib.sha256((root / image["file"]).read_bytes()).hexdigest() == image["sha256"]


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill so many workers, then let one finish; print how many images were done after each kill."""
    draw = random.Random(seed)
    ledger = Ledger(folder / "jobs.sqlite")
    done: list[int] = []
    job_id = ledger.create("killed", ORDER, IDENTITY.sha256, time.time()).job_id
    for number in range(kills + 1):
        child = os.fork()
        if not child:
            work(folder)
            os._exit(0)
        if number < kills:
            time.sleep(draw.uniform(0.0, LONGEST_S))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        done.append(ledger.get(job_id).done)
        check_what_is_visible(folder / "out" / job_id)
        time.sleep(LEASE_S)
    assert ledger.get(job_id).state is JobState.DONE
    print(json.dumps({"job_id": job_id, "done": done}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
