"""Bombs in the formats of public data sets: MetaImage and NIfTI."""

from __future__ import annotations

import gzip
import struct

import nibabel as nib

from tests.fuzz.inflation import gzip_zeros, zlib_zeros
from tests.fuzz.seeds import FRAMES, meta_image, nifti

_PIXELS = FRAMES.tobytes()

# ---- MetaImage ------------------------------------------------------------------------------------------------------


def metaimage_of_a_billion_axes() -> bytes:
    """NDims of 10^9."""
    return meta_image({"NDims": "1000000000"}, _PIXELS)


def metaimage_of_negative_axes() -> bytes:
    """NDims and DimSize of -1."""
    return meta_image({"NDims": "-1", "DimSize": "-1 -1 -1"}, _PIXELS)


def metaimage_of_2_billion_a_side() -> bytes:
    """DimSize of 2^31 - 1 on each axis."""
    return meta_image({"DimSize": "2147483647 2147483647 2147483647"}, _PIXELS)


def metaimage_of_a_digit_too_many() -> bytes:
    """A DimSize of a million digits."""
    return meta_image({"DimSize": f"64 48 {'9' * 1_000_000}"}, _PIXELS)


def metaimage_of_no_number() -> bytes:
    """Spacing of NaN, infinity and minus one."""
    return meta_image({"ElementSpacing": "nan inf -1"}, _PIXELS)


def metaimage_of_words() -> bytes:
    """Words where numbers belong."""
    return meta_image({"DimSize": "many few some", "ElementSpacing": "wide"}, _PIXELS)


def metaimage_of_a_million_channels() -> bytes:
    """A million channels a pixel."""
    return meta_image({"ElementNumberOfChannels": "1000000"}, _PIXELS)


def metaimage_that_names_a_file() -> bytes:
    """Its pixels are said to be in /etc/passwd."""
    return meta_image({}, b"").replace(b"LOCAL", b"/etc/passwd")


def metaimage_that_names_a_list() -> bytes:
    """Its pixels are said to be in a list of files."""
    return meta_image({}, b"/etc/passwd\n/proc/self/mem\n" * 1_000).replace(b"LOCAL", b"LIST 2D")


def metaimage_that_names_a_pattern() -> bytes:
    """Its pixels are said to be in 2^31 numbered files."""
    return meta_image({}, b"").replace(b"LOCAL", b"slice%d.raw 1 2147483647 1")


def metaimage_of_a_head_too_long() -> bytes:
    """A HeaderSize of 10^12."""
    return meta_image({"HeaderSize": "1000000000000"}, _PIXELS)


def metaimage_of_a_head_of_minus_one() -> bytes:
    """A HeaderSize of -1: the pixels are the last bytes of the file."""
    return meta_image({"HeaderSize": "-1"}, _PIXELS)


def metaimage_of_one_long_line() -> bytes:
    """A comment of 8 MB."""
    return meta_image({"Comment": "a" * 8_000_000}, _PIXELS)


def metaimage_of_a_million_lines() -> bytes:
    """A million lines."""
    return b"ObjectType = Image\n" + b"a = b\n" * 1_000_000 + meta_image({}, _PIXELS)


def metaimage_without_an_end() -> bytes:
    """A header that never comes to its pixels."""
    return b"ObjectType = Image\nNDims = 3\nDimSize = 64 48 12\n"


def metaimage_of_a_gigabyte() -> bytes:
    """A gigabyte of zeros, compressed, where 36 kB belong."""
    return meta_image({"CompressedData": "True"}, zlib_zeros(2**30))


def metaimage_that_is_a_gigabyte() -> bytes:
    """A gigabyte of zeros, compressed, and a header that says so."""
    return meta_image({"CompressedData": "True", "DimSize": "1024 1024 1024"}, zlib_zeros(2**30))


def metaimage_of_compressed_lies() -> bytes:
    """A CompressedDataSize of 10^18."""
    return meta_image({"CompressedData": "True", "CompressedDataSize": "1000000000000000000"}, zlib_zeros(2**20))


def metaimage_of_doubles() -> bytes:
    """Pixels of NaN and infinity."""
    pixels = struct.pack("<4d", float("nan"), float("inf"), -float("inf"), 1e308) * (64 * 48 * 3)
    return meta_image({"ElementType": "MET_DOUBLE"}, pixels)


def metaimage_of_a_type_of_nobody() -> bytes:
    """An ElementType of escapes and line feeds."""
    return meta_image({"ElementType": "MET_\x1b[2J\r\0" * 1_000}, _PIXELS)


# ---- NIfTI-1 and -2; field offsets from nifti1.h and nifti2.h -------------------------------------------------------


def _nifti(offset: int, value: bytes, data: bytes | None = None) -> bytes:
    whole = nifti() if data is None else data
    return whole[:offset] + value + whole[offset + len(value) :]


def nifti_of_minus_one_axes() -> bytes:
    """dim[0] of -1."""
    return _nifti(40, struct.pack("<h", -1))


def nifti_of_no_axes() -> bytes:
    """Dim of nothing but zeros."""
    return _nifti(40, bytes(16))


def nifti_of_32767_axes() -> bytes:
    """dim[0] of 32,767."""
    return _nifti(40, struct.pack("<h", 32_767))


def nifti_of_the_largest_axes() -> bytes:
    """Seven axes of 32,767."""
    return _nifti(40, struct.pack("<8h", 7, *[32_767] * 7))


def nifti_of_negative_axes() -> bytes:
    """Axes of -32,768: an even number of them makes a positive product."""
    return _nifti(40, struct.pack("<5h", 4, -32_768, -32_768, -32_768, -32_768))


def nifti_whose_pixels_begin_nowhere() -> bytes:
    """A vox_offset of NaN."""
    return _nifti(108, struct.pack("<f", float("nan")))


def nifti_whose_pixels_begin_far_away() -> bytes:
    """A vox_offset of 1e30."""
    return _nifti(108, struct.pack("<f", 1e30))


def nifti_whose_pixels_begin_before() -> bytes:
    """A vox_offset of -1e9."""
    return _nifti(108, struct.pack("<f", -1e9))


def nifti_of_complex_numbers() -> bytes:
    """Pixels of 256-bit complex numbers."""
    return _nifti(70, struct.pack("<hh", 2048, 256))


def nifti_of_a_type_of_nobody() -> bytes:
    """A datatype of -1 with 0 bits."""
    return _nifti(70, struct.pack("<hh", -1, 0))


def nifti_scaled_by_no_number() -> bytes:
    """A slope of NaN and an intercept of infinity."""
    return _nifti(112, struct.pack("<ff", float("nan"), float("inf")))


def nifti_scaled_too_far() -> bytes:
    """A slope of 1e38 and an intercept of -1e38."""
    return _nifti(112, struct.pack("<ff", 3e38, -3e38))


def nifti_of_impossible_spacing() -> bytes:
    """Spacings of NaN, infinity and -1."""
    return _nifti(76, struct.pack("<5f", float("nan"), float("inf"), -1, float("nan"), float("-inf")))


def nifti_of_endless_extensions() -> bytes:
    """100,000 extensions of no size."""
    whole = nifti()
    return whole[:348] + b"\x01\0\0\0" + bytes(8) * 100_000 + whole[352:]


def nifti_of_an_extension_too_long() -> bytes:
    """An extension that claims 2 GiB."""
    whole = nifti()
    return whole[:348] + b"\x01\0\0\0" + struct.pack("<ii", 2**31 - 16, 6) + whole[352:]


def nifti_in_two_files() -> bytes:
    """A header whose pixels are in another file."""
    return _nifti(344, b"ni1\0")


def nifti_in_the_other_order() -> bytes:
    """A header of big endian size and little endian numbers."""
    return _nifti(0, struct.pack(">i", 348))


def nifti_2_of_the_largest_axes() -> bytes:
    """Seven axes of 2^62."""
    return _nifti(16, struct.pack("<8q", 7, *[2**62] * 7), nifti(nib.Nifti2Image))


def nifti_2_whose_pixels_begin_far_away() -> bytes:
    """A vox_offset of 2^63 - 1."""
    return _nifti(168, struct.pack("<q", 2**63 - 1), nifti(nib.Nifti2Image))


def nifti_gzipped_gigabyte() -> bytes:
    """A sound header, then a gigabyte of zeros, gzipped."""
    return gzip.compress(nifti(), mtime=0) + gzip_zeros(2**30)


def nifti_that_is_a_gigabyte() -> bytes:
    """A header of 1,024 x 1,024 x 1,024 pixels and as many zeros, gzipped."""
    head = _nifti(40, struct.pack("<4h", 3, 1_024, 1_024, 1_024))[:352]
    return gzip.compress(head, mtime=0) + gzip_zeros(2**30)


def nifti_gzipped_100_times() -> bytes:
    """Gzip in gzip in gzip, 100 times."""
    data = nifti()
    for _ in range(100):
        data = gzip.compress(data, mtime=0)
    return data


def nifti_of_100000_members() -> bytes:
    """100,000 empty gzip members before the pixels."""
    return gzip.compress(b"", mtime=0) * 100_000 + gzip.compress(nifti(), mtime=0)


def nifti_cut_in_its_gzip() -> bytes:
    """Gzip that ends in its middle."""
    data = gzip.compress(nifti(), mtime=0)
    return data[: len(data) // 2]
