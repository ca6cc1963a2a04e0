"""How a film crosses the border, and that nothing in it is believed."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest

from services.cine.errors import CineUnreadableError
from services.cine.film import Film, make_film
from services.cine.intake import IntakeOptions
from services.runtime import border, film_job
from tests.builders import dicom_bytes, fan_frames

SIZE_BYTES = 2**20
OPTIONS = IntakeOptions()
JOB = film_job.MakeFilm(OPTIONS)


def answer_to(data: bytes) -> bytes:
    """Run the job in this process and give what it wrote."""
    input_fd, output_fd = os.memfd_create("input"), os.memfd_create("output")
    try:
        os.write(input_fd, data)
        os.ftruncate(output_fd, SIZE_BYTES)
        job = border.encode_job(JOB, len(data), SIZE_BYTES)
        assert border.run({film_job.KIND: film_job.work}, job, input_fd, output_fd) == 0
        return os.pread(output_fd, SIZE_BYTES, 0)
    finally:
        os.close(input_fd)
        os.close(output_fd)


def decode(output: bytes) -> Film:
    return border.decode_answer(JOB, memoryview(output))


GOOD = dicom_bytes(fan_frames())
ANSWER = answer_to(GOOD)
HEADER: dict[str, Any] = json.loads(ANSWER[: border.HEADER_BYTES])


@pytest.mark.parametrize("data", [GOOD, dicom_bytes(np.full((3, 50, 60), 90, np.uint8))], ids=["sector", "none"])
def test_a_film_crosses_the_border_unchanged(data: bytes) -> None:
    there, here = decode(answer_to(data)), make_film(data, OPTIONS)
    assert np.array_equal(there.frames, here.frames)
    assert np.array_equal(there.times_ms, here.times_ms)
    if there.outline_px is None or here.outline_px is None:
        assert there.outline_px is here.outline_px
    else:
        assert np.array_equal(there.outline_px, here.outline_px)


def test_an_error_crosses_the_border() -> None:
    with pytest.raises(CineUnreadableError):
        decode(answer_to(b"no cine"))


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [[0, 120, 160], [0], [4, 2]],
        [[61, 9, 9], [61], [4, 2]],
        [[1, 481, 9], [1], [4, 2]],
        [[1, 9, 0], [1], [4, 2]],
        [[12, 120, 160], [11], [4, 2]],
        [[12, 120, 160], [12], [0, 2]],
        [[2**40, 120, 160], [12], [4, 2]],
    ],
    ids=str,
)
def test_a_false_header_is_refused(shapes: list[list[int]]) -> None:
    with pytest.raises(ValueError):
        decode(json.dumps({"shapes": shapes}).encode().ljust(border.HEADER_BYTES) + ANSWER[border.HEADER_BYTES :])


@pytest.mark.parametrize(("array", "value"), [(1, np.float64("nan")), (1, np.float64(9e9)), (2, np.float32("inf"))])
def test_times_and_outlines_out_of_their_range_are_refused(array: int, value: np.generic) -> None:
    sizes = [int(np.prod(shape)) * width for shape, width in zip(HEADER["shapes"], (1, 8, 4), strict=True)]
    output = bytearray(ANSWER)
    at = border.HEADER_BYTES + sum(sizes[:array])
    output[at : at + value.nbytes] = value.tobytes()
    with pytest.raises(ValueError, match="range"):
        decode(bytes(output))
