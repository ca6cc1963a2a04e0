"""Render the simulator's cines, put them through the service's own preprocessing, and keep the result on disk.

Rendering is done once a configuration: shards that are there are not made again, so a killed run goes on.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import (
    BoolArray,
    Cine,
    CineFormat,
    FloatArray,
    IntArray,
    TimingSource,
    UInt8Array,
    reduce_frame,
)
from services.cine.preprocessing import preprocess_cine, preprocessing_fingerprint, to_frames
from services.cine.sector import Sector, find_sector
from training.classifier.config import ClassifierConfig
from training.classifier.simulation import CineOrder, LabelledCine, simulate
from training.classifier.splits import Split, order_cines
from training.progress import show_progress
from training.simulator.cine import SimulatedCine
from training.simulator.sets.fingerprint import simulator_fingerprint

NameArray = NDArray[np.str_]
Simulate = Callable[[CineOrder], LabelledCine]


@dataclass(frozen=True)
class FrameSet:
    """Frames ready for training; every array has one entry a frame.

    Attributes:
        frames: [N, 112, 112] uint8, black outside the sector.
        shares: of each of ANSWERED_VIEWS, [N, K] float32, rows summing to 1.
        styles, planes: names, [N].
        traits: as `LabelledCine.traits`, [N, 3].
        subjects: seed of the heart.
        cines: which cine, rising from 0.
        is_sector_found: False where the service's code found no sector and the true one was used.
    """

    frames: UInt8Array
    shares: FloatArray
    styles: NameArray
    planes: NameArray
    traits: FloatArray
    subjects: IntArray
    cines: IntArray
    is_sector_found: BoolArray

    def take(self, chosen: BoolArray) -> FrameSet:
        """Keep some frames, and number the cines that are left through; those without any frame left are gone."""
        kept = {name: values[chosen] for name, values in vars(self).items()}
        kept["cines"] = np.unique(kept["cines"], return_inverse=True)[1]
        return FrameSet(**kept)


def load_frames(split: Split, config: ClassifierConfig, cache_folder: Path) -> FrameSet:
    """Give a split's frames, rendering what is not in the cache.

    Args:
        split: which.
        config: what to render.
        cache_folder: where shards are kept; one folder below it for each recipe of data.

    Returns:
        The frames in the order of `order_cines`.
    """
    orders = order_cines(split, config)
    return load_rendered(split.value, orders, (config.data.shard_cines, config.data.workers), cache_folder)


def load_rendered(name: str, orders: tuple[CineOrder, ...], work: tuple[int, int], cache_folder: Path) -> FrameSet:
    """Give the frames of some cines in their order, rendering what is not in the cache.

    Args:
        name: first part of the folder's name.
        orders: which cines.
        work: cines of one file, and processes that render.
        cache_folder: where shards are kept; one folder below it for each list of orders.
    """
    size, workers = work
    pieces = [orders[start : start + size] for start in range(0, len(orders), size)]
    folder = cache_folder / f"{name}-{_digest(orders)}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"shard-{index:04d}-of-{len(pieces):04d}.npz" for index in range(len(pieces))]
    missing = [(piece, path) for piece, path in zip(pieces, paths, strict=True) if not path.exists()]
    _render_all(missing, workers, f"rendering {name}")
    return _join([_read(path) for path in paths])


def prepare(cine: SimulatedCine, is_still: bool = False) -> tuple[UInt8Array, bool]:
    """Take a simulated cine the way the service takes a real one; of a curve or line over time the strip itself.

    The service rejects those before a model is asked. The small B-mode picture beside a strip shows a view: only the
    strip is none.

    Args:
        cine: frames and their true sector.
        is_still: whether its sector is found in the first frame alone, as in a still.

    Returns:
        Frames [T, 112, 112], and whether the service's code found the sector (else the simulator's own is used).
    """
    rows, columns = cine.frames.shape[1:3]
    held = Cine(
        format=CineFormat.AVI,
        rows=rows,
        columns=columns,
        frame_times_ms=cine.frame_times_ms,
        timing_source=TimingSource.CONTAINER,
        regions=(),
        is_ultrasound=True,
        store=_InMemory(cine.frames),
    )
    every = np.arange(held.frame_count)
    thumbnails = held.thumbnails()
    if cine.truth.strip_px is not None:
        return to_frames(preprocess_cine(held, _box(cine.truth.strip_px, rows, columns), every)), True
    sector = find_sector(thumbnails[:1] if is_still else thumbnails, rows, columns)
    used = sector if sector is not None else _true_sector(cine.truth.sector_mask)
    return to_frames(preprocess_cine(held, used, every)), sector is not None


def render(orders: Iterable[CineOrder], simulate_one: Simulate = simulate) -> FrameSet:
    """Render and prepare cines in this process."""
    parts = []
    for order in orders:
        shown = simulate_one(order)
        frames, is_found = prepare(shown.cine, order.is_still)
        count = len(frames)
        parts.append(
            FrameSet(
                frames=frames,
                shares=shown.shares,
                styles=np.full(count, order.style),
                planes=np.full(count, shown.plane),
                traits=np.tile(shown.traits, (count, 1)),
                subjects=np.full(count, order.subject),
                cines=np.zeros(count, np.int64),
                is_sector_found=np.full(count, is_found),
            )
        )
    return _join(parts)


class _InMemory:
    """Frames that are decoded already, behind the interface of those that are not."""

    def __init__(self, frames: UInt8Array) -> None:
        self._frames = frames

    def colour(self, index: int, reduction: int) -> UInt8Array:
        return reduce_frame(np.broadcast_to(self._frames[index], (*self._frames.shape[1:3], 3)), reduction)

    def grey(self, index: int, reduction: int) -> UInt8Array:
        frame = self._frames[index]
        grey = frame[..., 0] if frame.shape[-1] == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        return reduce_frame(np.asarray(grey, np.uint8), reduction)


def _box(box_px: tuple[int, int, int, int], rows: int, columns: int) -> Sector:
    """Give left, top, right, bottom as an outline."""
    left, top, right, bottom = box_px
    corners = np.array([[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]], np.float32)
    return Sector(corners, rows, columns)


def _true_sector(mask: BoolArray) -> Sector:
    """Give the outline of a mask; of a cine without any sector the whole frame."""
    if not mask.any():
        mask = np.ones_like(mask)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    return Sector(hull[:, 0, :].astype(np.float32), *mask.shape)  # [K, 1, 2] -> [K, 2]


def _render_all(missing: list[tuple[tuple[CineOrder, ...], Path]], workers: int, title: str) -> None:
    if not missing:
        return
    total = sum(len(piece) for piece, _ in missing)
    with show_progress(title, total) as advance:
        if workers == 0:
            for piece, path in missing:
                _render_shard(piece, path)
            advance(total, "cines")
            return
        done = 0
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for future in as_completed([pool.submit(_render_shard, piece, path) for piece, path in missing]):
                done += future.result()
                advance(done, "cines")


def _render_shard(orders: tuple[CineOrder, ...], path: Path) -> int:
    """Render one shard and put it on disk, whole or not at all; returns the number of cines."""
    cv2.setNumThreads(1)
    half_done = path.with_name(f"{path.name}.{os.getpid()}.part")
    with half_done.open("wb") as file:
        np.savez(file, **vars(render(orders)))
    half_done.replace(path)
    return len(orders)


def _read(path: Path) -> FrameSet:
    with np.load(path, allow_pickle=False) as arrays:
        return FrameSet(**{name: arrays[name] for name in arrays.files})


def _join(parts: list[FrameSet]) -> FrameSet:
    """Put sets one after the other and number their cines through."""
    joined = {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
    ends = np.cumsum([0, *(int(part.cines[-1]) + 1 for part in parts)])
    joined["cines"] = np.concatenate([part.cines + start for part, start in zip(parts, ends[:-1], strict=True)])
    return FrameSet(**joined)


def _digest(orders: tuple[CineOrder, ...]) -> str:
    """Name a cache folder by what is ordered and by what simulator and preprocessing do today."""
    text = json.dumps([asdict(order) for order in orders])
    return hashlib.sha256(f"{text}{simulator_fingerprint()}{preprocessing_fingerprint()}".encode()).hexdigest()[:16]
