"""Pictures for people: every style with every view at both ends of the beat, and a sheet to test recognition on."""

import json
from pathlib import Path

import cv2
import numpy as np

from training.simulator.arrays import ByteArray
from training.simulator.cine import simulate_cine
from training.simulator.planes import VIEWS
from training.simulator.styles import STYLES

TILE_PX = 224
PROBE_TIMES_MS = np.arange(0, 1200, 60.0)
QUIZ_TILES, QUIZ_COLUMNS = 40, 8


def tile(seed: int, view: str, style: str, size_px: int = TILE_PX) -> tuple[ByteArray, ByteArray]:
    """Two pictures [size, size, 3] BGR of one cine: end-diastole and end-systole."""
    probe = simulate_cine(seed, view, style, frame_times_ms=PROBE_TIMES_MS, size_px=32)
    times_ms = PROBE_TIMES_MS[[probe.truth.ed_frame, probe.truth.es_frame]]
    frames = simulate_cine(seed, view, style, frame_times_ms=times_ms, size_px=size_px).frames
    return _to_bgr(frames[0]), _to_bgr(frames[1])


def style_sheet(style: str, seeds: range, size_px: int = TILE_PX, views: tuple[str, ...] = VIEWS) -> ByteArray:
    """One row a subject, two columns (end-diastole, end-systole) a view; BGR."""
    rows = [np.hstack([picture for view in views for picture in tile(seed, view, style, size_px)]) for seed in seeds]
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
        subject, view, style = int(rng.integers(1 << 20)), str(rng.choice(VIEWS)), str(rng.choice(styles))
        cine = simulate_cine(subject, view, style, frame_times_ms=rng.uniform(0, 1000, 1), size_px=size_px)
        picture = _to_bgr(cine.frames[0]).copy()
        font, ink = cv2.FONT_HERSHEY_SIMPLEX, (0, 255, 255)
        cv2.putText(picture, str(number), (4, size_px - 6), font, 0.6, ink, 1, cv2.LINE_AA)
        pictures.append(picture)
        variety = cine.truth.variety
        answers.append({"tile": number, "view": view, "variety": variety, "style": style, "subject": subject})
    columns = min(QUIZ_COLUMNS, tiles)
    rows = [np.hstack(pictures[start : start + columns]) for start in range(0, tiles, columns)]
    return np.vstack(rows).astype(np.uint8), answers


def write_sheets(out: Path, subjects: int = 5, seed: int = 0) -> list[Path]:
    """Write `<style>.png` for every style, `beats.png`, `quiz.png` and `quiz_answers.json`."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for style in STYLES:
        paths.append(out / f"{style}.png")
        cv2.imwrite(str(paths[-1]), style_sheet(style, range(seed, seed + subjects)))
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
