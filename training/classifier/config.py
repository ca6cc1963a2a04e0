"""One experiment of the view classifier, complete: data, augmentation, network, objective, loop, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from services.cine.errors import ConfigError
from training.configuration import load_config
from training.loop import LoopConfig

Range = tuple[float, float]


@dataclass(frozen=True)
class DataConfig:
    """What is rendered.

    Attributes:
        train_subjects, calibration_subjects, test_subjects: how many; no subject is in two parts.
        first_seed: seed of the first subject.
        train_families: families of styles that training sees.
        random_share: share of the training cines whose every style factor is drawn at random.
        other_share: share of the training cines that are none of the four views, under 1.
        far_share: share of those that are no heart in B-mode at all (Doppler, M-mode, text, other organs).
        still_share: share of the training cines whose sector is found in one frame, as in a still.
        train_frames, evaluation_frames: frames a cine, spread over one beat.
        train_sizes_px: one is drawn for each training cine: side of a square picture, or null for the source's canvas.
        evaluation_styles: in how many styles each calibration and test subject shows each view, taken in turn.
        evaluation_size_px: as `train_sizes_px`, for calibration and test.
        without: what the simulator leaves out of the training cines; for ablations.
        shard_cines: cines of one cache file.
        workers: processes that render.
    """

    train_subjects: int
    calibration_subjects: int
    test_subjects: int
    first_seed: int
    train_families: tuple[str, ...]
    random_share: float
    other_share: float
    far_share: float
    still_share: float
    train_frames: int
    evaluation_frames: int
    train_sizes_px: tuple[int | None, ...]
    evaluation_styles: int
    evaluation_size_px: int | None
    without: tuple[str, ...]
    shard_cines: int
    workers: int


@dataclass(frozen=True)
class AugmentationConfig:
    """Ranges and chances of the changes that stand between simulated and real frames; chances are 0-1.

    Attributes:
        full_from: the changes grow evenly until this share of the training: all at once, a network learns nothing of
            them for hundreds of steps.
        chance: of each appearance change by itself.
        outline_chance: give the frame another frame's outline, its rim filled from there.
        colour_box_chance: lay a colour Doppler box over it, turned grey.
        marks_chance: lay text, calipers or pointers over it.
        narrow_chance, narrow_fraction: narrow the sector to this share of its opening.
        cut_chance, cut_fraction: cut this share off one side or the bottom.
        scale, stretch, shift_fraction: size, relative width and place of the picture in the square.
        rotate_deg: largest turn to either side.
        mirror_chance: left and right exchanged, as some sites show it.
        gamma: exponent of the grey curve, drawn on a logarithmic scale.
        contrast, brightness: factor of the grey about the picture's mean, and of the whole picture.
        posterise_levels: fewest and most grey levels.
        blur_px: sigma.
        resample_px: side to which the picture shrinks before it is enlarged again.
        field_db: largest smooth gain or loss.
        edge_fade_db: largest loss towards either side of the sector.
        shadows: most shadows.
        haze_grey: brightness of the ring, 0-1.
        noise: standard deviation of the multiplicative grain.
        erase_fraction: side of an erased patch over the side of the picture.
        mixing_chance, mixing_from: share of mixed batches, after this share of the training.
    """

    full_from: float
    chance: float
    outline_chance: float
    colour_box_chance: float
    marks_chance: float
    narrow_chance: float
    narrow_fraction: Range
    cut_chance: float
    cut_fraction: Range
    scale: Range
    stretch: Range
    shift_fraction: float
    rotate_deg: float
    mirror_chance: float
    gamma: Range
    contrast: Range
    brightness: Range
    posterise_levels: tuple[int, int]
    blur_px: Range
    resample_px: tuple[int, int]
    field_db: float
    edge_fade_db: float
    shadows: int
    haze_grey: Range
    noise: Range
    erase_fraction: Range
    mixing_chance: float
    mixing_from: float


@dataclass(frozen=True)
class NetworkConfig:
    """Size of the network.

    Attributes:
        stem_channels: of the first layer, at half resolution.
        channels, blocks: of each stage, at a quarter, an eighth and a sixteenth of the resolution; later stages stay.
        dropout: before the last layer.
        is_gated: whether "is it one of the four" is asked apart from "which of the four"; else all five compete.
    """

    stem_channels: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    dropout: float
    is_gated: bool


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is minimised: cross-entropy over frames.

    Attributes:
        batch_size: frames a step.
        label_smoothing: share of what is one of the four views that is spread over the four.
    """

    batch_size: int
    label_smoothing: float


@dataclass(frozen=True)
class CalibrationConfig:
    """How the answer becomes a probability, and when there is none.

    Attributes:
        families: of styles that training does not see.
        is_changed: whether those cines are changed as training frames are: as rendered they are cleaner than real ones.
        wrong_share: most cines of each view there that may be given another view's name.
        bootstrap_draws: resamplings of subjects behind each interval.
    """

    families: tuple[str, ...]
    is_changed: bool
    wrong_share: float
    bootstrap_draws: int


@dataclass(frozen=True)
class ClassifierConfig:
    """One experiment."""

    recipe: str
    data: DataConfig
    augmentation: AugmentationConfig
    network: NetworkConfig
    objective: ObjectiveConfig
    loop: LoopConfig
    calibration: CalibrationConfig


def preset_names() -> tuple[str, ...]:
    """Name the presets that come with the package."""
    return tuple(sorted(Path(entry.name).stem for entry in _folder().iterdir() if entry.name.endswith(".yaml")))


def load_preset(name: str) -> ClassifierConfig:
    """Read a preset.

    Raises:
        ConfigError: there is no such preset, or its file is wrong.
    """
    if name not in preset_names():
        raise ConfigError(
            found=f"preset {name!r}", expected=f"one of {', '.join(preset_names())}", advice="Choose one of these."
        )
    with resources.as_file(_folder() / f"{name}.yaml") as path:
        return load_config(path, ClassifierConfig)


def _folder() -> resources.abc.Traversable:
    return resources.files("training.classifier") / "presets"
