"""Pictures that are no echocardiogram: photographs, test cards, X-ray, CT, moving shapes, noise, other ultrasound."""

from collections.abc import Callable

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.films.canvas import Canvas, open_canvas
from training.simulator.films.other_ultrasound import scan_convex, scan_linear
from training.simulator.scanner.speckle import CLOUD_PX, cloud
from training.simulator.studio import Order, Take

Draw = Callable[[float], ByteArray]  # time in ms to a screen [H, W, 3] BGR
CARD_INKS = ((192, 192, 192), (0, 192, 192), (192, 192, 0), (0, 192, 0), (192, 0, 192), (0, 0, 192), (192, 0, 0))
SHAPES = 9
BREATH_MS = 3600.0


def film_foreign(order: Order) -> Take:
    """A cine of something else; no cardiac sector, though `convex` shows the abdomen in a fan."""
    canvas = open_canvas(order)
    draw = _SCENES[order.kind](canvas, order)
    frames = canvas.frames(len(order.frame_times_ms))
    for frame, time_ms in zip(frames, order.frame_times_ms, strict=True):
        frame[:] = canvas.export(draw(float(time_ms)))
    mask = np.zeros(frames.shape[1:3], dtype=np.bool_)
    return Take(frames, mask, order.frame_times_ms, None, sectors=0)


def _texture(canvas: Canvas, rng: np.random.Generator, sigmas: tuple[float, ...] = (4.0, 14.0, 40.0)) -> Float32Array:
    """Uneven brightness of several sizes over twice the screen, [2 H, 2 W], about 0 +- 1."""
    total = np.zeros((2 * canvas.height_px, 2 * canvas.width_px), dtype=np.float32)
    for sigma in sigmas:
        field = np.roll(cloud(sigma), tuple(rng.integers(0, CLOUD_PX, 2).tolist()), axis=(0, 1))
        total += as_float32(cv2.resize(field, total.shape[::-1], interpolation=cv2.INTER_LINEAR))
    return as_float32(total / np.sqrt(len(sigmas)))


def _photo(canvas: Canvas, order: Order) -> Draw:
    """A landscape under a sky, the camera moving slowly across it."""
    rng, height, width = order.rng(151), canvas.height_px, canvas.width_px
    texture = _texture(canvas, rng)
    down = np.linspace(0, 1, 2 * height, dtype=np.float32)[:, None]
    ridge = 0.42 + 0.06 * texture[height // 2][None]  # [1, 2 W], share of the height
    is_land = (down > ridge)[..., None]
    sky = np.stack(
        [235 - 90 * down + 0 * texture, 200 - 40 * down + 8 * texture, 150 + 90 * down + 12 * texture], axis=2
    )
    soil = rng.uniform(0.5, 1.1, 3).astype(np.float32) * np.array([60, 110, 90], dtype=np.float32)
    land = soil * (1 + 0.45 * texture[..., None]) * (1.3 - 0.5 * down[..., None])
    scene = np.clip(np.where(is_land, land, sky), 0, 255).astype(np.uint8)
    centre = (int(rng.uniform(0.4, 1.4) * width), int(0.5 * height))
    cv2.circle(scene, centre, height // 9, (120, 220, 250), -1, cv2.LINE_AA)

    def draw(time_ms: float) -> ByteArray:
        left, top = (
            int(width * (0.5 + 0.4 * np.sin(time_ms / 2500))),
            int(height * (0.4 + 0.1 * np.sin(time_ms / 1700))),
        )
        return scene[top : top + height, left : left + width]

    return draw


def _gradient(canvas: Canvas, order: Order) -> Draw:
    """Two colours that run into each other and turn."""
    inks = order.rng(151).integers(0, 256, (2, 3)).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : canvas.height_px * 1j, -1 : 1 : canvas.width_px * 1j].astype(np.float32)

    def draw(time_ms: float) -> ByteArray:
        share = 0.5 + 0.35 * (x * np.cos(time_ms / 900) + y * np.sin(time_ms / 900))
        return as_bytes(np.clip(inks[0] + (inks[1] - inks[0]) * share[..., None], 0, 255).astype(np.uint8))

    return draw


def _test_card(canvas: Canvas, order: Order) -> Draw:
    """Colour bars, a grey staircase, a circle and a grid, with a running second hand."""
    width, height = canvas.width_px, canvas.height_px
    card = canvas.blank()
    edges = np.linspace(0, width, 8).astype(int)
    for left, right, ink in zip(edges[:-1], edges[1:], CARD_INKS, strict=True):
        card[: int(0.66 * height), left:right] = ink
    steps = np.linspace(0, 255, 11).astype(np.uint8)
    card[int(0.66 * height) :] = np.repeat(steps, -(-width // 11))[:width][None, :, None]
    for x in range(0, width, max(width // 16, 1)):
        cv2.line(card, (x, 0), (x, height), (255, 255, 255), 1)
    centre, radius = (width // 2, height // 2), int(0.4 * height)
    cv2.circle(card, centre, radius, (255, 255, 255), 2, cv2.LINE_AA)

    def draw(time_ms: float) -> ByteArray:
        picture, turn = card.copy(), 2 * np.pi * time_ms / 4000
        tip = (int(centre[0] + radius * np.sin(turn)), int(centre[1] - radius * np.cos(turn)))
        cv2.line(picture, centre, tip, (0, 0, 0), 3, cv2.LINE_AA)
        return picture

    return draw


def _xray(canvas: Canvas, order: Order) -> Draw:
    """A chest in projection: dark lungs between ribs, a pale heart, the breath moving them."""
    rng, height, width = order.rng(151), canvas.height_px, canvas.width_px
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    x = x * np.float32(width / height)
    grain = _texture(canvas, rng, (4.0,))[:height, :width]

    def draw(time_ms: float) -> ByteArray:
        breath = 0.03 * float(np.sin(2 * np.pi * time_ms / BREATH_MS))
        left, right = (_disc(x, y, (side * 0.42, -0.05, 0.3 + breath, 0.66 + 2 * breath)) for side in (-1, 1))
        ribs = 0.5 + 0.5 * np.cos(26 * (y + 0.35 * x**2) - 3 * breath)
        light = 0.78 * _disc(x, y, (0.0, 0.1, 0.95, 1.2)) - 0.5 * np.maximum(left, right) * (1 - 0.28 * ribs)
        light += 0.35 * _disc(x, y, (0.12, 0.28, 0.28, 0.3)) + 0.14 * np.exp(-((x / 0.08) ** 2)) + 0.02 * grain
        return _grey(light)

    return draw


def _ct(canvas: Canvas, order: Order) -> Draw:
    """Slices through a trunk, one after the other: a disc with bone, organs and gas."""
    rng, height, width = order.rng(151), canvas.height_px, canvas.width_px
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    x = x * np.float32(width / height)
    organs = [(*rng.uniform(-0.45, 0.45, 2), *rng.uniform(0.1, 0.3, 2), *rng.uniform(-0.35, 0.25, 1)) for _ in range(9)]
    grain = _texture(canvas, rng, (4.0,))[:height, :width]

    def draw(time_ms: float) -> ByteArray:
        body = _disc(x, y, (0.0, 0.0, 0.92, 0.7))
        light = 0.3 * body + 0.22 * _disc(x, y, (0.0, 0.0, 0.86, 0.64))
        for number, (cx, cy, rx, ry, gain) in enumerate(organs):
            swell = np.float32(0.7 + 0.4 * np.sin(time_ms / 900 + number))
            light += gain * _disc(x, y, (cx, cy, rx * swell, ry * swell)) * body
        light += (
            0.5 * _disc(x, y, (0.0, 0.42, 0.12, 0.1)) - 0.3 * _disc(x, y, (0.0, 0.42, 0.04, 0.04)) + 0.03 * grain * body
        )
        return _grey(light)

    return draw


def _shapes(canvas: Canvas, order: Order) -> Draw:
    """Coloured discs and boxes that cross the screen and bounce."""
    rng, size = order.rng(151), np.array([canvas.width_px, canvas.height_px])
    start, speed = rng.uniform(0, 2, (SHAPES, 2)), rng.uniform(-0.5, 0.5, (SHAPES, 2))
    inks = rng.integers(40, 256, (SHAPES, 3)).tolist()
    radii = (rng.uniform(0.04, 0.16, SHAPES) * canvas.height_px).astype(int).tolist()
    paper = rng.integers(0, 90, 3).tolist()

    def draw(time_ms: float) -> ByteArray:
        picture = canvas.blank()
        picture[:] = paper
        places = (np.abs((start + speed * time_ms / 1000) % 2 - 1) * size).astype(int).tolist()
        for number, (x, y) in enumerate(places):
            radius, ink = radii[number], inks[number]
            if number % 2:
                cv2.circle(picture, (x, y), radius, ink, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(picture, (x - radius, y - radius), (x + radius, y + radius), ink, -1)
        return picture

    return draw


def _noise(canvas: Canvas, order: Order) -> Draw:
    """A screen of noise without a signal."""

    def draw(time_ms: float) -> ByteArray:
        rng = np.random.default_rng([*order.recording, 157, round(time_ms * 1000) & 0x7FFFFFFF])
        grain = rng.integers(0, 256, (canvas.height_px // 2, canvas.width_px // 2), dtype=np.uint8)
        wide = cv2.resize(grain, (canvas.width_px, canvas.height_px), interpolation=cv2.INTER_LINEAR)
        return as_bytes(cv2.cvtColor(wide, cv2.COLOR_GRAY2BGR))

    return draw


def _disc(x: Float32Array, y: Float32Array, place: tuple[float, float, float, float]) -> Float32Array:
    """An ellipse with a soft edge, 0-1: `place` is centre x, y and half axes x, y."""
    radius = np.sqrt(((x - place[0]) / place[2]) ** 2 + ((y - place[1]) / place[3]) ** 2)
    return as_float32(np.clip((1 - radius) * 14, 0, 1))


def _grey(light: Float32Array) -> ByteArray:
    """Light 0-1 [H, W] as BGR [H, W, 3]."""
    return as_bytes(cv2.cvtColor(as_bytes((np.clip(light, 0, 1) * 255).astype(np.uint8)), cv2.COLOR_GRAY2BGR))


_SCENES: dict[str, Callable[[Canvas, Order], Draw]] = {
    "photo": _photo,
    "gradient": _gradient,
    "test_card": _test_card,
    "xray": _xray,
    "ct": _ct,
    "shapes": _shapes,
    "noise": _noise,
    "linear": scan_linear,
    "convex": scan_convex,
}
