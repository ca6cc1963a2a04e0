"""Makes an A4C at both ends of the beat and measures its heart: what real contours and grey levels are known of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array
from training.evaluation.realism.anatomy import measure_grey, measure_pose, measure_ventricle
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.contact_sheet import end_times_ms
from training.simulator.screen import Screen
from training.simulator.truth.contour import cavity_outline
from training.simulator.truth.landmarks import picture_landmarks
from training.simulator.truth.masks import structure_masks
from training.simulator.writers import to_grey

REGIONS = ("lv_cavity", "myocardium", "la")

SAME_TOP_MM = 1.0
"""A sector whose first row lies deeper than its small arc by more is zoomed: its depths are not as real ones were."""


@dataclass(frozen=True)
class Shown:
    """One instant of an A4C.

    Attributes:
        frame: [H, W].
        masks: of `REGIONS`, [H, W] each.
        screen: where the plane lies on it.
        contour_mm: of the cavity, from hinge to hinge of its valve, [N, 2] to the right and away from the probe, any
            flip undone; empty where the plane shows no hinges.
    """

    frame: UInt8Array
    masks: dict[str, BoolArray]
    screen: Screen
    contour_mm: FloatArray

    @property
    def top_mm(self) -> float:
        """How far below the beams' common origin the sector's first row lies."""
        first = int(self.screen.sector_mask.any(axis=1).argmax())
        return float(self.screen.places_mm[first, 0, 1])

    @property
    def shows_top(self) -> bool:
        """Whether the sector is shown from its small arc on."""
        return self.top_mm < self.screen.start_mm + SAME_TOP_MM


def measure_heart(
    subject: int, view: str, style: str, without: frozenset[str] = frozenset()
) -> list[tuple[str, dict[str, float]]]:
    """Measure an A4C at both ends of the beat: anatomy, pose and ejection fraction once, grey levels of either end.

    Nothing where the plane misses a hinge of the mitral valve at either end.
    """
    cine = simulate_cine(subject, view, style, frame_times_ms=end_times_ms(subject, view), without=without)
    diastole, systole = show(cine)
    if not (len(diastole.contour_mm) and len(systole.contour_mm)):
        return []
    found = [
        ("anatomy_ed", _measure_anatomy(diastole)),
        ("anatomy_es", _measure_anatomy(systole)),
        ("ejection", _measure_ejection(cine, diastole, systole)),
    ]
    if diastole.shows_top:
        depth_mm = diastole.screen.depth_mm - diastole.top_mm
        below_top = diastole.contour_mm - np.array([0, diastole.top_mm], np.float32)
        found.append(("pose", measure_pose(below_top, depth_mm)))
    grey = [measure_grey(shown.frame, shown.masks, shown.screen, shown.contour_mm) for shown in (diastole, systole)]
    return found + [("grey", levels) for levels in grey]


def show(cine: SimulatedCine) -> list[Shown]:
    """Take each frame of a plain cine with its masks and its contour.

    Raises:
        ValueError: the cine shows no sector.
    """
    recording = cine.truth.recording
    if recording is None:
        raise ValueError(f"found a cine without a sector ({cine.truth.variant}), expected b_mode")
    grey, marks = to_grey(cine.frames), picture_landmarks(recording).mm
    masks = structure_masks(recording, REGIONS)
    hinges = np.stack([marks["mitral_anterior_hinge"], marks["mitral_posterior_hinge"]], axis=1)  # [T, 2, 2]
    outlines = [cavity_outline(scene) for scene in recording.scenes]
    return [
        Shown(
            frame=grey[frame],
            masks={name: mask[frame] for name, mask in masks.items()},
            screen=recording.screen,
            contour_mm=_open(outlines[frame], hinges[frame]),
        )
        for frame in range(len(grey))
    ]


def _open(outline: FloatArray | None, hinges: FloatArray) -> FloatArray:
    """Open a closed outline [N, 2] at the two hinges [2, 2] and keep the longer part; empty where one is missing."""
    if outline is None or np.isnan(hinges).any():
        return np.empty((0, 2), np.float32)
    first, last = (int(np.hypot(*(outline - hinge).T).argmin()) for hinge in hinges)
    ring = np.roll(outline, -first, axis=0)
    cut = (last - first) % len(outline)
    parts = ring[: cut + 1], np.concatenate([ring[cut:], ring[:1]])[::-1]
    longer = max(parts, key=lambda part: float(np.hypot(*np.diff(part, axis=0).T).sum()))
    return np.concatenate([hinges[:1], longer[1:-1], hinges[1:]])


def _measure_anatomy(shown: Shown) -> dict[str, float]:
    row_mm, column_mm = shown.screen.pixel_spacing_mm
    atrium_cm2 = float(shown.masks["la"].sum()) * row_mm * column_mm / 100
    return measure_ventricle(shown.contour_mm) | {"la_area_cm2": atrium_cm2}


def _measure_ejection(cine: SimulatedCine, diastole: Shown, systole: Shown) -> dict[str, float]:
    """The heart's own ejection fraction, and that of discs of the one plane, %."""
    volumes = [measure_ventricle(shown.contour_mm)["volume_ml"] for shown in (diastole, systole)]
    true, seen = 100 * cine.truth.lvef_fraction, 100 * (1 - volumes[1] / volumes[0])
    return {"lvef_outer_pct": true, "lvef_quartiles_pct": true, "discs_outer_pct": seen, "discs_quartiles_pct": seen}
