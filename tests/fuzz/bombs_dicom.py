"""DICOM bombs: nesting, inflation, lengths, strings and numbers that lie (PS3.5, PS3.10)."""

from __future__ import annotations

import struct
import zlib

from pydicom import uid

from tests.builders import dicom_bytes, fan_frames, region_item
from tests.fuzz.inflation import deflated_zeros
from tests.fuzz.raw_dicom import DELIMITERS, UNDEFINED, dicom_file, dicom_with, element, image_elements, item
from tests.fuzz.seeds import FRAMES, seed_bytes


def _nested(depth: int, has_end: bool) -> bytes:
    opening = element(0x00186011, "SQ", item(b"", UNDEFINED), UNDEFINED)
    return opening * depth + (DELIMITERS * depth if has_end else b"")


# ---- inflation and size ---------------------------------------------------------------------------------------------


def deflated_gigabyte() -> bytes:
    """Deflated data set: 1 MB that becomes 1 GiB of zeros."""
    return dicom_file(deflated_zeros(2**30), uid.DeflatedExplicitVRLittleEndian)


def deflated_gigabyte_behind_a_sound_image() -> bytes:
    """Deflated data set whose first bytes are an image, and the rest a gigabyte of padding elements."""
    packer = zlib.compressobj(wbits=-15)
    head = b"".join(image_elements().values()) + element(0xFFFCFFFC, "OB", b"", 2**30)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return dicom_file(packed + deflated_zeros(2**30), uid.DeflatedExplicitVRLittleEndian)


def deflated_without_end() -> bytes:
    """Deflated stream that never says that it ends."""
    return dicom_file(deflated_zeros(2**28, last=False), uid.DeflatedExplicitVRLittleEndian)


def deflated_noise() -> bytes:
    """Deflated syntax over bytes that are no deflate stream."""
    return dicom_file(b"\xff\x00\xaa" * 10_000, uid.DeflatedExplicitVRLittleEndian)


def largest_frames() -> bytes:
    """65,535 x 65,535 pixels, 100 frames, in four bytes."""
    return dicom_bytes(fan_frames(2), Rows=65_535, Columns=65_535, NumberOfFrames=100)


def two_billion_frames() -> bytes:
    """As many frames as an IS can say."""
    return dicom_bytes(FRAMES, "jpeg", NumberOfFrames=2**31 - 1)


def frames_just_under_the_limit() -> bytes:
    """1,999 frames claimed of 12."""
    return dicom_bytes(FRAMES, "jpeg", NumberOfFrames=1_999)


def pixels_just_under_the_limit() -> bytes:
    """Raw pixels of 190 full-size frames claimed, none there."""
    return dicom_bytes(FRAMES[:1], Rows=2_000, Columns=2_000, NumberOfFrames=190)


def frame_of_nothing() -> bytes:
    """0 x 0 pixels."""
    return dicom_bytes(FRAMES, Rows=0, Columns=0)


def many_bits() -> bytes:
    """65,535 bits a sample."""
    return dicom_bytes(FRAMES, BitsAllocated=65_535, BitsStored=65_535, HighBit=65_534)


def many_samples() -> bytes:
    """65,535 samples a pixel."""
    return dicom_bytes(FRAMES, SamplesPerPixel=65_535)


def many_rows() -> bytes:
    """Rows has 30,000 values."""
    return dicom_with(0x00280010, "US", b"\x30\x00" * 30_000)


# ---- nesting and endless sequences ----------------------------------------------------------------------------------


def sequences_300_deep() -> bytes:
    """300 sequences of undefined length in one another, all closed."""
    return dicom_file(element(0x00080060, "CS", b"US") + _nested(300, has_end=True))


def sequences_30000_deep() -> bytes:
    """30,000 sequences in one another, all closed."""
    return dicom_file(_nested(30_000, has_end=True) + b"".join(image_elements().values()))


def sequences_without_end() -> bytes:
    """30,000 sequences opened, none closed."""
    return dicom_file(_nested(30_000, has_end=False))


def sequences_in_a_private_element() -> bytes:
    """30,000 sequences inside a private UN of undefined length, read as implicit little endian (PS3.5 6.2.2)."""
    opening = struct.pack("<HHI", 0x0018, 0x6011, UNDEFINED) + item(b"", UNDEFINED)
    return dicom_file(element(0x00091001, "UN", opening * 30_000, UNDEFINED) + b"".join(image_elements().values()))


def implicit_sequences() -> bytes:
    """30,000 sequences in one another, implicit little endian."""
    opening = struct.pack("<HHI", 0x0018, 0x6011, UNDEFINED) + item(b"", UNDEFINED)
    return dicom_file(opening * 30_000 + DELIMITERS * 30_000, uid.ImplicitVRLittleEndian)


def sequence_of_defined_lengths() -> bytes:
    """400 sequences of defined length in one another, the innermost larger than all."""
    body = b""
    for _ in range(400):
        body = element(0x00186011, "SQ", item(body))
    return dicom_file(body[:-4] + b"\xff\xff\xff\x7f")


def hundred_thousand_regions() -> bytes:
    """A Sequence of Ultrasound Regions with 100,000 empty items."""
    return dicom_with(0x00186011, "SQ", item(b"") * 100_000)


def regions_of_no_number() -> bytes:
    """Regions whose box and spacing are NaN, infinite, negative and huge."""
    values = [float("nan"), float("inf"), -1e308, 1e-308]
    regions = [region_item(0, 0, 60, 40, PhysicalDeltaX=value, PhysicalDeltaY=value) for value in values]
    boxes = [region_item(2**31, 2**32 - 1, 2**32 - 1, 0), region_item(60, 40, 0, 0)]
    return dicom_bytes(FRAMES, SequenceOfUltrasoundRegions=[*regions, *boxes])


def half_a_million_private_elements() -> bytes:
    """500,000 private elements before the image."""
    private = b"".join(struct.pack("<HHI", 9, 0x1000 + number % 0xE000, 0) for number in range(500_000))
    image = struct.pack("<HHI", 0x28, 0x10, 2) + b"\x30\x00"
    return dicom_file(private + image, uid.ImplicitVRLittleEndian)


def the_same_element_again_and_again() -> bytes:
    """Rows, 300,000 times."""
    return dicom_file(element(0x00280010, "US", b"\x30\x00") * 300_000 + b"".join(image_elements().values()))


def pixels_twice() -> bytes:
    """Two elements of pixels, the second of another size."""
    return dicom_file(b"".join(image_elements().values()) + element(0x7FE00010, "OB", bytes(100)))


def pixels_before_rows() -> bytes:
    """Elements in falling order, pixels first."""
    return dicom_file(b"".join(reversed(image_elements().values())))


def dicom_in_dicom() -> bytes:
    """A DICOM file whose pixels are a DICOM file, ten times over."""
    data = seed_bytes("JPEG DICOM")
    for _ in range(10):
        data = dicom_with(0x7FE00010, "OB", data)
    return data


# ---- lengths, strings, numbers --------------------------------------------------------------------------------------


def meta_group_length_lies() -> bytes:
    """File meta information that claims to be 4 GiB."""
    data = seed_bytes("JPEG DICOM")
    return data[:132] + element(0x00020000, "UL", b"\xff\xff\xff\xff") + data[132:]


def meta_group_length_of_nothing() -> bytes:
    """File meta information that claims to be empty."""
    data = seed_bytes("JPEG DICOM")
    return data[:132] + element(0x00020000, "UL", bytes(4)) + data[132:]


def element_of_4_gigabytes() -> bytes:
    """An element that claims 4 GiB but one byte."""
    return dicom_with(0x00091001, "OB", b"abc", 0xFFFFFFFE)


def odd_lengths() -> bytes:
    """Every element one byte longer than it says."""
    return dicom_file(b"".join(sound + b"\0" for sound in image_elements().values()))


def transfer_syntax_of_60000_characters() -> bytes:
    """A UID of 60,000 digits."""
    return dicom_file(b"".join(image_elements().values()), "1." * 30_000)


def transfer_syntax_of_control_characters() -> bytes:
    """A UID of line feeds, escapes and zeros."""
    return dicom_file(b"".join(image_elements().values()), "1.2\n\x1b[2J\r\0.840")


def syntax_lies_about_order() -> bytes:
    """Big endian is claimed, little endian is there."""
    return dicom_file(b"".join(image_elements().values()), uid.ExplicitVRBigEndian)


def frame_time_of_4_megabytes() -> bytes:
    """A DS of four million digits."""
    return dicom_file(_implicit_text(0x00181063, b"9" * 4_000_000), uid.ImplicitVRLittleEndian)


def frame_time_vector_of_a_million() -> bytes:
    """A Frame Time Vector of a million values."""
    return dicom_file(_implicit_text(0x00181065, b"1\\" * 1_000_000), uid.ImplicitVRLittleEndian)


def frame_count_of_a_megabyte() -> bytes:
    """An IS of a million digits: turning it into a number takes time that grows with its square."""
    return dicom_file(_implicit_text(0x00280008, b"9" * 1_000_000), uid.ImplicitVRLittleEndian)


def _implicit_text(tag: int, text: bytes) -> bytes:
    """Write a sound image, implicit little endian, in which one text is another."""
    written = b""
    for at, sound in image_elements().items():
        body = sound[12:] if sound[4:6] == b"OB" else sound[8:]
        written += struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(text)) + text if at > tag >= 0 else b""
        tag = -1 if at > tag >= 0 else tag
        written += struct.pack("<HHI", at >> 16, at & 0xFFFF, len(body)) + body
    return written


def time_that_is_no_number() -> bytes:
    """Frame Time NaN."""
    return dicom_with(0x00181063, "DS", b"NaN ")


def infinite_time() -> bytes:
    """Frame Time infinite, Cine Rate minus infinite."""
    return dicom_file(
        b"".join(image_elements(t00181063=element(0x00181063, "DS", b"inf ")).values())
        + element(0x00180040, "IS", b"-inf")
    )


def negative_times() -> bytes:
    """A Frame Time Vector that goes back."""
    return dicom_bytes(FRAMES, FrameTime=None, FrameTimeVector=[0, *[-40.0] * 11])


def largest_time() -> bytes:
    """Frame Time 1e308: the sum of twelve is infinite."""
    return dicom_with(0x00181063, "DS", b"1e308 ")


def infinite_rate() -> bytes:
    """A Recommended Display Frame Rate whose period is no number a double can hold."""
    return dicom_bytes(FRAMES, FrameTime=None, CineRate="0", RecommendedDisplayFrameRate="2147483647")


def name_of_control_characters() -> bytes:
    """A patient's name of zeros, escapes and line feeds, and a character set that nobody knows."""
    name = element(0x00100010, "PN", b"\0\x1b$B\r\n^\x07=" * 1_000)
    return dicom_file(
        element(0x00080005, "CS", b"ISO 2022 IR 87\\" * 900 + b"X") + name + b"".join(image_elements().values())
    )


def description_of_30_megabytes() -> bytes:
    """A text of 30 MB."""
    return dicom_file(element(0x00084000, "UT", b"A" * 30_000_000) + b"".join(image_elements().values()))


def million_backslashes() -> bytes:
    """An unlimited character string of four million empty values."""
    return dicom_file(element(0x00080119, "UC", b"\\" * 4_000_000) + b"".join(image_elements().values()))
