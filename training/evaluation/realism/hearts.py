"""Makes an A4C at both ends of the beat and measures its heart: what real contours and grey levels are known of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array
from training.evaluation.realism.anatomy import measure_grey, measure_pose, measure_ventricle
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.contact_sheet import end_times_ms
from training.simulator.display.screen import Screen
from training.simulator.sets.writers import to_grey
from training.simulator.truth.contour import cavity_outline, nearest_on
from training.simulator.truth.landmarks import AT_HINGE, HINGE_REACH_MM, LEAFLETS
from training.simulator.truth.masks import structure_masks
from training.simulator.views.scene import CENTRE_SLICE, Scene

REGIONS = ("lv_cavity", "myocardium", "la")

LEAST_ANNULUS_MM = 10.0
"""Hinges nearer to each other are the edge of one leaflet at the side of the valve."""

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
            flip undone; empty where the plane shows no valve.
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

    Nothing where the plane shows no valve at the cavity at either end.
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
    grey, masks = to_grey(cine.frames), structure_masks(recording, REGIONS)
    return [
        Shown(
            frame=grey[frame],
            masks={name: mask[frame] for name, mask in masks.items()},
            screen=recording.screen,
            contour_mm=_open(scene),
        )
        for frame, scene in enumerate(recording.scenes)
    ]


def _open(scene: Scene) -> FloatArray:
    """Open the outline of the cavity at both ends of its valve and keep the longer part, [N, 2] mm; or nothing."""
    outline = cavity_outline(scene)
    if outline is None:
        return np.empty((0, 2), np.float32)
    hinges = _find_hinges(scene, outline)
    if hinges is None:
        return np.empty((0, 2), np.float32)
    first, last = (int(np.hypot(*(outline - hinge).T).argmin()) for hinge in hinges)
    ring = np.roll(outline, -first, axis=0)
    cut = (last - first) % len(outline)
    parts = ring[: cut + 1], np.concatenate([ring[cut:], ring[:1]])[::-1]
    longer = max(parts, key=lambda part: float(np.hypot(*np.diff(part, axis=0).T).sum()))
    return np.concatenate([hinges[:1], longer[1:-1], hinges[1:]])


def _find_hinges(scene: Scene, outline: FloatArray) -> FloatArray | None:
    """Where the valve's leaflets spring from the outline [N, 2], farthest apart: [2, 2] mm; None where they do not.

    A plane beside the middle of the valve may cut the posterior leaflet, which spans over half of the ring, on both
    sides: it then shows both hinges.
    """
    lines = [
        slice(piece.start, piece.stop)
        for piece in scene.pieces
        if piece.slice_index == CENTRE_SLICE and scene.surfaces[piece.structure].name in LEAFLETS
    ]
    roots = [scene.points_mm[line][scene.places[line, 0] < AT_HINGE] for line in lines]
    places = [(nearest_on(outline, root), root) for root in np.concatenate(roots)] if roots else []
    found = np.array([place for place, root in places if np.hypot(*(place - root)) < HINGE_REACH_MM], np.float32)
    if len(found) < 2:
        return None
    apart = np.hypot(*(found[:, None] - found).T)  # [P, P]
    first, last = np.unravel_index(int(apart.argmax()), apart.shape)
    return found[[first, last]] if apart.max() > LEAST_ANNULUS_MM else None


def _measure_anatomy(shown: Shown) -> dict[str, float]:
    row_mm, column_mm = shown.screen.pixel_spacing_mm
    atrium_cm2 = float(shown.masks["la"].sum()) * row_mm * column_mm / 100
    return measure_ventricle(shown.contour_mm) | {"la_area_cm2": atrium_cm2}


def _measure_ejection(cine: SimulatedCine, diastole: Shown, systole: Shown) -> dict[str, float]:
    """The heart's own ejection fraction, and that of discs of the one plane, %."""
    volumes = [measure_ventricle(shown.contour_mm)["volume_ml"] for shown in (diastole, systole)]
    true, seen = 100 * cine.truth.lvef_fraction, 100 * (1 - volumes[1] / volumes[0])
    return {"lvef_outer_pct": true, "lvef_quartiles_pct": true, "discs_outer_pct": seen, "discs_quartiles_pct": seen}
