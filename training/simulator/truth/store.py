"""All of the truth of a recording as named arrays, for files.

The keys (T frames of H x W pixels; NaN where the plane does not show a thing; "plane" is mm to the right and away from
the probe on the cutting plane, "heart" the heart's own x lateral, y anterior, z to the apex):

- `structures` [T, H, W] uint8, 0 none, else a place in `structure_names`; `labels` [T, H, W] uint8, the same for every
  closed surface with `label_names`. Both inside the sector.
- `lv_contour_px`, `lv_contour_mm` [T, 64, 2]; `lv_area_mm2`, `lv_volume_ml`, `contraction` [T].
- `landmarks_px`, `landmarks_mm` [T, L, 2] and `landmarks_off_plane_mm` [T, L], named by `landmark_names`;
  `heart_landmarks_mm` [T, K, 3] by `heart_landmark_names`; `mitral_px`, `mitral_mm` [T, 5, 2] by `mitral_names`.
- `displacement_mm` [T-1, h, w, 2] float16 to .01 mm, from each frame to the next on the plane, at every n-th pixel, n
  being `displacement_step_px`: row i, column j is that of pixel (i n, j n). On the same grid `leaves` [T-1, h, w] bool,
  tissue of the frame that is not in the next one, and `enters` [T-1, h, w], of the next that was not in this one.
- `plane_rotation_deg`, `plane_tilt_deg`, `plane_distance_mm`, `plane_level_fraction`, `plane_foreshortening_fraction`
  [T].
- `volume_ed`, `volume_es` [Z, Y, X] uint8 with `label_names`, `volume_spacing_mm`, `volume_origin_mm` [3] (x, y, z).
"""

from typing import Any

import numpy as np

from training.simulator.arrays import as_float32
from training.simulator.heart.rhythm import HeartState
from training.simulator.truth.contour import lv_area_mm2, lv_contour_mm
from training.simulator.truth.displacement import displacement
from training.simulator.truth.landmarks import landmarks_mm, picture_landmarks
from training.simulator.truth.masks import STRUCTURES, label_frames
from training.simulator.truth.mitral import mitral_valve_mm
from training.simulator.truth.plane import plane_angles
from training.simulator.truth.pumping import lv_volumes_ml
from training.simulator.truth.recording import Recording
from training.simulator.truth.volume import label_volume

VOLUME_SPACING_MM = 2.0  # of the stored volumes
FIELD_SIDE_PX = 160  # a displacement field is smooth: larger pictures keep every n-th pixel of it

Arrays = dict[str, Any]


def collect_arrays(recording: Recording) -> Arrays:
    """Compute everything; the keys are those of this module's docstring."""
    return {
        **_masks(recording),
        **_points(recording),
        **_displacement(recording),
        **{f"plane_{name}": values for name, values in vars(plane_angles(recording)).items()},
        **_volumes(recording),
        "lv_area_mm2": lv_area_mm2(recording),
        "lv_volume_ml": lv_volumes_ml(recording),
        "contraction": as_float32([state.contraction for state in recording.states]),
    }


def _masks(recording: Recording) -> Arrays:
    labels = label_frames(recording)
    names = ["", *(surface.name for surface in recording.heart.surfaces)]
    table = np.zeros(256, dtype=np.uint8)
    for place, surfaces in enumerate(STRUCTURES.values(), 1):
        table[[names.index(surface) for surface in surfaces]] = place
    return {
        "structures": table[labels],
        "structure_names": np.array(["", *STRUCTURES]),
        "labels": labels,
        "label_names": np.array(names),
    }


def _points(recording: Recording) -> Arrays:
    screen, contour = recording.screen, lv_contour_mm(recording)
    shown, heart, mitral = picture_landmarks(recording), landmarks_mm(recording), vars(mitral_valve_mm(recording))
    valve = np.stack(list(mitral.values()), axis=1)
    return {
        "lv_contour_mm": contour,
        "lv_contour_px": screen.to_px(contour),
        "landmark_names": np.array(list(shown.mm)),
        "landmarks_mm": np.stack(list(shown.mm.values()), axis=1),
        "landmarks_px": np.stack(list(shown.px.values()), axis=1),
        "landmarks_off_plane_mm": np.stack(list(shown.off_plane_mm.values()), axis=1),
        "heart_landmark_names": np.array(list(heart)),
        "heart_landmarks_mm": np.stack(list(heart.values()), axis=1),
        "mitral_names": np.array(list(mitral)),
        "mitral_mm": valve,
        "mitral_px": screen.to_px(valve),
    }


def _displacement(recording: Recording) -> Arrays:
    longest = max(recording.screen.width_px, recording.screen.height_px)
    step = -(-longest // FIELD_SIDE_PX)
    moved = displacement(recording.thinned(step))
    return {
        "displacement_mm": moved.mm.round(2).astype(np.float16),
        "displacement_step_px": np.int64(step),
        "leaves": moved.leaves,
        "enters": moved.enters,
    }


def _volumes(recording: Recording) -> Arrays:
    diastole, systole = (
        label_volume(recording.heart, HeartState(contraction, 0, 0, 0, 0, 0, 800), VOLUME_SPACING_MM)
        for contraction in (0.0, 1.0)
    )
    return {
        "volume_ed": diastole.labels,
        "volume_es": systole.labels,
        "volume_spacing_mm": np.float32(VOLUME_SPACING_MM),
        "volume_origin_mm": diastole.origin_mm,
    }
