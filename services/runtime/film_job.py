"""The job that makes one cine fit for a person to look at, and how the film crosses the border."""

from __future__ import annotations

import mmap

import numpy as np

from services.cine.film import MOST_FRAMES, MOST_SIDE_PX, Film, make_film
from services.runtime.border import Header, Layout, read_arrays, write_arrays
from services.runtime.cine_job import CineJob, decode_options

KIND = "film"

_ARRAYS: Layout = {
    "frames": (np.uint8, (None, None, None)),
    "times_ms": (np.float64, (None,)),
    "outline_px": (np.float32, (None, 2)),
}


class MakeFilm(CineJob):
    """Make one cine fit to be looked at."""

    kind = KIND

    def decode(self, header: Header, body: memoryview) -> Film:
        """Give the film that a child made; the arrays are copies."""
        arrays = read_arrays(header, body, _ARRAYS)
        film = Film(arrays["frames"], arrays["times_ms"], arrays["outline_px"] if len(arrays["outline_px"]) else None)
        _check(film)
        return film


def work(data: memoryview, options: Header, body: mmap.mmap) -> Header:
    """Make a film; the child's side of the job."""
    film = make_film(data, decode_options(options))
    outline_px = np.empty((0, 2), np.float32) if film.outline_px is None else film.outline_px
    return write_arrays(body, _ARRAYS, [film.frames, film.times_ms, outline_px])


def _check(film: Film) -> None:
    count, *sides = film.frames.shape
    if not 1 <= count <= MOST_FRAMES or not all(1 <= side <= MOST_SIDE_PX for side in sides):
        raise ValueError("frames of an impossible size")
    times_ms = film.times_ms
    if len(times_ms) != count or not (
        np.isfinite(times_ms).all() and times_ms[0] >= 0 and (np.diff(times_ms) >= 0).all()
    ):
        raise ValueError("times out of their range")
    if film.outline_px is None:
        if film.frames.any():
            raise ValueError("pixels without a sector")
    elif not np.isfinite(film.outline_px).all():
        raise ValueError("an outline out of its range")
