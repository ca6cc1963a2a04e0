"""The demonstration's second half: a balanced batch of synthetic images from the same gateway."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

from rich.console import Console

from services.cine.views import TARGET_VIEWS
from services.synthesis.batch_folder import SHEET
from services.synthesis.wishes import Wish
from services.synthesis_from_gateway import There

PER_VIEW = 16


def show_batch(address: str, out: Path, console: Console) -> bool:
    """Ask for a batch, say what came, and tell whether it is what was asked for.

    Args:
        address: of the gateway, host:port.
        out: folder for the batch; its contact sheet is laid beside it.
        console: where people read.
    """
    console.print(f"\n[bold]A balanced batch[/bold]: {PER_VIEW} synthetic images of each view, from the same gateway.")
    manifest_path = Path(asyncio.run(There(address, None, "", str(out / "synthetic"), console).make(Wish(PER_VIEW))))
    manifest = json.loads(manifest_path.read_text())
    sheet = out / SHEET
    sheet.write_bytes(manifest_path.with_name(SHEET).read_bytes())
    counts = Counter(image["view"] for image in manifest["images"])
    told = ", ".join(f"{count} {view}" for view, count in sorted(counts.items()))
    replaced = manifest["copy_filter"]["replaced"]
    console.print(
        f"{told}; {replaced} copies of training images replaced. Weights: trained on {manifest['model']['trained_on']}"
        f" data. Look at {sheet}; the batch is in {manifest_path.parent}.",
        *manifest["warnings"],
    )
    is_distinct = len({image["sha256"] for image in manifest["images"]}) == len(manifest["images"])
    return is_distinct and counts == dict.fromkeys(map(str, TARGET_VIEWS), PER_VIEW)
