"""Six sources a cine may come from: every setting is drawn for each cine by itself and knows nothing of the view."""

from dataclasses import dataclass

import numpy as np

from training.simulator.ultrasound import ScannerSettings

Range = tuple[float, float]


@dataclass(frozen=True)
class StyleRecipe:
    """Ranges from which the settings of one source are drawn; chances are 0-1."""

    canvases: tuple[tuple[int, int], ...]  # (width, height) in pixels
    channels: int
    sector_height: Range  # depth of the sector over the height of the canvas
    depth_mm: Range
    opening_deg: Range
    narrow_chance: float
    frame_rate_hz: Range
    frequency_mhz: Range
    dynamic_range_db: Range
    muscle_grey_fraction: Range
    gamma: Range
    axial_sigma_mm: Range
    lateral_sigma_deg: Range
    smoothing_px: Range
    speckle_reduction: Range
    cavity_clutter_db: Range
    near_clutter_db: Range
    noise_db: Range
    soft_tissue_db: Range
    far_gain_db: Range
    shadow_chance: float
    overlay_chance: float  # of each overlay by itself
    jpeg_quality: tuple[int, int] | None
    resample: Range  # share of the pixels kept by an earlier export, 1 none lost


@dataclass(frozen=True)
class StyleDraw:
    """The settings of one cine."""

    width_px: int
    height_px: int
    channels: int
    sector_height: float
    sector_x: float  # where the probe lies across the canvas, 0-1
    cut_bottom: float  # share of the depth cut off by a straight edge
    zoom: float  # enlargement about the middle of the sector, 1 shows it all
    is_flipped: bool
    frame_rate_hz: float
    scanner: ScannerSettings
    overlays: frozenset[str]
    jpeg_quality: int | None
    resample: float


OVERLAYS = ("ecg", "depth_ticks", "grey_bar", "text", "marker", "focus")
FLIP_CHANCE = 0.06
ZOOM_CHANCE = 0.1

_RECIPES = {
    "lvh": StyleRecipe(
        canvases=((1024, 768), (800, 600)),
        channels=3,
        sector_height=(0.84, 0.95),
        depth_mm=(130, 175),
        opening_deg=(68, 92),
        narrow_chance=0.1,
        frame_rate_hz=(40, 75),
        frequency_mhz=(2.2, 3.4),
        dynamic_range_db=(38, 50),
        muscle_grey_fraction=(0.43, 0.58),
        gamma=(1.1, 1.4),
        axial_sigma_mm=(0.3, 0.6),
        lateral_sigma_deg=(0.75, 1.15),
        smoothing_px=(0.2, 0.6),
        speckle_reduction=(0.2, 0.5),
        cavity_clutter_db=(-27, -17),
        near_clutter_db=(-14, -4),
        noise_db=(-44, -30),
        soft_tissue_db=(-13, -5),
        far_gain_db=(0, 6),
        shadow_chance=0.35,
        overlay_chance=0.6,
        jpeg_quality=(70, 92),
        resample=(0.75, 1.0),
    ),
    "dynamic": StyleRecipe(
        canvases=((112, 112),),
        channels=1,
        sector_height=(0.94, 1.1),
        depth_mm=(135, 180),
        opening_deg=(66, 95),
        narrow_chance=0.08,
        frame_rate_hz=(40, 60),
        frequency_mhz=(2.0, 3.2),
        dynamic_range_db=(32, 42),
        muscle_grey_fraction=(0.44, 0.62),
        gamma=(1.1, 1.5),
        axial_sigma_mm=(0.25, 0.45),
        lateral_sigma_deg=(0.35, 0.6),
        smoothing_px=(0.0, 0.15),
        speckle_reduction=(0.0, 0.15),
        cavity_clutter_db=(-29, -17),
        near_clutter_db=(-14, -3),
        noise_db=(-42, -28),
        soft_tissue_db=(-14, -5),
        far_gain_db=(2, 9),
        shadow_chance=0.4,
        overlay_chance=0.12,
        jpeg_quality=(75, 95),
        resample=(0.95, 1.0),
    ),
    "tmed": StyleRecipe(
        canvases=((112, 112),),
        channels=1,
        sector_height=(0.85, 0.98),
        depth_mm=(125, 180),
        opening_deg=(62, 100),
        narrow_chance=0.12,
        frame_rate_hz=(25, 60),
        frequency_mhz=(1.8, 3.4),
        dynamic_range_db=(40, 58),
        muscle_grey_fraction=(0.44, 0.64),
        gamma=(1.0, 1.3),
        axial_sigma_mm=(0.35, 0.7),
        lateral_sigma_deg=(0.5, 0.9),
        smoothing_px=(0.1, 0.6),
        speckle_reduction=(0.05, 0.4),
        cavity_clutter_db=(-26, -13),
        near_clutter_db=(-12, -2),
        noise_db=(-42, -26),
        soft_tissue_db=(-14, -5),
        far_gain_db=(-2, 5),
        shadow_chance=0.4,
        overlay_chance=0.35,
        jpeg_quality=(50, 90),
        resample=(0.75, 1.0),
    ),
    "camus": StyleRecipe(
        canvases=((600, 480), (512, 512), (640, 560)),
        channels=1,
        sector_height=(0.97, 1.0),
        depth_mm=(125, 180),
        opening_deg=(74, 76),
        narrow_chance=0.0,
        frame_rate_hz=(40, 65),
        frequency_mhz=(1.8, 2.6),
        dynamic_range_db=(46, 60),
        muscle_grey_fraction=(0.5, 0.65),
        gamma=(0.9, 1.1),
        axial_sigma_mm=(0.6, 0.85),
        lateral_sigma_deg=(1.05, 1.5),
        smoothing_px=(0.5, 0.9),
        speckle_reduction=(0.2, 0.5),
        cavity_clutter_db=(-22, -14),
        near_clutter_db=(-15, -6),
        noise_db=(-42, -28),
        soft_tissue_db=(-13, -5),
        far_gain_db=(0, 7),
        shadow_chance=0.4,
        overlay_chance=0.0,
        jpeg_quality=None,
        resample=(1.0, 1.0),
    ),
    "unity": StyleRecipe(
        canvases=((636, 422), (800, 600), (1024, 768)),
        channels=3,
        sector_height=(0.8, 0.96),
        depth_mm=(120, 190),
        opening_deg=(60, 95),
        narrow_chance=0.2,
        frame_rate_hz=(45, 80),
        frequency_mhz=(2.0, 3.6),
        dynamic_range_db=(38, 52),
        muscle_grey_fraction=(0.43, 0.6),
        gamma=(1.05, 1.4),
        axial_sigma_mm=(0.3, 0.6),
        lateral_sigma_deg=(0.75, 1.15),
        smoothing_px=(0.3, 0.8),
        speckle_reduction=(0.2, 0.5),
        cavity_clutter_db=(-28, -15),
        near_clutter_db=(-12, -2),
        noise_db=(-46, -30),
        soft_tissue_db=(-12, -4),
        far_gain_db=(0, 8),
        shadow_chance=0.35,
        overlay_chance=0.9,
        jpeg_quality=(75, 95),
        resample=(0.75, 1.0),
    ),
    "portable": StyleRecipe(
        canvases=((480, 640), (640, 480)),
        channels=3,
        sector_height=(0.7, 0.95),
        depth_mm=(130, 175),
        opening_deg=(62, 82),
        narrow_chance=0.05,
        frame_rate_hz=(25, 34),
        frequency_mhz=(1.5, 2.2),
        dynamic_range_db=(32, 42),
        muscle_grey_fraction=(0.4, 0.58),
        gamma=(0.9, 1.2),
        axial_sigma_mm=(1.0, 1.5),
        lateral_sigma_deg=(0.9, 1.4),
        smoothing_px=(0.4, 0.9),
        speckle_reduction=(0.2, 0.5),
        cavity_clutter_db=(-24, -14),
        near_clutter_db=(-8, 2),
        noise_db=(-36, -22),
        soft_tissue_db=(-14, -5),
        far_gain_db=(-6, 2),
        shadow_chance=0.5,
        overlay_chance=0.4,
        jpeg_quality=(45, 80),
        resample=(0.5, 0.9),
    ),
}

SEEN_STYLES: tuple[str, ...] = ("lvh", "dynamic", "tmed")
UNSEEN_STYLES: tuple[str, ...] = ("camus", "unity", "portable")
STYLES: tuple[str, ...] = SEEN_STYLES + UNSEEN_STYLES


def draw_style(style: str, seed: tuple[int, ...]) -> StyleDraw:
    """Draw the settings of one cine of a style.

    Raises:
        ValueError: the style is not one of `STYLES`.
    """
    if style not in _RECIPES:
        raise ValueError(f"unknown style {style!r}, expected one of {', '.join(STYLES)}")
    recipe, rng = _RECIPES[style], np.random.default_rng([*seed, 61])
    width, height = recipe.canvases[int(rng.integers(len(recipe.canvases)))]
    quality = recipe.jpeg_quality
    return StyleDraw(
        width_px=width,
        height_px=height,
        channels=recipe.channels,
        sector_height=_between(rng, recipe.sector_height),
        sector_x=float(np.clip(rng.normal(0.5, 0.015), 0.44, 0.56)),
        cut_bottom=_between(rng, (0.02, 0.08)) if rng.random() < 0.25 else 0.0,
        zoom=_between(rng, (1.15, 1.45)) if rng.random() < ZOOM_CHANCE else 1.0,
        is_flipped=bool(rng.random() < FLIP_CHANCE),
        frame_rate_hz=_between(rng, recipe.frame_rate_hz),
        scanner=_draw_scanner(recipe, rng),
        overlays=frozenset(name for name in OVERLAYS if rng.random() < recipe.overlay_chance),
        jpeg_quality=int(rng.integers(*quality)) if quality else None,
        resample=_between(rng, recipe.resample),
    )


def _between(rng: np.random.Generator, limits: Range) -> float:
    return float(rng.uniform(*limits))


def _draw_scanner(recipe: StyleRecipe, rng: np.random.Generator) -> ScannerSettings:
    """Draw machine and user settings; slider error is +- 3 dB a third of the depth."""
    opening = _between(rng, (32, 55)) if rng.random() < recipe.narrow_chance else _between(rng, recipe.opening_deg)
    count = int(rng.random() < recipe.shadow_chance) + int(rng.random() < 0.3 * recipe.shadow_chance)
    shadows = tuple((_between(rng, (0, 1)), _between(rng, (0.02, 0.07)), _between(rng, (5, 20))) for _ in range(count))
    far_db = _between(rng, recipe.far_gain_db)
    return ScannerSettings(
        depth_mm=_between(rng, recipe.depth_mm),
        opening_deg=opening,
        frequency_mhz=_between(rng, recipe.frequency_mhz),
        dynamic_range_db=_between(rng, recipe.dynamic_range_db),
        muscle_grey_fraction=_between(rng, recipe.muscle_grey_fraction),
        gamma=_between(rng, recipe.gamma),
        axial_sigma_mm=_between(rng, recipe.axial_sigma_mm),
        lateral_sigma_deg=_between(rng, recipe.lateral_sigma_deg),
        smoothing_px=_between(rng, recipe.smoothing_px),
        speckle_reduction=_between(rng, recipe.speckle_reduction),
        cavity_clutter_db=_between(rng, recipe.cavity_clutter_db),
        near_clutter_db=_between(rng, recipe.near_clutter_db),
        noise_db=_between(rng, recipe.noise_db),
        soft_tissue_db=_between(rng, recipe.soft_tissue_db),
        tgc_error_db=(float(rng.normal(0, 2)), float(rng.normal(0, 2)), far_db + float(rng.normal(0, 2))),
        edge_loss_db=(_between(rng, (0, 12)), _between(rng, (0, 12))),
        shadows=shadows,
    )
