"""What a source file holds: ranges from which the settings of a cine are drawn."""

from dataclasses import dataclass
from enum import StrEnum

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
        number: of the file, never given twice: part of seeds, so that a new file changes no other source's cines.
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
