"""What a source file holds: ranges from which the settings of a cine are drawn; and the check of what was read."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.cine.errors import ConfigError

Range = tuple[float, float]
Colour = tuple[int, int, int]  # RGB


class Codec(StrEnum):
    """How a site's pictures were coded before they reach us."""

    NONE = "none"
    JPEG = "jpeg"
    MJPEG = "mjpeg"
    H264 = "h264"
    GIF = "gif"


class Kernel(StrEnum):
    """How an export made a picture smaller and large again."""

    NEAREST = "nearest"
    LINEAR = "linear"
    CUBIC = "cubic"
    AREA = "area"


class Side(StrEnum):
    """Where a mark stands."""

    LEFT = "left"
    RIGHT = "right"


class Marker(StrEnum):
    """The probe's orientation mark beside the top of the sector."""

    DOT = "dot"
    RING = "ring"
    VEE = "vee"
    LETTER = "letter"
    LOGO = "logo"


class TextBlock(StrEnum):
    """Where a console writes: settings in a column, a head line, corner notes, a foot line."""

    LEFT_COLUMN = "left_column"
    RIGHT_COLUMN = "right_column"
    HEAD = "head"
    CORNERS = "corners"
    FOOT = "foot"


class Cursor(StrEnum):
    """How the ECG shows the present: a line, a gap or a dot."""

    LINE = "line"
    GAP = "gap"
    DOT = "dot"


@dataclass(frozen=True)
class ViewShares:
    """Share of each view in the thesis's set of this name; read by its experiments, never when a style is drawn."""

    a2c: float
    a4c: float
    plax: float
    psax: float


@dataclass(frozen=True)
class SectorRecipe:
    """How the sector lies on the screen; chances 0-1.

    Attributes:
        canvases: (width, height) in pixels, one of which is drawn.
        channels: 1 grey or 3 colour.
        frame_rate_hz: of the cine.
        sector_height: height of what is shown over that of the canvas.
        overflow: largest width of what is shown over that of the canvas; above 1 its border cuts both sides.
        sector_x: where the probe lies across the canvas, 0-1.
        opening_deg, depth_mm, start_mm: of the sector; `start_mm` is the radius of the small arc on top.
        narrow_chance: of a sector narrowed by its user, to `NARROW_DEG`.
        steer_deg: how far the sector is turned from straight down.
        bottom_cut_chance, side_cut_chance: of a straight edge below, and at the sides.
        crop_zoom_chance: of a picture enlarged about its middle.
        box_zoom_chance: of a rectangle, or a piece between two depths, cut from the sector and enlarged.
        flip_chance: of the site's left-right reversed display.
        squeeze: width of a pixel over its height.
    """

    canvases: tuple[tuple[int, int], ...]
    channels: int
    frame_rate_hz: Range
    sector_height: Range
    overflow: Range
    sector_x: Range
    opening_deg: Range
    depth_mm: Range
    start_mm: Range
    narrow_chance: float
    steer_deg: Range
    bottom_cut_chance: float
    side_cut_chance: float
    crop_zoom_chance: float
    box_zoom_chance: float
    flip_chance: float
    squeeze: Range


@dataclass(frozen=True)
class ScannerRecipe:
    """Ranges of `scanner.settings.ScannerSettings`, which explains the names.

    `focus_fraction` is a share of the depth; `shadow_chance` is that of one shadow, a second one follows at a third of
    it; `lung_chance` is of each side.
    """

    frequency_mhz: Range
    aperture_mm: Range
    focus_fraction: Range
    cycles: Range
    beam_spread: Range
    dynamic_range_db: Range
    muscle_grey_fraction: Range
    gamma: Range
    assumed_attenuation_db: Range
    tgc_error_db: tuple[Range, Range, Range]
    speckle_reduction: Range
    edge_enhancement: Range
    smoothing_mm: Range
    persistence: Range
    cavity_clutter_db: Range
    near_clutter_db: Range
    reverberation_db: Range
    side_lobe_db: Range
    noise_db: Range
    soft_tissue_db: Range
    dropout: Range
    edge_loss_db: Range
    lung_chance: float
    lung_fraction: Range
    shadow_chance: float


@dataclass(frozen=True)
class OverlayChances:
    """Chance of each overlay by itself."""

    ecg: float
    heart_rate: float
    depth_ticks: float
    depth_numbers: float
    grey_bar: float
    text: float
    marker: float
    focus: float
    rotation_icon: float


@dataclass(frozen=True)
class OverlayRecipe:
    """How the vendor writes round the sector; one of each list is drawn a cine.

    Attributes:
        inks: of text and marks.
        text_blocks: where text may stand; each cine has one to all of them.
        text_height: of a line over the canvas height.
        ecg_inks, ecg_height, ecg_baseline: the trace; shares of the canvas height.
        ecg_cursors: how it shows the present.
        ecg_sweep_ms: time across the screen.
    """

    chances: OverlayChances
    inks: tuple[Colour, ...]
    markers: tuple[Marker, ...]
    bar_sides: tuple[Side, ...]
    tick_sides: tuple[Side, ...]
    text_blocks: tuple[TextBlock, ...]
    text_height: Range
    ecg_inks: tuple[Colour, ...]
    ecg_height: Range
    ecg_baseline: Range
    ecg_cursors: tuple[Cursor, ...]
    ecg_sweep_ms: Range


@dataclass(frozen=True)
class ExportRecipe:
    """What a site's export does to a picture.

    Attributes:
        codecs: names, one is drawn.
        quality: of the coding, 1-100 on JPEG's scale.
        resample: share of the pixels kept by an earlier export, along each axis, 1 none lost.
        kernels: how it resampled.
        blur_px: sigma of a soft lens or cable, across, pixels of the export.
        line_jitter_px: standard deviation of a tape's lines, pixels of the export.
        noise_grey: of a cable or tape.
        grey_levels: shades that are left, 256 all.
        lift_grey: black level: added to the sector and scaled so that white stays white.
        tints: RGB of white; (255, 255, 255) none.
    """

    codecs: tuple[Codec, ...]
    quality: Range
    resample: Range
    kernels: tuple[Kernel, ...]
    blur_px: Range
    line_jitter_px: Range
    noise_grey: Range
    grey_levels: Range
    lift_grey: Range
    tints: tuple[Colour, ...]


@dataclass(frozen=True)
class Source:
    """One site with its scanner and its export.

    Attributes:
        number: of the file, never given twice: part of seeds, so that a new file moves no other.
        family: whose sources look alike, for leave-one-family-out.
        look: in a sentence.
        view_shares: of the thesis's training sources; None for all others.
    """

    number: int
    family: str
    look: str
    view_shares: ViewShares | None
    sector: SectorRecipe
    scanner: ScannerRecipe
    overlays: OverlayRecipe
    export: ExportRecipe


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
