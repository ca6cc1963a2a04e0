"""Sixty identities planted in each object, and none found afterwards: not in the file, an error or a log."""

from __future__ import annotations

import io
import logging
import traceback

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import UID

from services.acquisition.deidentification.deidentify import deidentify
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.errors import IdentityRemainsError
from services.cine.reading import read_cine
from tests.identities import IDENTITIES, SYNTAXES, Planted, found_in, plant

PSEUDONYMS = Pseudonyms(bytes(32))


def cleaned(planted: Planted) -> bytes:
    target = io.BytesIO()
    deidentify(planted.data, target, PSEUDONYMS, ReadLimits())
    return target.getvalue()


@pytest.mark.parametrize(
    "number", range(2 * len(SYNTAXES)), ids=lambda n: f"{UID(SYNTAXES[n % len(SYNTAXES)]).keyword}-{n}"
)
def test_no_identity_is_left(number: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    planted = plant(number, SYNTAXES[number % len(SYNTAXES)])
    assert len(found_in(planted, planted.data)) >= IDENTITIES - 1  # what is burnt in is no text any more
    data = cleaned(planted)
    assert not found_in(planted, data)
    assert not found_in(planted, caplog.text.encode())
    cine = read_cine(data, ReadLimits())
    assert planted.written.sum() > 100
    assert not any(cine.store.colour(index, 1)[planted.written].any() for index in range(cine.frame_count))


def test_an_object_that_is_refused_tells_nobody_whose_it_was(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    planted = plant(0, SYNTAXES[0])
    frozen = dcmread(io.BytesIO(planted.data))
    frozen.PixelData = np.repeat(frozen.pixel_array[:1], frozen.NumberOfFrames, axis=0).tobytes()
    target = io.BytesIO()
    frozen.save_as(target)
    planted.data = target.getvalue()
    caplog.clear()
    with pytest.raises(IdentityRemainsError) as caught:
        cleaned(planted)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not found_in(planted, told.encode())
