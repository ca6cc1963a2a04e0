"""Makes an A4C at both ends of the beat and measures its heart: what real contours and grey levels are known of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array
from training.evaluation.realism.anatomy import Axis, find_axis, measure_grey, measure_pose, measure_ventricle
from training.evaluation.realism.structures import Masks, structure_masks
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.contact_sheet import end_times_ms
from training.simulator.writers import to_grey


@dataclass(frozen=True)
class Shown:
    """One instant of an A4C with any flip undone.

    Attributes:
        frame: [H, W].
        masks: of its structures.
        sector: [H, W].
        contour_px: of the cavity, from hinge to hinge, [N, 2].
        probe_px: (column, row) of the beams' common origin.
        mm_a_px: size of a pixel.
        depth_mm: of the sector, from the beams' common origin.
    """

    frame: UInt8Array
    masks: Masks
    sector: BoolArray
    contour_px: FloatArray
    probe_px: tuple[float, float]
    mm_a_px: float
    depth_mm: float

    @property
    def top_px(self) -> int:
        """First row of the sector."""
        return int(self.sector.any(axis=1).argmax())

    @property
    def shows_top(self) -> bool:
        """Whether the sector begins below the picture's first row, so that depths can be told as real ones were."""
        return self.top_px > 0

    @property
    def contour_mm(self) -> FloatArray:
        """The contour right of the middle line and under the top of the sector, mm."""
        corner = np.array([self.probe_px[0], self.top_px], np.float32)
        return np.asarray((self.contour_px - corner) * np.float32(self.mm_a_px), np.float32)

    @property
    def shown_depth_mm(self) -> float:
        """Depth of the sector from its top."""
        return self.depth_mm - (self.top_px - self.probe_px[1]) * self.mm_a_px

    @property
    def axis_px(self) -> Axis:
        """Long axis of the cavity."""
        return find_axis(self.contour_px)


def measure_heart(subject: int, view: str, style: str) -> list[tuple[str, dict[str, float]]]:
    """Measure an A4C at both ends of the beat: anatomy, pose and ejection fraction once, grey levels of either end."""
    times_ms = end_times_ms(subject, view, style)
    cine = simulate_cine(subject, view, style, frame_times_ms=times_ms)
    masks = structure_masks(subject, view, style, times_ms)
    diastole, systole = (show(cine, frame, masks[frame]) for frame in range(2))
    found = [
        ("anatomy_ed", _measure_anatomy(diastole)),
        ("anatomy_es", _measure_anatomy(systole)),
        ("ejection", _measure_ejection(cine, diastole, systole)),
    ]
    if diastole.shows_top:
        found.append(("pose", measure_pose(diastole.contour_mm, diastole.shown_depth_mm)))
    grey = [measure_grey(shown.frame, shown.masks, shown.sector, shown.axis_px) for shown in (diastole, systole)]
    return found + [("grey", levels) for levels in grey]


def show(cine: SimulatedCine, frame: int, masks: Masks) -> Shown:
    """Take one frame of a cine that shows the ventricle, its flip undone."""
    truth = cine.truth
    step = -1 if truth.is_flipped else 1
    contour = truth.lv_contour_px[frame].copy()
    probe_x = truth.probe_px[0]
    if truth.is_flipped:
        last = cine.frames.shape[2] - 1
        contour[:, 0], probe_x = last - contour[:, 0], last - probe_x
    return Shown(
        frame=to_grey(cine.frames[frame : frame + 1])[0][:, ::step],
        masks={name: mask[:, ::step] for name, mask in masks.items()},
        sector=np.asarray(truth.sector_mask)[:, ::step],
        contour_px=contour,
        probe_px=(probe_x, truth.probe_px[1]),
        mm_a_px=truth.pixel_spacing_mm,
        depth_mm=truth.depth_mm,
    )


def _measure_anatomy(shown: Shown) -> dict[str, float]:
    atrium_cm2 = float((shown.masks["la_cavity"] & shown.sector).sum()) * shown.mm_a_px**2 / 100
    return measure_ventricle(shown.contour_mm) | {"la_area_cm2": atrium_cm2}


def _measure_ejection(cine: SimulatedCine, diastole: Shown, systole: Shown) -> dict[str, float]:
    """The heart's own ejection fraction, and that of discs of the one plane, %."""
    volumes = [measure_ventricle(shown.contour_mm)["volume_ml"] for shown in (diastole, systole)]
    true, seen = 100 * cine.truth.lvef_fraction, 100 * (1 - volumes[1] / volumes[0])
    return {"lvef_outer_pct": true, "lvef_quartiles_pct": true, "discs_outer_pct": seen, "discs_quartiles_pct": seen}
