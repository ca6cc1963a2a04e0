"""Masks of the heart's structures on the picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray
from training.simulator.truth.filling import label_cells
from training.simulator.truth.recording import Recording
from training.simulator.views.scene import Scene

STRUCTURES: dict[str, tuple[str, ...]] = {
    "lv_cavity": ("lv_cavity", "papillary_anterolateral", "papillary_posteromedial"),
    "myocardium": ("lv_wall",),
    "la": ("la_cavity",),
    "rv": ("rv_cavity", "moderator_band", "rvot_cavity"),
    "ra": ("ra_cavity",),
    "aorta": ("aorta_cavity",),
}
"""Surfaces that make each structure. As in tracing by hand the papillary muscles are counted with the cavity; the right
ventricle is counted with its outflow tract and the beginning of the pulmonary artery."""

SUBPIXEL_BITS = 4


def label_frames(recording: Recording) -> ByteArray:
    """Name what each pixel shows: index of the surface in `heart.surfaces` + 1, 0 for none or no sector; [T, H, W]."""
    screen = recording.screen
    frames = [label_cells(scene, screen.to_px, screen.height_px, screen.width_px) for scene in recording.scenes]
    return np.stack(frames) * screen.sector_mask


def structure_masks(recording: Recording, names: Sequence[str] = tuple(STRUCTURES)) -> dict[str, BoolArray]:
    """Mask structures on the picture, inside the sector; name to [T, H, W].

    Args:
        recording: the cine.
        names: keys of `STRUCTURES`, or names of surfaces such as `mitral_anterior`; a thin layer is as thick as it is
            in the body, at least a pixel. Masks of closed structures share no pixel.

    Raises:
        ValueError: the heart has no such surface.
    """
    surfaces = recording.heart.surfaces
    indices = {surface.name: index for index, surface in enumerate(surfaces)}
    masks, labels = {}, None
    for name in names:
        parts = STRUCTURES.get(name, (name,))
        if not set(parts) <= set(indices):
            raise ValueError(f"unknown structure, expected one of {', '.join([*STRUCTURES, *indices])}")
        if surfaces[indices[parts[0]]].is_sheet:
            masks[name] = np.stack([_layer(recording, scene, name) for scene in recording.scenes])
            continue
        labels = label_frames(recording) if labels is None else labels
        masks[name] = np.isin(labels, [indices[part] + 1 for part in parts])
    return masks


def _layer(recording: Recording, scene: Scene, name: str) -> BoolArray:
    """Mask of a thin layer, [H, W]."""
    screen = recording.screen
    mask = np.zeros((screen.height_px, screen.width_px), dtype=np.uint8)
    thickness_mm = next(surface.thickness_mm for surface in scene.surfaces if surface.name == name)
    thickness_px = max(round(thickness_mm * screen.px_per_mm), 1)
    for line in scene.outlines(name):
        fixed = np.rint(screen.to_px(line) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.polylines(mask, [fixed], False, 1.0, thickness_px, cv2.LINE_8, SUBPIXEL_BITS)
    shown: BoolArray = (mask > 0) & screen.sector_mask
    return shown
