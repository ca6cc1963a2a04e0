"""Films: cut to the sector, kept for a while, named by what nobody can guess."""

from __future__ import annotations

import asyncio
import threading

import cv2
import numpy as np
import pytest

from services.acquisition.console.films import Films, Reel
from services.cine.cine import FloatArray
from services.cine.errors import CineUnreadableError, Reason
from services.cine.film import Film

OUTLINE = np.array([[40, 20], [70, 60], [20, 60]], np.float32)


def film(count: int = 3, outline: FloatArray | None = OUTLINE) -> Film:
    frames = np.zeros((count, 80, 100), np.uint8)
    frames[:, 30:50, 35:45] = np.arange(count)[:, None, None] * 40 + 100
    return Film(frames, np.arange(count, dtype=np.float64) * 40.0, outline)


def unreadable(data: bytes) -> Film:
    raise CineUnreadableError(Reason.PIXELS_DAMAGED, found="a", expected="b", advice="C.")


def test_a_reel_is_the_film_cut_to_its_sector() -> None:
    reel = Reel.of(film())
    assert (reel.columns, reel.rows) == (70 - 20 + 1 + 12, 60 - 20 + 1 + 12)
    assert reel.outline_px == ((26.0, 6.0), (56.0, 46.0), (6.0, 46.0))
    assert reel.times_ms == (0.0, 40.0, 80.0)
    for frame, shown in zip(film().frames, reel.frames, strict=True):
        pixels = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.abs(pixels.astype(int) - frame[14:67, 14:77]).mean() < 3


def test_a_sector_at_the_edge_is_cut_within_the_picture() -> None:
    reel = Reel.of(film(outline=np.array([[0, 0], [99, 0], [50, 79]], np.float32)))
    assert (reel.columns, reel.rows, reel.outline_px[0]) == (100, 80, (0.0, 0.0))


def test_without_a_sector_nothing_is_shown() -> None:
    assert Reel.of(film(outline=None)).frames == ()


async def test_the_newest_films_are_kept() -> None:
    films = Films(lambda data: film(), most=2)
    names = [films.begin(b"") for _ in range(3)]
    kept = [await films.get(name) for name in names]
    assert [reel is not None for reel in kept] == [False, True, True]
    assert len(set(names)) == 3
    films.close()
    assert await films.get(names[2]) is None


async def test_a_film_that_is_dropped_while_it_is_waited_for_is_none() -> None:
    going = threading.Event()

    def read(data: bytes) -> Film:
        going.wait(20)
        return film()

    films = Films(read, most=2)
    name = films.begin(b"")
    waiting = asyncio.create_task(films.get(name))
    await asyncio.sleep(0)
    films.drop(name)
    going.set()
    assert await waiting is None


async def test_what_cannot_be_read_is_told_to_who_asks() -> None:
    films = Films(unreadable, most=2)
    with pytest.raises(CineUnreadableError):
        await films.get(films.begin(b""))
