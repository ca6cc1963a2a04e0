"""Every encoder loses nothing, at any depth, of noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import UID, RLELossless

from services.acquisition.deidentification.encoders import ENCODERS
from services.cine.codestreams import read_header
from services.cine.dicom.codecs import decode_codestream, decode_rle

CASES = {
    "grey": ((33, 47), np.uint8, 8),
    "colour": ((33, 47, 3), np.uint8, 8),
    "12 bits": ((33, 47), np.uint16, 12),
    "16 bits": ((34, 46), np.uint16, 16),
}


def noise(name: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    shape, kind, bits = CASES[name]
    frame = np.random.default_rng(0).integers(0, 2**bits, shape).astype(kind)
    frame[:9] = 0
    return frame


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda syntax: UID(syntax).keyword)
def test_nothing_is_lost(syntax: str, name: str) -> None:
    frame = noise(name)
    data = ENCODERS[syntax](frame, CASES[name][2])
    if syntax == RLELossless:
        decoded = decode_rle(data, np.atleast_3d(frame).shape, frame.itemsize)
    else:
        header = read_header(data)
        assert header is not None
        decoded = decode_codestream(data, header, 1)
    assert decoded is not None
    np.testing.assert_array_equal(decoded.reshape(frame.shape), frame)
