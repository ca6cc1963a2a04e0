"""A worker on a bench: a ledger and a store of its own, and a clock that is set by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.synthesis.ledger import Job, Ledger
from services.synthesis.manifest import MANIFEST
from services.synthesis.plan import count_per_view, order_of
from services.synthesis.store import Store
from services.synthesis.worker import Worker
from tests.unit.synthesis.making import IDENTITY, STYLES, Painter, Suspicious, studio

ORDER = order_of(count_per_view(10, STYLES), 3)


class Bench:
    """A worker with a ledger and a store of its own, and a clock that is set by hand."""

    def __init__(self, folder: Path, painter: Painter | None = None, copy_filter: Suspicious | None = None) -> None:
        self.now_s = 1000.0
        self.folder = folder / "out"
        self.ledger = Ledger(folder / "jobs.sqlite")
        self.store = Store(str(self.folder))
        self.studio = studio(painter, copy_filter)
        self.job_id = self.ledger.create("r", ORDER, IDENTITY.sha256, 0.0).job_id

    def worker(self, owner: str = "me", **changed: Any) -> Worker:
        parts: dict[str, Any] = {"ledger": self.ledger, "studio": self.studio, "store": self.store} | changed
        return Worker(owner=owner, card=lambda sha256: f"# card of {sha256}", clock=lambda: self.now_s, **parts)

    @property
    def job(self) -> Job:
        return self.ledger.get(self.job_id)

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / self.job_id / MANIFEST).read_text())
        return found

    def files(self) -> dict[str, bytes]:
        root = self.folder / self.job_id
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def stopped_at(tmp_path: Path, call: int, error: Exception, copy_filter: Suspicious | None = None) -> Bench:
    """Have the model fail in an inference, and the worker stop there."""

    def fail(number: int) -> None:
        if number == call:
            raise error

    bench = Bench(tmp_path, Painter(before=fail), copy_filter)
    await bench.worker().work_once()
    return bench
