"""Variants that show one sector on the whole canvas: plain, tinted, frozen, too dark, too bright, too short."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, as_bytes
from training.simulator.studio import Adjust, Order, Studio, Take, film, in_colour, set_up
from training.simulator.styles import StyleDraw

TINTS: dict[str, tuple[tuple[int, int, int], ...]] = {
    # RGB at even steps of grey from black to white.
    "sepia": ((0, 0, 0), (82, 58, 34), (170, 132, 88), (232, 204, 160), (255, 248, 228)),
    "blue": ((0, 0, 0), (24, 48, 86), (76, 116, 172), (146, 188, 236), (236, 248, 255)),
    "green": ((0, 0, 0), (26, 66, 34), (76, 146, 84), (154, 218, 158), (240, 255, 240)),
    "amber": ((0, 0, 0), (110, 52, 0), (212, 118, 10), (250, 190, 70), (255, 246, 200)),
    "violet": ((0, 0, 0), (66, 34, 92), (142, 88, 178), (206, 166, 232), (252, 242, 255)),
    "ember": ((0, 0, 0), (96, 8, 8), (206, 62, 6), (250, 172, 34), (255, 255, 214)),
    "rainbow": ((0, 0, 20), (36, 20, 170), (0, 160, 150), (210, 200, 20), (250, 60, 20)),
}
RECORDER_NOISE_GREY = 0.7  # a video recorder's noise before it codes
JPEG_QUALITIES = (62, 74, 70, 74)  # a codec spends its bits unevenly over a group of pictures
SHORT_FRAMES = (2, 7)
SHORT_BEATS = (0.15, 0.5)


def film_plain(order: Order, adjust: Adjust | None = None) -> Take:
    """B-mode as the style has it."""
    studio = set_up(order, adjust)
    times_ms = order.frame_times_ms
    frames = film(studio, times_ms, lambda time: _picture(studio, time))
    return Take(frames, studio.screen.sector_mask, times_ms, studio)


def film_still(order: Order) -> Take:
    """One frame."""
    return film_plain(replace(order, times_ms=order.frame_times_ms[:1]))


def film_short(order: Order) -> Take:
    """Too few frames (`frames`) or too little of a beat (`part_beat`)."""
    rng, times_ms = order.rng(101), order.frame_times_ms
    if order.kind == "frames":
        kept = int(rng.integers(*SHORT_FRAMES))
    else:
        beat_ms = 60000 / order.subject.heart_rate_bpm
        kept = max(int((times_ms - times_ms[0] < rng.uniform(*SHORT_BEATS) * beat_ms).sum()), 2)
    return film_plain(replace(order, times_ms=times_ms[:kept]))


def film_tinted(order: Order) -> Take:
    """B-mode through a coloured grey map; the kind names it."""
    studio, times_ms = set_up(order, in_colour), order.frame_times_ms
    table = tint_table(order.kind)

    def draw(time_ms: float) -> ByteArray:
        picture = as_bytes(cv2.LUT(cv2.merge([studio.grey(time_ms)] * 3), table)) * studio.screen.sector_mask[..., None]
        picture |= studio.overlay
        studio.draw_cursor(picture, time_ms)
        return picture

    return Take(film(studio, times_ms, draw), studio.screen.sector_mask, times_ms, studio)


def tint_table(name: str) -> ByteArray:
    """Grey to BGR, [256, 1, 3], for `cv2.LUT`."""
    stops = np.array(TINTS[name], dtype=np.float64)
    grey = np.linspace(0, 255, len(stops))
    ramp = [np.interp(np.arange(256), grey, stops[:, channel]) for channel in (2, 1, 0)]
    return np.stack(ramp, axis=1).astype(np.uint8)[:, None]


def film_frozen(order: Order) -> Take:
    """One instant again and again: untouched, under a running ECG cursor or clock, or with a codec's noise."""
    studio, times_ms = set_up(order, _with_ecg if order.kind == "ecg" else None), order.frame_times_ms
    held_ms = float(times_ms[0])
    still = studio.picture(held_ms)
    live: dict[str, Callable[[ByteArray, float], ByteArray]] = {
        "plain": lambda picture, _: _with_cursor(studio, picture, held_ms),
        "ecg": lambda picture, time: _with_cursor(studio, picture, time),
        "clock": lambda picture, time: _with_clock(studio, _with_cursor(studio, picture, held_ms), time),
        "codec": lambda picture, time: _coded(_with_cursor(studio, picture, held_ms), order, time),
    }
    frames = film(studio, times_ms, lambda time: live[order.kind](still.copy(), time))
    return Take(frames, studio.screen.sector_mask, times_ms, studio, is_held=True)


def film_black(order: Order) -> Take:
    """Almost nothing to see: the gain is down, or the probe is off the chest and only rings."""
    return film_plain(order, _gain_down(order.rng(103)) if order.kind == "gain" else _off_chest(order.rng(103)))


def film_saturated(order: Order) -> Take:
    """Far too much gain: of the echo, or of the receiver's noise with it."""
    rng = order.rng(107)
    noise_db = 0.0 if order.kind == "gain" else float(rng.uniform(14, 24))
    grey = float(rng.uniform(0.65, 0.95))

    def adjust(drawn: StyleDraw) -> StyleDraw:
        scanner = drawn.scanner
        return replace(
            drawn,
            scanner=replace(
                scanner,
                muscle_grey_fraction=scanner.muscle_grey_fraction + grey,
                noise_db=scanner.noise_db + noise_db,
                edge_loss_db=(0.0, 0.0),
            ),
        )

    return film_plain(order, adjust)


def _picture(studio: Studio, time_ms: float) -> ByteArray:
    return _with_cursor(studio, studio.picture(time_ms), time_ms)


def _with_cursor(studio: Studio, picture: ByteArray, time_ms: float) -> ByteArray:
    studio.draw_cursor(picture, time_ms)
    return picture


def _with_ecg(drawn: StyleDraw) -> StyleDraw:
    return replace(drawn, overlays=drawn.overlays | {"ecg"})


def _with_clock(studio: Studio, picture: ByteArray, time_ms: float) -> ByteArray:
    """Write the time of day, to the hundredth, at the upper right, outside the sector."""
    height, width = picture.shape[:2]
    text = f"12:07:{30 + time_ms / 1000:05.2f}"
    ink = np.zeros((height, width), dtype=np.uint8)
    scale = max(height / 1100, 0.22)
    cv2.putText(
        ink, text, (int(width - 205 * scale), int(34 * scale)), cv2.FONT_HERSHEY_SIMPLEX, scale, 255.0, 1, cv2.LINE_AA
    )
    ink[studio.screen.sector_mask] = 0
    return np.maximum(picture, ink[..., None])


def _coded(picture: ByteArray, order: Order, time_ms: float) -> ByteArray:
    """A picture [H, W, C] after a recorder's noise and a JPEG whose quality changes from frame to frame."""
    tick = round(time_ms * 1000) & 0x7FFFFFFF
    rng = np.random.default_rng([*order.recording, 105, tick])
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(RECORDER_NOISE_GREY)
    noisy = np.clip(np.rint(picture + noise * (picture > 0)), 0, 255).astype(np.uint8)
    quality = JPEG_QUALITIES[tick % len(JPEG_QUALITIES)]
    coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return as_bytes(np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED))).reshape(picture.shape)


def _gain_down(rng: np.random.Generator) -> Adjust:
    """Overall gain 45-70 % of the grey scale too low."""
    down = float(rng.uniform(0.45, 0.7))
    return lambda drawn: replace(
        drawn,
        scanner=replace(drawn.scanner, muscle_grey_fraction=drawn.scanner.muscle_grey_fraction - down),
        export=replace(drawn.export, lift_grey=0.0),
    )


def _off_chest(rng: np.random.Generator) -> Adjust:
    """Air before the probe: a bright band of ringing, then nothing but weak noise."""
    ring_db, noise_db = float(rng.uniform(4, 10)), float(rng.uniform(-58, -46))

    def adjust(drawn: StyleDraw) -> StyleDraw:
        scanner = replace(
            drawn.scanner,
            near_clutter_db=ring_db,
            cavity_clutter_db=-70.0,
            noise_db=noise_db,
            tgc_error_db=(-35.0, -70.0, -90.0),
            shadows=(),
        )
        return replace(drawn, scanner=scanner, export=replace(drawn.export, lift_grey=0.0))

    return adjust
