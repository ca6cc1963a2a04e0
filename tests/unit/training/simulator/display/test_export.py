"""An export loses what its settings say, in the sector only, and the same at the same time."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from training.simulator.arrays import ByteArray
from training.simulator.display.export import conversion, dress, tint
from training.simulator.display.screen import Screen, lay_out
from training.simulator.sources.recipes import Codec, Kernel
from training.simulator.styles import STYLES, Export, StyleDraw, draw_style

BARE = Export(Codec.NONE, 95, 1.0, Kernel.LINEAR, 0.0, 0.0, 0.0, 256, 0.0, (255, 255, 255))
PLAIN = replace(draw_style("gif_clip", (3, 1, 1)).without_zoom(), width_px=240, height_px=240, export=BARE)
SEED = (3, 1, 1)


def texture(screen: Screen) -> ByteArray:
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((screen.height_px, screen.width_px)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.0)
    return np.clip(90 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def dressed(style: StyleDraw, time_ms: float = 20.0) -> tuple[ByteArray, ByteArray]:
    """What an export makes of a texture, and that texture."""
    screen = lay_out(style, None)
    grey = texture(screen)
    return dress(grey, screen, style, SEED, time_ms), grey * screen.sector_mask


def detail(picture: ByteArray) -> float:
    return float(np.abs(cv2.Laplacian(picture.astype(np.float32), cv2.CV_32F))[80:160, 80:160].mean())


def test_a_bare_export_changes_nothing() -> None:
    after, before = dressed(PLAIN)
    assert np.array_equal(after, before)


@pytest.mark.parametrize(
    "loss",
    [
        {"resample": 0.5},
        {"blur_px": 1.5},
        {"codec": Codec.H264, "quality": 30},
    ],
    ids=["fewer pixels", "blur", "h264"],
)
def test_losses_take_detail(loss: dict[str, float]) -> None:
    after, before = dressed(replace(PLAIN, export=replace(BARE, **loss)))  # type: ignore[arg-type]
    assert detail(after) < 0.85 * detail(before)
    assert after.mean() == pytest.approx(before.mean(), rel=0.05)


def test_coarser_coding_changes_more() -> None:
    changes = []
    for quality in (95, 60, 15):
        after, before = dressed(replace(PLAIN, export=replace(BARE, codec=Codec.JPEG, quality=quality)))
        changes.append(np.abs(after.astype(int) - before).mean())
    assert 0 < changes[0] < 0.5 * changes[1] < 0.5 * changes[2]


def test_few_shades_are_left_and_black_is_lifted() -> None:
    inside = lay_out(PLAIN, None).sector_mask
    shades, _ = dressed(replace(PLAIN, export=replace(BARE, grey_levels=16)))
    assert len(np.unique(shades)) <= 16
    lifted, before = dressed(replace(PLAIN, export=replace(BARE, lift_grey=30.0)))
    assert lifted[inside].min() >= 30
    assert (np.diff(lifted[inside][np.argsort(before[inside])].astype(int)) >= 0).all()


def test_a_tape_trembles_from_frame_to_frame_and_repeats_itself() -> None:
    tape = replace(PLAIN, export=replace(BARE, line_jitter_px=1.0, noise_grey=6.0))
    first, again, later = dressed(tape)[0], dressed(tape)[0], dressed(tape, 60.0)[0]
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - later).mean() > 2


@pytest.mark.parametrize("style", [*STYLES, "random"])
def test_nothing_spills_out_of_the_sector(style: str) -> None:
    for seed in range(4):
        drawn = draw_style(style, (seed, 2, 4))
        screen = lay_out(drawn, 112)
        picture = dress(texture(screen), screen, drawn, SEED, 20.0)
        assert picture.dtype == np.uint8
        assert not picture[~screen.sector_mask].any()
        assert picture[screen.sector_mask].std() > 5


def test_a_small_picture_of_a_large_export_shows_no_blocks() -> None:
    coarse = replace(PLAIN, width_px=1024, height_px=768, export=replace(BARE, codec=Codec.JPEG, quality=10))
    screen = lay_out(coarse, 112)
    grey = texture(screen)
    assert np.array_equal(dress(grey, screen, coarse, SEED, 0.0), grey * screen.sector_mask)


def test_a_tint_colours_white_and_keeps_black() -> None:
    style = replace(PLAIN, channels=3, export=replace(BARE, tint=(255, 240, 214)))
    ramp = np.arange(256, dtype=np.uint8)[None]
    assert tint(ramp, style)[0, [0, 255]].tolist() == [[0, 0, 0], [214, 240, 255]]
    assert tint(ramp, replace(style, channels=1)).shape == (1, 256, 1)


def test_only_small_pictures_leave_pixels_out() -> None:
    sampled = replace(PLAIN, export=replace(BARE, kernel=Kernel.NEAREST))
    assert conversion(sampled, lay_out(sampled, 112)) == cv2.INTER_NEAREST
    assert conversion(sampled, lay_out(replace(sampled, width_px=640, height_px=480), None)) == cv2.INTER_LINEAR
    assert conversion(PLAIN, lay_out(PLAIN, 112)) == cv2.INTER_LINEAR
