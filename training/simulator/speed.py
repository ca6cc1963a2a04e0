"""How many 112x112 frames a core renders in a second, and where the time goes: `python -m training.simulator.speed`."""

import time
from collections.abc import Callable

import cv2
import numpy as np

from training.simulator.cine import simulate_cine
from training.simulator.studio import Order, set_up
from training.simulator.styles import FAMILIES
from training.simulator.views.names import VIEW_CLASSES

FRAMES, STEP_MS, SIZE_PX = 60, 20.0, 112
WANTED_FRAMES_A_SECOND = 200
BASELINE_PX, BASELINE_TURNS = 128, 400
MOST_FFTS = 20.0
"""What a frame may cost beside the baseline: 16 to 19 measured."""


def frames_a_second(style: str, view: str, seed: int = 1) -> float:
    """CPU rate of whole cines of 60 frames, without truth, the heart and everything else set up anew."""
    times_ms = np.arange(FRAMES, dtype=np.float64) * STEP_MS
    spent_s = _cpu_s(lambda: simulate_cine(seed, view, style, frame_times_ms=times_ms, size_px=SIZE_PX))
    return FRAMES / spent_s


def account_ms(style: str, view: str, seed: int = 1) -> dict[str, float]:
    """CPU time by what it goes to, ms: setting up once, then cutting, scanning and dressing each frame."""
    order = Order(seed, view, style, size_px=SIZE_PX)
    started = time.process_time()
    studio = set_up(order)
    set_up_ms = 1000 * (time.process_time() - started)
    times_ms = [float(index * STEP_MS) for index in range(FRAMES)]
    studio.picture(1e6)
    cut_s = _cpu_s(lambda: [studio.scene_at(time_ms) for time_ms in times_ms])
    scan_s = _cpu_s(lambda: [studio.scanner.scan(studio.scene_at(time_ms), time_ms) for time_ms in times_ms])
    all_s = _cpu_s(lambda: [studio.picture(time_ms) for time_ms in times_ms])
    a_frame = 1000 / FRAMES
    return {
        "set up, once": set_up_ms,
        "cut, a frame": cut_s * a_frame,
        "scan, a frame": scan_s * a_frame,
        "screen and export, a frame": (all_s - scan_s) * a_frame,
    }


def baseline_ms() -> float:
    """CPU time of one complex 128x128 FFT in NumPy, ms: what a frame is held against, whatever the machine."""
    rng = np.random.default_rng(0)
    picture = rng.standard_normal((BASELINE_PX, BASELINE_PX)) + 1j * rng.standard_normal((BASELINE_PX, BASELINE_PX))
    return 1000 / BASELINE_TURNS * _cpu_s(lambda: [np.fft.fft2(picture) for _ in range(BASELINE_TURNS)])


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> int:
    """Print rates by family and view and where the time goes; 0 if a frame costs no more than it may."""
    cv2.setNumThreads(1)
    rates, baselines_ms = [], []
    simulate_cine(0, "A4C", "camus", frame_times_ms=np.zeros(1), size_px=SIZE_PX)
    for family, styles in FAMILIES.items():
        row = [frames_a_second(styles[0], view) for view in VIEW_CLASSES]
        rates += row
        baselines_ms.append(baseline_ms())
        print(f"{family:12s} " + "  ".join(f"{v} {r:4.0f}" for v, r in zip(VIEW_CLASSES, row, strict=True)))
    median = float(np.median(rates))
    print(f"median {median:.0f} frames a CPU second ({WANTED_FRAMES_A_SECOND} asked for)")
    fft_ms = float(np.median(baselines_ms))
    print(
        f"a frame costs {1000 / median / fft_ms:.2f} complex FFTs of 128x128 in NumPy ({fft_ms:.2f} ms each, same run)"
    )
    for name, spent_ms in account_ms("camus", "A4C").items():
        print(f"  {name:28s} {spent_ms:6.2f} ms")
    return int(1000 / median / fft_ms > MOST_FFTS)


if __name__ == "__main__":
    raise SystemExit(main())
