"""Looks for letters that the sector mask leaves on simulated screens, whose sectors are known; and counts refusals."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from services.acquisition.deidentification.sector_mask import sector_mask
from services.cine.budget import ReadLimits
from services.cine.cine import BoolArray, UInt8Array
from services.cine.errors import IdentityRemainsError
from training.evaluation.findings import make, plan
from training.simulator.sets.writers import write_dicom

FIRST_SUBJECT = 7_000_000
INK_GREY = 60
"""Grey level that ink has in every frame."""

STROKE_PX = 9
"""Letters are thinner; paper and keys are not."""

LEAST_PX = 5
"""No letter has fewer; one pixel of a tick mark is no text."""

NEAR_FRACTION = 0.02
"""Of the frame's short side: closer to the sector a mask may leave some pixels of a letter that touches it."""


def ink(frames: UInt8Array, sector: BoolArray) -> BoolArray:
    """Mark thin strokes that are bright in every frame, outside the sector: [T, H, W, C] to [H, W]."""
    bright = np.asarray(frames.max(axis=3).min(axis=0) > INK_GREY, np.uint8)
    thick = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((STROKE_PX, STROKE_PX), np.uint8))
    return (bright > thick) & ~sector


def main(cines: Annotated[int, typer.Option(min=1, help="How many simulated cines.")] = 120) -> None:
    """Count, by variant, what is refused and on how many screens ink is left away from the sector."""
    refused, kept, left = Counter[str](), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for order in plan(cines, FIRST_SUBJECT):
            cine, path = make(order), Path(folder) / "cine.dcm"
            write_dicom(cine, path)
            sector = cine.truth.sector_mask
            try:
                inside = sector_mask(path.read_bytes(), ReadLimits()).inside
            except IdentityRemainsError:
                refused[order.variant] += 1
                continue
            side = 2 * round(NEAR_FRACTION * min(sector.shape)) + 1
            near = cv2.dilate(sector.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
            kept[order.variant] += 1
            left[order.variant] += int((ink(cine.frames, sector) & inside & ~near).sum() >= LEAST_PX)
    for variant in sorted(refused | kept):
        print(f"{variant:16} {refused[variant]:4} refused {kept[variant]:4} kept {left[variant]:4} with ink left")
    print(f"{'all':16} {refused.total():4} refused {kept.total():4} kept {left.total():4} with ink left")


if __name__ == "__main__":
    typer.run(main)
