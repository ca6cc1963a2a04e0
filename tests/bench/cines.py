"""The two cines of the bench, made by the simulator: what a research set holds, and what a scanner sends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from services.cine.cine import TimesArray, UInt8Array
from training.simulator.cine import simulate_cine
from training.simulator.sets.writers import write_avi, write_dicom

FRAMES = 60
_TIMES_MS: TimesArray = np.arange(FRAMES, dtype=np.float64) * 20.0


def small_avi(path: Path) -> bytes:
    """Make 60 frames of 112 x 112 as Motion JPEG."""
    write_avi(simulate_cine(7, "A4C", "dynamic", frame_times_ms=_TIMES_MS), path)
    return path.read_bytes()


def screen_dicom(path: Path) -> bytes:
    """Make 60 frames of 800 x 600 as JPEG baseline in DICOM, YBR_FULL_422."""
    cine = simulate_cine(7, "A4C", "lvh", frame_times_ms=_TIMES_MS)
    frames = np.stack([_screen(frame) for frame in cine.frames])
    write_dicom(replace(cine, frames=frames), path)
    return path.read_bytes()


def _screen(frame: UInt8Array) -> UInt8Array:
    resized = cv2.resize(frame, (800, 600), interpolation=cv2.INTER_AREA)
    return np.asarray(resized if resized.ndim == 3 else cv2.cvtColor(resized, cv2.COLOR_GRAY2RGB), np.uint8)
