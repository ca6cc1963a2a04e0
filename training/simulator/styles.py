"""One cine's settings, drawn from the file of its source; every factor by itself, and none knows the view."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from training.simulator.scanner.settings import ScannerSettings, Shadow
from training.simulator.sources.catalogue import catalogue, mix
from training.simulator.sources.recipes import (
    Codec,
    Colour,
    Cursor,
    ExportRecipe,
    Kernel,
    Marker,
    OverlayRecipe,
    Range,
    ScannerRecipe,
    SectorRecipe,
    Side,
    Source,
    TextBlock,
)

NARROW_DEG = (30.0, 55.0)  # what users narrow a sector to, for valves and frame rate
STEER_WIDER = 2.5  # a narrowed sector is steered farther
BOTTOM_CUT = (0.02, 0.12)  # share of the depth
SIDE_CUT = (0.05, 0.35)  # share of the half width
CROP_ZOOM = (1.15, 1.5)
BOX_HEIGHT, BOX_SHAPE = (0.42, 0.75), (0.8, 1.35)  # share of the depth; width over height
BOX_MIDDLE, BOX_ASIDE = (0.45, 0.62), (-0.09, 0.09)  # its middle, shares of the depth
AIMED_HEIGHT = (0.48, 0.8)  # of a rectangle that is laid on purpose
BOX_TOP = 0.02  # least depth of a rectangle
PIECE_CHANCE = 0.4  # of a zoom that cuts between two depths and angles, not a rectangle
PIECE_NEAR, PIECE_FAR = (0.15, 0.35), (0.75, 0.95)  # shares of the depth
SHADOW_WIDTH, SHADOW_DB = (0.02, 0.07), (5.0, 20.0)
RANDOM_STYLE = "random"

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Marks:
    """How what is written round the sector looks; `sources.recipes.OverlayRecipe` explains the names."""

    ink: Colour
    marker: Marker
    bar_side: Side
    tick_side: Side
    text_blocks: frozenset[TextBlock]
    text_height: float
    ecg_ink: Colour
    ecg_height: float
    ecg_baseline: float
    ecg_cursor: Cursor
    ecg_sweep_ms: float


@dataclass(frozen=True)
class Export:
    """What the site's export does; `sources.recipes.ExportRecipe` explains the names."""

    codec: Codec
    quality: int
    resample: float
    kernel: Kernel
    blur_px: float
    line_jitter_px: float
    noise_grey: float
    grey_levels: int
    lift_grey: float
    tint: Colour


@dataclass(frozen=True)
class Box:
    """The part of a sector that a zoom shows, in shares of the depth from the probe; x to the right."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class StyleDraw:
    """The settings of one cine.

    Attributes:
        width_px, height_px, channels: of the canvas.
        sector_height: height of what is shown over that of the canvas.
        overflow: largest width of what is shown over that of the canvas.
        sector_x: where the probe lies across the canvas, 0-1.
        free_above: share of the height left over that is above the sector.
        start_mm: radius of the small arc on top.
        steer_deg: direction of the middle beam, to the right.
        cut_bottom: share of the depth cut off by a straight edge.
        cut_sides: share of the half width cut off at the left and right.
        zoom: enlargement about the middle, 1 shows all.
        box, piece: what a zoom shows: a rectangle, or (near, far) shares of the depth; None shows all.
        squeeze: width of a pixel over its height.
        is_flipped: left and right exchanged, as the site has it.
        overlays: which there are, names of `OverlayChances`.
    """

    width_px: int
    height_px: int
    channels: int
    sector_height: float
    overflow: float
    sector_x: float
    free_above: float
    start_mm: float
    steer_deg: float
    cut_bottom: float
    cut_sides: tuple[float, float]
    zoom: float
    box: Box | None
    piece: Range | None
    squeeze: float
    is_flipped: bool
    frame_rate_hz: float
    scanner: ScannerSettings
    overlays: frozenset[str]
    marks: Marks
    export: Export

    def without_zoom(self) -> "StyleDraw":
        """The same with the whole sector in sight."""
        return dataclasses.replace(self, zoom=1.0, box=None, piece=None, cut_sides=(0.0, 0.0))


def zoomed(drawn: StyleDraw, down_mm: float, rng: np.random.Generator) -> StyleDraw:
    """Give the same with a rectangle enlarged, its middle `down_mm` under the probe.

    Where in the sector the rectangle lies is drawn as in any zoom; the depth is then set for it. So its outline does
    not tell what is looked at.
    """
    box, middle = _draw_box(rng, AIMED_HEIGHT)
    deeper = down_mm / (middle * drawn.scanner.depth_mm)
    scanner = dataclasses.replace(
        drawn.scanner, depth_mm=drawn.scanner.depth_mm * deeper, focus_mm=drawn.scanner.focus_mm * deeper
    )
    return dataclasses.replace(drawn.without_zoom(), box=box, scanner=scanner, start_mm=drawn.start_mm * deeper)


STYLES: tuple[str, ...] = tuple(catalogue())
SEEN_STYLES: tuple[str, ...] = tuple(name for name, source in catalogue().items() if source.view_shares is not None)
"""Shaped like the thesis's training sources; its experiments train on these alone."""

UNSEEN_STYLES: tuple[str, ...] = tuple(name for name in STYLES if name not in SEEN_STYLES)
FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(name for name, source in catalogue().items() if source.family == family)
    for family in sorted({source.family for source in catalogue().values()})
}


def family_of(style: str) -> str:
    """Name the family of a style."""
    return _source(style).family


def describe(style: str) -> str:
    """Tell in a sentence what a style looks like."""
    return _source(style).look


def view_shares(style: str) -> dict[str, float] | None:
    """Give the share of each view in the thesis's set of this name; None for the other sources."""
    shares = _source(style).view_shares
    return None if shares is None else {key.upper(): share for key, share in dataclasses.asdict(shares).items()}


def draw_style(style: str, seed: Sequence[int]) -> StyleDraw:
    """Draw the settings of one cine.

    Args:
        style: one of `STYLES`; or "random": each setting from a source of its own, some from wider ranges; or
            "random-portable-legacy": the same without the sources of these families.
        seed: of the recording.

    Raises:
        ValueError: the style is none of these.
    """
    rng = np.random.default_rng([*seed, 61])
    random, *left_out = style.split("-")
    source = mix(_all_but(left_out), rng) if random == RANDOM_STYLE else _source(style)
    sector = source.sector
    width, height = _one_of(rng, sector.canvases)
    box, piece = _draw_zoom(sector, rng)
    is_narrow = rng.random() < sector.narrow_chance or piece is not None
    return StyleDraw(
        width_px=width,
        height_px=height,
        channels=sector.channels,
        sector_height=_between(rng, sector.sector_height),
        overflow=_between(rng, sector.overflow),
        sector_x=_between(rng, sector.sector_x),
        free_above=_between(rng, (0.1, 0.6)),
        start_mm=_between(rng, sector.start_mm),
        steer_deg=_between(rng, sector.steer_deg) * (STEER_WIDER if is_narrow else 1),
        cut_bottom=_between(rng, BOTTOM_CUT) if rng.random() < sector.bottom_cut_chance else 0.0,
        cut_sides=_draw_side_cuts(sector, rng),
        zoom=_between(rng, CROP_ZOOM) if rng.random() < sector.crop_zoom_chance and not (box or piece) else 1.0,
        box=box,
        piece=piece,
        squeeze=_between(rng, sector.squeeze),
        is_flipped=bool(rng.random() < sector.flip_chance),
        frame_rate_hz=_between(rng, sector.frame_rate_hz),
        scanner=_draw_scanner(source.scanner, sector, is_narrow, rng),
        overlays=_draw_overlays(source.overlays, rng),
        marks=_draw_marks(source.overlays, rng),
        export=_draw_export(source.export, rng),
    )


def _all_but(families: list[str]) -> tuple[Source, ...]:
    """Give the sources of all families but some."""
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown:
        raise ValueError(f"unknown family {', '.join(unknown)}, expected one of {', '.join(FAMILIES)}")
    return tuple(source for source in catalogue().values() if source.family not in families)


def _source(style: str) -> Source:
    if style not in catalogue():
        raise ValueError(f"unknown style {style!r}, expected one of {', '.join(catalogue())}")
    return catalogue()[style]


def _between(rng: np.random.Generator, limits: Range) -> float:
    return float(rng.uniform(*limits))


def _one_of(rng: np.random.Generator, items: Sequence[_Item]) -> _Item:
    return items[int(rng.integers(len(items)))]


def _draw_side_cuts(sector: SectorRecipe, rng: np.random.Generator) -> tuple[float, float]:
    """One side or both, each by itself."""
    if rng.random() >= sector.side_cut_chance:
        return 0.0, 0.0
    left, right = _between(rng, SIDE_CUT), _between(rng, SIDE_CUT)
    which = int(rng.integers(3))
    return (left if which != 1 else 0.0), (right if which != 0 else 0.0)


def _draw_zoom(sector: SectorRecipe, rng: np.random.Generator) -> tuple[Box | None, Range | None]:
    """A rectangle somewhere in the middle of the sector, or what lies between two depths."""
    if rng.random() >= sector.box_zoom_chance:
        return None, None
    if rng.random() < PIECE_CHANCE:
        return None, (_between(rng, PIECE_NEAR), _between(rng, PIECE_FAR))
    return _draw_box(rng, BOX_HEIGHT)[0], None


def _draw_box(rng: np.random.Generator, height: Range) -> tuple[Box, float]:
    """A rectangle and the depth of its middle, in shares of the depth."""
    high, middle, aside = _between(rng, height), _between(rng, BOX_MIDDLE), _between(rng, BOX_ASIDE)
    wide = high * _between(rng, BOX_SHAPE)
    box = Box(aside - wide / 2, max(middle - high / 2, BOX_TOP), aside + wide / 2, min(middle + high / 2, 1.0))
    return box, middle


def _draw_scanner(
    recipe: ScannerRecipe, sector: SectorRecipe, is_narrow: bool, rng: np.random.Generator
) -> ScannerSettings:
    """Draw machine and user settings."""
    depth_mm = _between(rng, sector.depth_mm)
    plain = {
        field.name: _between(rng, getattr(recipe, field.name))
        for field in dataclasses.fields(ScannerSettings)
        if field.type is float and hasattr(recipe, field.name)
    }
    near, middle, far = (_between(rng, limits) for limits in recipe.tgc_error_db)
    lung = tuple(
        _between(rng, recipe.lung_fraction) if rng.random() < recipe.lung_chance else 0.0 for _ in ("left", "right")
    )
    return ScannerSettings(
        **plain,
        depth_mm=depth_mm,
        opening_deg=_between(rng, NARROW_DEG if is_narrow else sector.opening_deg),
        focus_mm=_between(rng, recipe.focus_fraction) * depth_mm,
        tgc_error_db=(near, middle, far),
        edge_loss_db=(_between(rng, recipe.edge_loss_db), _between(rng, recipe.edge_loss_db)),
        lung_fraction=(lung[0], lung[1]),
        shadows=_draw_shadows(recipe.shadow_chance, rng),
    )


def _draw_shadows(chance: float, rng: np.random.Generator) -> tuple[Shadow, ...]:
    count = int(rng.random() < chance) + int(rng.random() < chance / 3)
    return tuple(
        Shadow(_between(rng, (0, 1)), _between(rng, SHADOW_WIDTH), _between(rng, SHADOW_DB)) for _ in range(count)
    )


def _draw_overlays(recipe: OverlayRecipe, rng: np.random.Generator) -> frozenset[str]:
    chances = dataclasses.asdict(recipe.chances)
    return frozenset(name for name, chance in chances.items() if rng.random() < chance)


def _draw_marks(recipe: OverlayRecipe, rng: np.random.Generator) -> Marks:
    blocks = recipe.text_blocks
    count = int(rng.integers(1, len(blocks) + 1))
    return Marks(
        ink=_one_of(rng, recipe.inks),
        marker=_one_of(rng, recipe.markers),
        bar_side=_one_of(rng, recipe.bar_sides),
        tick_side=_one_of(rng, recipe.tick_sides),
        text_blocks=frozenset(blocks[place] for place in rng.permutation(len(blocks))[:count].tolist()),
        text_height=_between(rng, recipe.text_height),
        ecg_ink=_one_of(rng, recipe.ecg_inks),
        ecg_height=_between(rng, recipe.ecg_height),
        ecg_baseline=_between(rng, recipe.ecg_baseline),
        ecg_cursor=_one_of(rng, recipe.ecg_cursors),
        ecg_sweep_ms=_between(rng, recipe.ecg_sweep_ms),
    )


def _draw_export(recipe: ExportRecipe, rng: np.random.Generator) -> Export:
    return Export(
        codec=_one_of(rng, recipe.codecs),
        quality=round(_between(rng, recipe.quality)),
        resample=_between(rng, recipe.resample),
        kernel=_one_of(rng, recipe.kernels),
        blur_px=_between(rng, recipe.blur_px),
        line_jitter_px=_between(rng, recipe.line_jitter_px),
        noise_grey=_between(rng, recipe.noise_grey),
        grey_levels=round(_between(rng, recipe.grey_levels)),
        lift_grey=_between(rng, recipe.lift_grey),
        tint=_one_of(rng, recipe.tints),
    )
