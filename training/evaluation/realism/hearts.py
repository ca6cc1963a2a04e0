"""Makes an A4C at both ends of the beat and measures its heart: what real contours and grey levels are known of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array
from training.evaluation.realism.anatomy import measure_grey, measure_pose, measure_ventricle
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.contact_sheet import end_times_ms
from training.simulator.screen import Screen
from training.simulator.truth.contour import cavity_outline, nearest_on
from training.simulator.truth.landmarks import HINGE_REACH_MM, LEAFLETS, MISSING
from training.simulator.truth.masks import structure_masks
from training.simulator.views.scene import CENTRE_SLICE, Scene
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
    hinges = np.stack([_find_hinge(scene, outline, leaflet) for leaflet in LEAFLETS])
    if np.isnan(hinges).any():
        return np.empty((0, 2), np.float32)
    first, last = (int(np.hypot(*(outline - hinge).T).argmin()) for hinge in hinges)
    ring = np.roll(outline, -first, axis=0)
    cut = (last - first) % len(outline)
    parts = ring[: cut + 1], np.concatenate([ring[cut:], ring[:1]])[::-1]
    longer = max(parts, key=lambda part: float(np.hypot(*np.diff(part, axis=0).T).sum()))
    return np.concatenate([hinges[:1], longer[1:-1], hinges[1:]])


def _find_hinge(scene: Scene, outline: FloatArray, leaflet: str) -> FloatArray:
    """Where a leaflet meets the outline [N, 2], as a reader places the annulus: [2] mm, NaN where it does not.

    A plane that crosses a leaflet beside its hinge line shows it all the same: then the cut's nearest end to the hinge.
    """
    ends = [
        (scene.places[piece.start : piece.stop, 0], scene.points_mm[piece.start : piece.stop])
        for piece in scene.pieces
        if piece.slice_index == CENTRE_SLICE and scene.surfaces[piece.structure].name == leaflet
    ]
    if not ends:
        return MISSING
    rows, points = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    end = points[rows.argmin()]
    place = nearest_on(outline, end)
    return place if float(np.hypot(*(place - end))) < HINGE_REACH_MM else MISSING


def _measure_anatomy(shown: Shown) -> dict[str, float]:
    row_mm, column_mm = shown.screen.pixel_spacing_mm
    atrium_cm2 = float(shown.masks["la"].sum()) * row_mm * column_mm / 100
    return measure_ventricle(shown.contour_mm) | {"la_area_cm2": atrium_cm2}


def _measure_ejection(cine: SimulatedCine, diastole: Shown, systole: Shown) -> dict[str, float]:
    """The heart's own ejection fraction, and that of discs of the one plane, %."""
    volumes = [measure_ventricle(shown.contour_mm)["volume_ml"] for shown in (diastole, systole)]
    true, seen = 100 * cine.truth.lvef_fraction, 100 * (1 - volumes[1] / volumes[0])
    return {"lvef_outer_pct": true, "lvef_quartiles_pct": true, "discs_outer_pct": seen, "discs_quartiles_pct": seen}
