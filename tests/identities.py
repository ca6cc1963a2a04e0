"""Plants identities in ultrasound objects, sixty in each and wherever one can be, and looks for them afterwards."""

from __future__ import annotations

import io
import random
import string
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom import dcmread, dcmwrite, uid
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from services.cine.cine import BoolArray, UInt8Array
from tests.builders import as_rgb, dicom_bytes, fan_frames, fan_mask, jpeg_bytes, region_item, video_bytes

IDENTITIES = 60
"""In each object."""

SYNTAXES = (
    str(uid.ExplicitVRLittleEndian),
    str(uid.ImplicitVRLittleEndian),
    str(uid.ExplicitVRBigEndian),
    str(uid.DeflatedExplicitVRLittleEndian),
    str(uid.RLELossless),
    str(uid.JPEGBaseline8Bit),
    str(uid.JPEGLosslessSV1),
    str(uid.JPEGLSLossless),
    str(uid.JPEG2000Lossless),
    str(uid.HTJ2KLossless),
    str(uid.MPEG4HP41),
)

CHARSETS = {
    "ISO_IR 100": ("latin_1", "Ünlü^Zoë"),
    "ISO_IR 144": ("iso8859_5", "Иванова^Ольга"),
    "ISO_IR 192": ("utf_8", "Þórsdóttir^Ása"),
    "GB18030": ("gb18030", "王^小东"),
}
_SIDES = (96, 128)
_FRAMES = 10
_TABLE = [(group << 16) | element for group, element, *bits in table.ALL_TAGS if not bits and group >= 0x0008]
_TAKEN_KEYWORDS = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SourceImageSequence",
    "PatientName",
    "IconImageSequence",
    "DataSetTrailingPadding",
)
_TAKEN = {int(Tag(keyword)) for keyword in _TAKEN_KEYWORDS}
_STRIDE = 20  # planted in each object at least


@dataclass
class Planted:
    """An object with identities in it.

    Attributes:
        number: which of a series; what is planted depends on it alone.
        syntax: its transfer syntax.
        data: the file.
        needles: by where they were planted, their bytes.
        written: where text was burnt into the pixels, [H, W].
    """

    number: int
    syntax: str
    data: bytes = b""
    needles: dict[str, bytes] = field(default_factory=dict)
    written: BoolArray = field(default_factory=lambda: np.zeros(_SIDES, np.bool_))

    def __post_init__(self) -> None:
        self._random = random.Random(f"identities {self.number}")

    def name(self, where: str) -> str:
        """Make one identity of capital letters, which every text may hold."""
        made = "".join(self._random.choices(string.ascii_uppercase, k=14))
        self.needles[where] = made.encode()
        return made

    def digits(self, where: str, form: str) -> str:
        """Make one identity by a form in which each # is a digit."""
        made = "".join(self._random.choice(string.digits[1:]) if letter == "#" else letter for letter in form)
        self.needles[where] = made.encode()
        return made


def plant(number: int, syntax: str) -> Planted:
    """Make an object with sixty identities; over thirty-three numbers in a row every attribute of the table has one."""
    planted = Planted(number, syntax)
    dataset = _object(planted)
    _plant_around(planted, dataset)
    _plant_nested(planted, dataset)
    _plant_text(planted, dataset)
    written = len(planted.needles) + 3  # preamble, trailing padding and what lies behind the end come last
    for place in range(number * _STRIDE, number * _STRIDE + IDENTITIES - written):
        _plant_tag(planted, dataset, _PLANTABLE[place % len(_PLANTABLE)])
    planted.data = _saved(planted, dataset)
    assert len(planted.needles) == IDENTITIES
    return planted


def found_in(planted: Planted, data: bytes) -> list[str]:
    """Give where the identities come from that are still in a file, its deflated part looked into as well."""
    haystack = data
    if planted.syntax == uid.DeflatedExplicitVRLittleEndian and data[128:132] == b"DICM":
        start = 144 + int.from_bytes(data[140:144], "little")  # PS3.10 section 7.1, group length
        haystack += zlib.decompress(data[start:], -zlib.MAX_WBITS)
    return [where for where, needle in planted.needles.items() if needle in haystack]


@lru_cache
def _fan() -> UInt8Array:
    return fan_frames(_FRAMES, *_SIDES)


def _burnt(planted: Planted) -> UInt8Array:
    """Write a name where scanners do, [T, H, W]."""
    rows, _ = _SIDES
    ink = np.zeros(_SIDES, np.uint8)
    name = planted.name("burnt in")
    for text, at in ((name[:7], (1, 8)), (name[7:], (90, 8)), (name[:5], (1, rows - 2))):
        cv2.putText(ink, text, at, cv2.FONT_HERSHEY_PLAIN, 0.6, 255, 1)
    ink[fan_mask(*_SIDES)] = 0
    planted.written = ink > 0
    return np.maximum(_fan(), ink)


def _object(planted: Planted) -> Dataset:
    frames = _burnt(planted)
    if planted.syntax == uid.MPEG4HP41:
        stream = video_bytes(frames, "h264", "libx264", "yuv420p", crf="8", preset="ultrafast")
        return _read(dicom_bytes(as_rgb(frames), planted.syntax, "YBR_PARTIAL_420", fragments=[stream]))
    if planted.syntax == uid.JPEGBaseline8Bit:
        comment = planted.name("comment in a codestream").encode()
        segment = b"\xff\xfe\x00" + bytes([len(comment) + 2]) + comment  # COM, ITU-T T.81 B.2.4.5
        coded = [jpeg_bytes(frame) for frame in as_rgb(frames)]
        commented = [data[:2] + segment + data[2:] for data in coded]
        return _read(dicom_bytes(as_rgb(frames), planted.syntax, "YBR_FULL_422", fragments=commented))
    if planted.number % 2 and planted.syntax != uid.ExplicitVRBigEndian:
        return _read(dicom_bytes(as_rgb(frames), planted.syntax, "RGB"))
    return _read(dicom_bytes(frames, planted.syntax))


def _read(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


def _plant_around(planted: Planted, dataset: Dataset) -> None:
    """File meta information, overlays, private attributes, attributes that no dictionary has, other codestreams."""
    meta = dataset.file_meta
    meta.SourceApplicationEntityTitle = planted.name("SourceApplicationEntityTitle")
    meta.ImplementationVersionName = planted.name("ImplementationVersionName")
    meta.PrivateInformationCreatorUID = planted.digits("PrivateInformationCreatorUID", "1.2.826.0.2.########.####")
    meta.PrivateInformation = planted.name("PrivateInformation").encode()
    for tag, where in ((0x60003000, "overlay data"), (0x60023000, "second overlay"), (0x50003000, "curve data")):
        dataset.add_new(tag, "OB", planted.name(where).encode())
    dataset.add_new(0x60001500, "LO", planted.name("overlay label"))
    block = dataset.private_block(0x0011, planted.name("private creator"), create=True)
    block.add_new(0x01, "LO", planted.name("private text"))
    block.add_new(0x02, "UN", planted.name("private bytes").encode())
    item = Dataset()
    item.PatientName = planted.name("name in a private sequence")
    block.add_new(0x03, "SQ", [item])
    dataset.add_new(0x0018FFF0, "LO", planted.name("attribute of no dictionary"))
    dataset.add_new("HeartRate", "LO", planted.name("text where a number belongs"))
    for keyword, root in (("SOPInstanceUID", 1), ("StudyInstanceUID", 6), ("SeriesInstanceUID", 7)):
        dataset.add_new(keyword, "UI", planted.digits(keyword, f"1.2.826.0.{root}.########.####"))


def _plant_nested(planted: Planted, dataset: Dataset) -> None:
    """In sequences: those that are retained, those that are cleaned, and icons."""
    rows, columns = _SIDES
    region = region_item(0, 0, columns - 1, rows - 1)
    region.PatientComments = planted.name("comment in a region")
    region.private_block(0x0013, "X", create=True).add_new(0x01, "LO", planted.name("private text in a region"))
    dataset.SequenceOfUltrasoundRegions = [region]
    source = Dataset()
    source.ReferencedSOPClassUID = uid.UltrasoundMultiFrameImageStorage
    source.ReferencedSOPInstanceUID = planted.digits("referenced instance", "1.2.826.0.4.########.####")
    purpose = Dataset()
    purpose.LongCodeValue, purpose.CodeMeaning = planted.name("long code"), planted.name("meaning of a code")
    source.PurposeOfReferenceCodeSequence = [purpose]
    dataset.SourceImageSequence = [source]
    icon = Dataset()
    icon.Rows, icon.Columns, icon.PixelData = 1, 14, planted.name("icon").encode()
    icon["PixelData"].VR = "OB"
    dataset.IconImageSequence = [icon]


def _plant_text(planted: Planted, dataset: Dataset) -> None:
    """In texts that the profile's table does not name, and in an alphabet of its own."""
    for keyword in (
        "StageName",
        "ViewName",
        "ManufacturerModelName",
        "BodyPartExamined",
        "WindowCenterWidthExplanation",
    ):
        setattr(dataset, keyword, planted.name(keyword))
    charset, (codec, name) = list(CHARSETS.items())[planted.number % len(CHARSETS)]
    dataset.SpecificCharacterSet = charset
    dataset.PatientName = f"{name}{planted.name('PatientName')}"
    planted.needles["PatientName, beginning"] = name.split("^")[0].encode(codec)
    if len(planted.needles["PatientName, beginning"]) < 5:
        planted.needles["PatientName, beginning"] = name.encode(codec)


def _plant_tag(planted: Planted, dataset: Dataset, tag: int) -> None:
    """Plant one identity in an attribute of the profile's table, as its value representation has it."""
    where = f"{tag:08X}"
    representation = dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
    forms = {
        "UI": "1.2.826.0.5.########.########",
        "DA": "19##0#1#",
        "TM": "0#1#2#.######",
        "DT": "19##0#1#0#1#2#.######",
        "DS": "#.############",
        "IS": "#########",
    }
    if representation == "SQ":
        item = Dataset()
        item.PersonName = planted.name(where)
        dataset.add_new(tag, "SQ", Sequence([item]))
    elif representation in forms:
        dataset.add_new(tag, representation, planted.digits(where, forms[representation]))
    elif representation in _BINARY:
        dataset.add_new(tag, representation, planted.name(where).encode())
    else:
        dataset.add_new(tag, representation, planted.name(where))


_BINARY = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")
_TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UI", "DA", "TM", "DT", "DS", "IS", "SQ")


def _plantable() -> Iterator[int]:
    for tag in _TABLE:
        representation = dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
        if representation in _TEXT + _BINARY and tag not in _TAKEN:
            yield tag


_PLANTABLE = tuple(_plantable())
"""Attributes of the table that can hold a text: four characters of age, and numbers of two bytes, name nobody."""


def _saved(planted: Planted, dataset: Dataset) -> bytes:
    preamble = planted.name("preamble").encode().ljust(128, b"\0")
    dataset.preamble = preamble
    trailing = planted.name("trailing padding").encode()
    dataset.add_new(0xFFFCFFFC, "OB", trailing)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue() + planted.name("behind the end").encode()
