"""Objects with sixty identities that cannot be read or cleaned: nobody's name may stand in what is said of them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

from pydicom import config, dcmread, dcmwrite, uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tests.identities import SYNTAXES, Planted, plant


def _cut(planted: Planted) -> None:
    planted.data = planted.data[: len(planted.data) // 2]


def _struck(planted: Planted) -> None:
    """Change bytes at random places of the data set; it may still be read."""
    rng, data = random.Random(planted.number), bytearray(planted.data)
    for _ in range(40):
        data[rng.randrange(400, len(data))] = rng.randrange(256)
    planted.data = bytes(data)


def _changed(planted: Planted, change: Callable[[Dataset, str], None]) -> None:
    """Write it anew with a change, for which there is one more identity."""
    dataset = dcmread(io.BytesIO(planted.data))
    change(dataset, planted.name("change"))
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    planted.data = buffer.getvalue()


def _still(dataset: Dataset, name: str) -> None:
    """Leave one frame, in which letters cannot be told from echo."""
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    dataset.NumberOfFrames, dataset.PixelData = 1, dataset.PixelData[:size]


def _with(keyword: str, representation: str) -> Callable[[Dataset, str], None]:
    def change(dataset: Dataset, name: str) -> None:
        dataset[keyword] = DataElement(keyword, representation, name, validation_mode=config.IGNORE)

    return change


def _without(keyword: str) -> Callable[[Dataset, str], None]:
    return lambda dataset, name: dataset.__delattr__(keyword)


_CHANGES: dict[str, Callable[[Dataset, str], None]] = {
    "still": _still,
    "name for a number of frames": _with("NumberOfFrames", "LO"),
    "name for rows": _with("Rows", "LO"),
    "name for colours": _with("PhotometricInterpretation", "CS"),
    "name for a modality": _with("Modality", "CS"),
    "name for a study": _with("StudyInstanceUID", "UI"),
    "name for a frame time": _with("FrameTime", "LO"),
    "no study": _without("StudyInstanceUID"),
    "no pixels": _without("PixelData"),
    "no rows": _without("Rows"),
}

KINDS = ("cut", "struck", *_CHANGES)


def break_one(number: int, kind: str) -> Planted:
    """Plant an object and make it bad in one of KINDS."""
    planted = plant(number, SYNTAXES[number % len(SYNTAXES)] if kind in ("cut", "struck") else _PLAIN)
    if kind in _CHANGES:
        _changed(planted, _CHANGES[kind])
    else:
        {"cut": _cut, "struck": _struck}[kind](planted)
    return planted


_PLAIN = str(uid.ExplicitVRLittleEndian)
