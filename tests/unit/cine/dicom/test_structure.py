"""The walk over DICOM elements: bounds, damage, and nothing but what was asked for."""

from __future__ import annotations

import io
import time
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from services.cine.budget import ReadLimits
from services.cine.dicom.attributes import parse
from services.cine.dicom.reader import read_dicom
from services.cine.dicom.structure import open_structure
from services.cine.errors import InputError, LimitExceededError, Reason
from tests.builders import dicom_bytes, fan_frames, region_item, save_dicom

FRAMES = fan_frames(2, 24, 32)
SYNTAXES = [
    pytest.param(str(syntax), id=syntax.name)
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
]
NAME = "Nobody^At^All"


def nested(depth: int, is_endless: bool = False) -> Sequence:
    """Put sequences inside one another."""
    item = Dataset()
    item.CodeValue = "end"
    for _ in range(depth):
        outer = Dataset()
        outer.ConceptCodeSequence = Sequence([item])
        outer["ConceptCodeSequence"].is_undefined_length = item.is_undefined_length_sequence_item = is_endless
        item = outer
    return Sequence([item])


def full(syntax: str, is_endless: bool = False, depth: int = 3) -> bytes:
    """Write a cine with a patient, private elements, an icon and nested sequences."""
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.BitsAllocated = 8
    icon.PixelData = bytes(4)
    dataset = dcmread(io.BytesIO(dicom_bytes(FRAMES, syntax)))
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = NAME, "1952", "19520229"
    dataset.IconImageSequence = Sequence([icon])
    dataset.RequestAttributesSequence = nested(depth, is_endless)
    dataset.SequenceOfUltrasoundRegions = Sequence([region_item(1, 1, 20, 20)])
    dataset["SequenceOfUltrasoundRegions"].is_undefined_length = is_endless
    block = dataset.private_block(0x11, "NOBODY 1.0", create=True)
    block.add_new(1, "UN", b"\xfe\xff\x00\xe0 no item")
    block.add_new(2, "SQ", nested(2, is_endless))
    block.add_new(3, "OB", bytes(300_000))
    return save_dicom(dataset, syntax)


@pytest.mark.parametrize("is_endless", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_only_wanted_attributes_are_kept_in_every_syntax(syntax: str, is_endless: bool) -> None:
    data = full(syntax, is_endless)
    kept = parse(data, ReadLimits()).attributes
    assert {"Rows", "Modality", "SequenceOfUltrasoundRegions"} <= set(kept.dir())
    assert not {"PatientName", "PatientID", "PatientBirthDate", "IconImageSequence"} & set(kept.dir())
    assert NAME not in str(kept)
    cine = read_dicom(data, ReadLimits())
    assert np.array_equal(cine.grey_frames([0, 1], 1), FRAMES)
    assert cine.tissue_region is not None


@pytest.mark.parametrize("is_endless", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_sequences_are_nested_no_deeper_than_the_limit(syntax: str, is_endless: bool) -> None:
    read_dicom(full(syntax, is_endless, depth=10), ReadLimits())
    with pytest.raises(LimitExceededError) as caught:
        read_dicom(full(syntax, is_endless, depth=60), ReadLimits())
    assert caught.value.reason is Reason.LIMIT_DEPTH


def element(tag: bytes, kind: bytes, length: int, value: bytes = b"") -> bytes:
    return tag + kind + b"\0\0" + length.to_bytes(4, "little") + value


ENDLESS, ITEM = 0xFFFFFFFF, b"\xfe\xff\x00\xe0"
HEAD = dicom_bytes(FRAMES)[:132] + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
BOMBS = {
    "sequences that never end": (element(b"\x40\x00\x75\x02", b"SQ", ENDLESS) + ITEM + b"\xff" * 4) * 4_000,
    "a sequence of endless items": element(b"\x40\x00\x75\x02", b"SQ", ENDLESS) + (ITEM + bytes(4)) * 200_000,
    "a million attributes": b"\x08\x00\x60\x00CS\x02\x00US" * 1_000_000,
    "a million fragments": element(b"\xe0\x7f\x10\x00", b"OB", ENDLESS) + (ITEM + bytes(4)) * 1_000_000,
    "a giant string": element(b"\x28\x00\x04\x00", b"UT", 2**24, b"R" * 2**24),
    "a giant vector": element(b"\x18\x00\x65\x10", b"UN", 2**24, b"1\\" * 2**23),
    "an attribute beyond the end": element(b"\x08\x00\x60\x00", b"UN", 2**31, b"US"),
    "pixels beyond the end": element(b"\xe0\x7f\x10\x00", b"OB", 2**31, b"US"),
    "a fragment beyond the end": element(b"\xe0\x7f\x10\x00", b"OB", ENDLESS) + ITEM + b"\xff\xff\xff\x7f",
}


QUICK_S = 5.0
"""Processor time of a refusal: up to 2 s beside other work on a shared core; a bomb that is followed takes minutes."""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_quickly_and_in_little_memory(bomb: str) -> None:
    data = HEAD + BOMBS[bomb]
    start = time.process_time()
    with pytest.raises(InputError):
        read_dicom(data, ReadLimits())
    assert time.process_time() - start < QUICK_S
    tracemalloc.start()
    with pytest.raises(InputError):
        read_dicom(data, ReadLimits(max_elements=2_000))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2**21


def deflated(body: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    meta = HEAD[:132] + b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99"
    return meta + compressor.compress(body) + compressor.flush()


def test_deflated_data_may_have_the_header_of_zlib() -> None:
    body = b"\x08\x00\x60\x00CS\x02\x00US"
    plain, wrapped = deflated(body), deflated(b"").removesuffix(b"\x03\0") + zlib.compress(body)
    assert bytes(open_structure(wrapped, ReadLimits()).body) == bytes(open_structure(plain, ReadLimits()).body) == body


def test_a_deflated_bomb_is_stopped_at_its_ratio() -> None:
    data = deflated(bytes(70 * 2**20))
    tracemalloc.start()
    with pytest.raises(LimitExceededError) as caught:
        read_dicom(data, ReadLimits())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.reason is Reason.LIMIT_INFLATION
    assert peak_bytes < 140 * 2**20


def test_a_deflated_object_is_stopped_at_its_size() -> None:
    data = deflated(bytes(2**20))
    with pytest.raises(LimitExceededError) as caught:
        read_dicom(data, ReadLimits(max_inflated_bytes=2**19))
    assert caught.value.reason is Reason.LIMIT_INFLATION


@pytest.mark.parametrize("syntax", [*SYNTAXES, pytest.param(str(JPEGBaseline8Bit), id="JPEG")])
def test_an_object_that_is_cut_anywhere_says_that_it_is_cut(syntax: str) -> None:
    kind = "jpeg" if syntax == JPEGBaseline8Bit else syntax
    data = dicom_bytes(FRAMES, kind, SequenceOfUltrasoundRegions=[region_item(1, 1, 20, 20)])
    reasons = set()
    for end in range(133, len(data) - 1):
        with pytest.raises(InputError) as caught:
            read_dicom(data[:end], ReadLimits())
        reasons.add(caught.value.reason)
    assert reasons <= {Reason.HEADER_DAMAGED, Reason.PIXELS_DAMAGED, Reason.PIXELS_MISSING}
    if syntax != DeflatedExplicitVRLittleEndian:
        assert "ends before its pixels do" in str(caught.value)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_sequence_that_is_damaged_inside_harms_nothing_else(syntax: str) -> None:
    dataset = dcmread(io.BytesIO(dicom_bytes(FRAMES, syntax)))
    dataset.RequestAttributesSequence = nested(2)
    data = save_dicom(dataset, str(ExplicitVRLittleEndian))
    at = data.index(b"\x40\x00\x75\x02SQ") + 12
    damaged = data[:at] + b"\x99" * 8 + data[at + 8 :]
    assert np.array_equal(read_dicom(damaged, ReadLimits()).grey_frames([0, 1], 1), FRAMES)


@pytest.mark.parametrize("really", [ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda syntax: syntax.name)
def test_the_data_set_tells_how_it_is_written(really: Any) -> None:
    data = dicom_bytes(FRAMES, str(really))
    start = data.index(b"\x00\x08\x00\x16" if really == ExplicitVRBigEndian else b"\x08\x00\x16\x00")
    assert np.array_equal(read_dicom(HEAD + data[start:], ReadLimits()).grey_frames([0, 1], 1), FRAMES)


def test_what_follows_the_pixels_is_not_looked_at() -> None:
    data = dicom_bytes(FRAMES) + b"\xfc\xff\xfc\xff\x00"
    assert read_dicom(data, ReadLimits()).frame_count == 2
