"""Pictures for people: every style with every view at both ends of the beat, and a sheet to test recognition on."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, TimeArray
from training.simulator.cine import simulate_cine
from training.simulator.studio import Order
from training.simulator.styles import STYLES
from training.simulator.variants import KINDS, VARIANTS
from training.simulator.views.aim import MIDDLE_MS
from training.simulator.views.names import PLANES, VIEW_CLASSES, VIEWS

TILE_PX = 224
PROBE_TIMES_MS: TimeArray = np.arange(0, 1440, 5.0)  # a beat of the slowest heart, in steps short against its ends
LEGEND_PX = 24
PLANE_SUBJECTS, PLANE_PX = range(2, 4), 200
QUIZ_TILES, QUIZ_COLUMNS = 40, 8
SCREEN_TILE_PX, LABEL_PX, LABEL_PAPER = 240, 18, (70, 20, 20)
VARIANT_TIMES_MS = np.array([0.0, 33.0, 1400.0])  # a strip has filled up by then


def with_legend(sheet: ByteArray, text: str) -> ByteArray:
    """A sheet [H, W, 3] BGR over a line that says that it is simulated, and what it shows."""
    strip = np.full((LEGEND_PX, sheet.shape[1], 3), LABEL_PAPER, dtype=np.uint8)
    line = f"SIMULATED, no patient. {text}"
    cv2.putText(strip, line, (6, LEGEND_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([sheet, strip]).astype(np.uint8)


def end_times_ms(seed: int, view: str) -> TimeArray:
    """When the cines of a view of a subject show end-diastole and end-systole, [2] ms."""
    rhythm = Order(seed, view, STYLES[0]).rhythm
    contraction = [rhythm.state_at(float(time_ms)).contraction for time_ms in PROBE_TIMES_MS]
    return PROBE_TIMES_MS[[int(np.argmin(contraction)), int(np.argmax(contraction))]]


def tile(seed: int, view: str, style: str, size_px: int = TILE_PX) -> tuple[ByteArray, ByteArray]:
    """Two pictures [size, size, 3] BGR of one cine: end-diastole and end-systole."""
    times_ms = end_times_ms(seed, view)
    frames = simulate_cine(seed, view, style, frame_times_ms=times_ms, size_px=size_px).frames
    return _to_bgr(frames[0]), _to_bgr(frames[1])


def style_sheet(style: str, seeds: range, size_px: int = TILE_PX, views: Sequence[str] = VIEW_CLASSES) -> ByteArray:
    """One row a subject, two columns (end-diastole, end-systole) a view; BGR."""
    rows = [np.hstack([picture for view in views for picture in tile(seed, view, style, size_px)]) for seed in seeds]
    return np.vstack(rows).astype(np.uint8)


def plane_sheet(seeds: range, planes: Sequence[str] = PLANES, size_px: int = TILE_PX, columns: int = 6) -> ByteArray:
    """Planes in turn, the subjects of `seeds` side by side in mixed styles, with plane, view and its share; BGR.

    Sweeps are shown half-way from one view to the other.
    """
    tiles = []
    for index, plane in enumerate(planes):
        for seed in seeds:
            style = STYLES[(index + seed) % len(STYLES)]
            times_ms = np.full(1, MIDDLE_MS) if plane.startswith("sweep") else end_times_ms(seed, "OTHER")[:1]
            cine = simulate_cine(seed, "OTHER", style, plane=plane, frame_times_ms=times_ms, size_px=size_px)
            shares = cine.truth.shares[0]
            text = f"{plane}: {VIEW_CLASSES[int(shares.argmax())]} {shares.max():.1f}"
            picture = _to_bgr(cine.frames[0]).copy()
            cv2.putText(picture, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 255, 255), 1, cv2.LINE_AA)
            tiles.append(picture)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(rows).astype(np.uint8)


def phase_strip(seed: int, view: str, style: str, phases: int = 8, size_px: int = TILE_PX) -> ByteArray:
    """Evenly spaced instants of one beat side by side; BGR."""
    first = simulate_cine(seed, view, style, frame_times_ms=np.zeros(1), size_px=32)
    beat_ms = 60000 / first.truth.heart_rate_bpm
    cine = simulate_cine(seed, view, style, frame_times_ms=np.arange(phases) * beat_ms / phases, size_px=size_px)
    return np.hstack([_to_bgr(frame) for frame in cine.frames]).astype(np.uint8)


def quiz_sheet(
    seed: int, styles: tuple[str, ...] = STYLES, size_px: int = TILE_PX, tiles: int = QUIZ_TILES
) -> tuple[ByteArray, list[dict[str, str | int]]]:
    """Numbered tiles of random views, styles and phases without labels, and the answers; `tiles` fills whole rows."""
    rng = np.random.default_rng(seed)
    pictures: list[ByteArray] = []
    answers: list[dict[str, str | int]] = []
    for number in range(1, tiles + 1):
        subject, view, style = int(rng.integers(1 << 20)), str(rng.choice(VIEW_CLASSES)), str(rng.choice(styles))
        cine = simulate_cine(subject, view, style, frame_times_ms=rng.uniform(0, 1000, 1), size_px=size_px)
        picture = _to_bgr(cine.frames[0]).copy()
        font, ink = cv2.FONT_HERSHEY_SIMPLEX, (0, 255, 255)
        cv2.putText(picture, str(number), (4, size_px - 6), font, 0.6, ink, 1, cv2.LINE_AA)
        pictures.append(picture)
        plane = cine.truth.plane
        answers.append({"tile": number, "view": view, "plane": plane, "style": style, "subject": subject})
    columns = min(QUIZ_COLUMNS, tiles)
    rows = [np.hstack(pictures[start : start + columns]) for start in range(0, tiles, columns)]
    return np.vstack(rows).astype(np.uint8), answers


def kind_sheet(
    variant: str, seed: int = 0, styles: tuple[str, ...] = STYLES, height_px: int = SCREEN_TILE_PX
) -> ByteArray:
    """One row a kind of a variant, one column a style, each on its own canvas; views change along; BGR."""
    rows = []
    for row, kind in enumerate(KINDS[variant]):
        tiles = []
        for column, style in enumerate(styles):
            view = VIEWS[(seed + row + column) % len(VIEWS)]
            cine = simulate_cine(
                seed + column, view, style, variant=variant, kind=kind, frame_times_ms=VARIANT_TIMES_MS
            )
            tiles.append(_screen_tile(cine.frames[-1], f"{variant} {kind}, {style} {view}", height_px))
        rows.append(np.hstack(tiles))
    return np.vstack(rows).astype(np.uint8)


def _screen_tile(frame: ByteArray, label: str, height_px: int) -> ByteArray:
    """A whole frame in a tile [height + label, 4/3 height, 3] BGR with its label under it."""
    width_px = height_px * 4 // 3
    scale = min(width_px / frame.shape[1], height_px / frame.shape[0])
    picture = cv2.resize(_to_bgr(frame), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((height_px + LABEL_PX, width_px, 3), LABEL_PAPER, dtype=np.uint8)
    tile[: picture.shape[0], : picture.shape[1]] = picture
    cv2.putText(tile, label, (4, height_px + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 255, 255), 1, cv2.LINE_AA)
    return tile


def write_sheets(out: Path, subjects: int = 5, seed: int = 0) -> list[Path]:
    """Write sheets of every style, plane and variant, `beats.png`, and `quiz.png` with its `quiz_answers.json`."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for style in STYLES:
        paths.append(out / f"{style}.png")
        cv2.imwrite(str(paths[-1]), style_sheet(style, range(seed, seed + subjects)))
    paths.append(out / "planes.png")
    planes = plane_sheet(PLANE_SUBJECTS, size_px=PLANE_PX)
    cv2.imwrite(
        str(paths[-1]),
        with_legend(planes, "Every plane in two subjects and mixed styles, with its view. Sweeps half-way."),
    )
    for variant in VARIANTS:
        paths.append(out / f"variant_{variant}.png")
        cv2.imwrite(str(paths[-1]), kind_sheet(variant, seed))
    paths.append(out / "beats.png")
    cv2.imwrite(str(paths[-1]), np.vstack([phase_strip(seed, view, STYLES[0]) for view in VIEWS]))
    quiz, answers = quiz_sheet(seed + 1)
    paths += [out / "quiz.png", out / "quiz_answers.json"]
    cv2.imwrite(str(paths[-2]), quiz)
    paths[-1].write_text(json.dumps(answers, indent=1))
    return paths


def _to_bgr(frame: ByteArray) -> ByteArray:
    """A frame [H, W, C] as BGR."""
    return np.asarray(
        cv2.cvtColor(frame, cv2.COLOR_RGB2BGR if frame.shape[2] == 3 else cv2.COLOR_GRAY2BGR), dtype=np.uint8
    )


if __name__ == "__main__":
    for written in write_sheets(Path("out/simulator")):
        print(written)
