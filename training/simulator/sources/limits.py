"""The check of a source file that was read: every range upward and within what an echocardiograph does."""

import dataclasses
from typing import Any

from services.cine.errors import ConfigError
from training.simulator.sources.recipes import Range

LIMITS: dict[str, Range] = {
    # What a range may hold at most: beyond it a setting is no echocardiograph's, or the drawing code breaks.
    "frame_rate_hz": (8, 400),
    "sector_height": (0.4, 1.4),
    "overflow": (0.5, 1.8),
    "sector_x": (0.3, 0.7),
    "opening_deg": (25, 115),
    "depth_mm": (50, 280),
    "start_mm": (0.5, 25),
    "steer_deg": (-25, 25),
    "squeeze": (0.8, 1.25),
    "frequency_mhz": (1, 8),
    "aperture_mm": (6, 30),
    "focus_fraction": (0.2, 1.2),
    "cycles": (1, 6),
    "beam_spread": (1, 3),
    "dynamic_range_db": (25, 90),
    "muscle_grey_fraction": (0.2, 0.9),
    "gamma": (0.5, 2.5),
    "assumed_attenuation_db": (0.2, 0.9),
    "tgc_error_db": (-15, 15),
    "speckle_reduction": (0, 1),
    "edge_enhancement": (0, 1),
    "smoothing_mm": (0, 3),
    "persistence": (0, 0.6),
    "cavity_clutter_db": (-60, 0),
    "near_clutter_db": (-60, 10),
    "reverberation_db": (-60, 5),
    "side_lobe_db": (-60, 0),
    "noise_db": (-80, 0),
    "soft_tissue_db": (-30, 10),
    "dropout": (0, 3),
    "edge_loss_db": (0, 30),
    "lung_fraction": (0, 0.5),
    "text_height": (0.01, 0.12),
    "ecg_height": (0.01, 0.09),
    "ecg_baseline": (0.9, 0.99),
    "ecg_sweep_ms": (1000, 6000),
    "quality": (5, 100),
    "resample": (0.2, 1),
    "blur_px": (0, 4),
    "line_jitter_px": (0, 3),
    "noise_grey": (0, 25),
    "grey_levels": (6, 256),
    "lift_grey": (0, 60),
}


def check(recipe: Any, where: str) -> None:
    """Check that every range is upward and within `LIMITS`, every chance within 0-1, every list filled.

    Raises:
        ConfigError: the message names `where`, which begins with the file, and the field.
    """
    for field in dataclasses.fields(recipe):
        value, place = getattr(recipe, field.name), f"{where}{field.name}"
        if dataclasses.is_dataclass(value):
            check(value, f"{place}.")
        elif field.name in LIMITS:
            for limits in value if isinstance(value[0], tuple) else (value,):
                _check_range(limits, LIMITS[field.name], place)
        elif isinstance(value, float):
            _check_range((value, value), (0, 1), place)
        elif value in ((), ""):
            raise _refuse(f"nothing at {place}", "at least one")
        elif field.name == "channels" and value not in (1, 3):
            raise _refuse(f"{value} at {place}", "1 or 3")


def _check_range(limits: Range, allowed: Range, place: str) -> None:
    low, high = limits
    if not low <= high:  # also false for what is not a number
        raise _refuse(f"{low} to {high} at {place}", "the smaller limit first")
    if not (allowed[0] <= low and high <= allowed[1]):
        raise _refuse(f"{low} to {high} at {place}", f"limits within {allowed[0]} to {allowed[1]}")


def _refuse(found: str, expected: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice="Correct the source file.")
