"""Codec bombs inside DICOM: frame headers, scans, tiles, presets, segments and slices that lie or never end."""

from __future__ import annotations

import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
from pydicom import uid

from services.cine.cine import UInt8Array
from tests.builders import dicom_bytes, jpeg_bytes, video_bytes
from tests.fuzz.inflation import jpeg_segment, progressive_jpeg
from tests.fuzz.seeds import FRAMES, QUIET

_LARGE = np.zeros((12, 2_048, 2_048), np.uint8)
_JPEG = jpeg_bytes(FRAMES[0])
_LJPEG = imagecodecs.ljpeg_encode(FRAMES[0])
_JPEGLS = imagecodecs.jpegls_encode(FRAMES[0])
_J2K = imagecodecs.jpeg2k_encode(FRAMES[0], codecformat="j2k", reversible=True)
_NOISE = np.random.default_rng(0).bytes(200_000)


def _dicom(syntax: str, fragment: bytes, samples: UInt8Array = FRAMES, **attributes: object) -> bytes:
    """Write a DICOM object all of whose frames are one fragment."""
    return dicom_bytes(samples, syntax, fragments=[fragment] * len(samples), **attributes)


def _patched(data: bytes, marker: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite bytes at an offset from a marker."""
    at = data.index(marker) + offset
    return data[:at] + value + data[at + len(value) :]


# ---- JPEG (ITU-T T.81) ----------------------------------------------------------------------------------------------


def jpeg_of_65500_pixels() -> bytes:
    """A baseline frame header of 65,500 x 65,500."""
    return _dicom(uid.JPEGBaseline8Bit, _patched(_JPEG, b"\xff\xc0", 5, struct.pack(">HH", 65_500, 65_500)))


def jpeg_with_two_frame_headers() -> bytes:
    """A frame header as the DICOM header says, then one of 65,500 x 65,500."""
    at = _JPEG.index(b"\xff\xc0")
    second = jpeg_segment(0xC0, struct.pack(">BHHB", 8, 65_500, 65_500, 1) + b"\x01\x11\x00")
    return _dicom(uid.JPEGBaseline8Bit, _JPEG[: at + 13] + second + _JPEG[at + 13 :])


def jpeg_of_5000_scans() -> bytes:
    """A progressive JPEG of 2,048 x 2,048 pixels and 5,000 scans, each of which goes over all of them."""
    return _dicom(uid.JPEGBaseline8Bit, progressive_jpeg(2_048, 5_000), _LARGE)


def small_jpegs_of_5000_scans() -> bytes:
    """A progressive JPEG of 48 x 64 pixels and 5,000 scans in each frame."""
    return _dicom(uid.JPEGBaseline8Bit, _patched(progressive_jpeg(64, 5_000), b"\xff\xc2", 5, b"\x00\x30"))


def jpeg_of_no_components() -> bytes:
    """A frame header of no components."""
    return _dicom(uid.JPEGBaseline8Bit, _patched(_JPEG, b"\xff\xc0", 9, b"\0"))


def jpeg_of_255_components() -> bytes:
    """A frame header of 255 components."""
    return _dicom(uid.JPEGBaseline8Bit, _patched(_JPEG, b"\xff\xc0", 9, b"\xff"))


def jpeg_sampled_15_times() -> bytes:
    """A component sampled 15 x 15."""
    return _dicom(uid.JPEGBaseline8Bit, _patched(_JPEG, b"\xff\xc0", 11, b"\xff"))


def jpeg_without_tables() -> bytes:
    """A scan whose Huffman tables are named and not there."""
    return _dicom(uid.JPEGBaseline8Bit, _JPEG.replace(b"\xff\xc4", b"\xff\xfe"))


def jpeg_of_full_tables() -> bytes:
    """Huffman tables of 255 codes in each length."""
    return _dicom(uid.JPEGBaseline8Bit, _patched(_JPEG, b"\xff\xc4", 5, b"\xff" * 16))


def jpeg_of_restarts() -> bytes:
    """A scan of nothing but restart markers."""
    at = _JPEG.index(b"\xff\xda") + 10
    return _dicom(uid.JPEGBaseline8Bit, _JPEG[:at] + b"\xff\xd0\xff\xd7" * 100_000 + b"\xff\xd9")


def jpeg_of_comments() -> bytes:
    """65,533 bytes of comment, 20 times, before the picture."""
    comments = jpeg_segment(0xFE, bytes(65_533)) * 20
    return _dicom(uid.JPEGBaseline8Bit, _JPEG[:2] + comments + _JPEG[2:])


def lossless_jpeg_of_65535_pixels() -> bytes:
    """A lossless frame header of 65,535 x 65,535, 16 bits."""
    huge = _patched(_LJPEG, b"\xff\xc3", 4, struct.pack(">BHH", 16, 65_535, 65_535))
    return _dicom(uid.JPEGLosslessSV1, huge)


def lossless_jpeg_of_another_depth() -> bytes:
    """A lossless JPEG of 16 bits where 8 are claimed."""
    return _dicom(uid.JPEGLosslessSV1, imagecodecs.ljpeg_encode(FRAMES[0].astype(np.uint16) * 257))


def lossless_jpeg_of_another_predictor() -> bytes:
    """A lossless scan of predictor 255 and a point transform of 15."""
    return _dicom(uid.JPEGLosslessSV1, _patched(_LJPEG, b"\xff\xda", 7, b"\xff\0\x0f"))


# ---- JPEG-LS (ITU-T T.87) -------------------------------------------------------------------------------------------


def jpegls_of_65535_pixels() -> bytes:
    """A JPEG-LS frame header of 65,535 x 65,535."""
    return _dicom(uid.JPEGLSLossless, _patched(_JPEGLS, b"\xff\xf7", 5, b"\xff\xff\xff\xff"))


def jpegls_of_huge_presets() -> bytes:
    """Preset coding parameters at the end of their range."""
    presets = jpeg_segment(0xF8, b"\x01" + b"\xff\xff" * 5)
    return _dicom(uid.JPEGLSLossless, _JPEGLS[:2] + presets + _JPEGLS[2:])


def jpegls_of_oversize() -> bytes:
    """The extension for frames of more than 65,535 pixels: 2^32 - 1 a side (ISO 14495-1 C.2.4.1.4)."""
    oversize = jpeg_segment(0xF8, b"\x04\x04" + b"\xff" * 8)
    zeros = _patched(_JPEGLS, b"\xff\xf7", 5, bytes(4))
    return _dicom(uid.JPEGLSLossless, zeros[:2] + oversize + zeros[2:])


def jpegls_almost_lossless_by_255() -> bytes:
    """An error bound of 255 in a lossless syntax."""
    return _dicom(uid.JPEGLSLossless, _patched(_JPEGLS, b"\xff\xda", 7, b"\xff"))


def jpegls_of_zeros() -> bytes:
    """A frame of 2,048 x 2,048 pixels in 40 bytes, and no more."""
    head = _JPEGLS[: _JPEGLS.index(b"\xff\xda") + 10]
    return _dicom(
        uid.JPEGLSLossless, _patched(head, b"\xff\xf7", 5, struct.pack(">HH", 2_048, 2_048)) + bytes(40), _LARGE
    )


# ---- JPEG 2000 (ITU-T T.800); SIZ: marker 2, length 2, capabilities 2, then sizes of 4 bytes -------------------------


def _j2k(offset: int, value: bytes) -> bytes:
    return _dicom(uid.JPEG2000Lossless, _patched(_J2K, b"\xff\x51", offset, value))


def j2k_of_4_billion_pixels() -> bytes:
    """An image of 2^32 - 1 a side."""
    return _j2k(6, b"\xff" * 8)


def j2k_of_a_million_tiles() -> bytes:
    """Tiles of one pixel, for a frame of 2,048 x 2,048."""
    sizes = struct.pack(">8I", 2_048, 2_048, 0, 0, 1, 1, 0, 0)
    return _dicom(uid.JPEG2000Lossless, _patched(_J2K, b"\xff\x51", 6, sizes), _LARGE)


def j2k_of_one_pixel_tiles() -> bytes:
    """Tiles of one pixel, for a frame of 48 x 64."""
    return _j2k(22, struct.pack(">2I", 1, 1))


def j2k_of_16384_components() -> bytes:
    """A SIZ of 16,384 components."""
    at = _J2K.index(b"\xff\x51")
    siz = jpeg_segment(0x51, _J2K[at + 4 : at + 38] + struct.pack(">H", 16_384) + b"\x07\x01\x01" * 16_384)
    return _dicom(uid.JPEG2000Lossless, _J2K[:at] + siz + _J2K[at + 43 :])


def j2k_of_38_bits() -> bytes:
    """Components of 38 bits."""
    return _j2k(40, b"\x25")


def j2k_sampled_255_times() -> bytes:
    """A component of which each sample stands for 255 x 255 pixels."""
    return _j2k(41, b"\xff\xff")


def j2k_of_offsets() -> bytes:
    """An image that begins where it ends."""
    return _j2k(14, struct.pack(">2I", 64, 48))


def j2k_of_32_resolutions() -> bytes:
    """33 resolution levels, 65,535 layers, precincts of one sample."""
    cod = b"\x01\x02\xff\xff\x00\x20\x04\x04\x00\x01" + bytes(33)
    at = _J2K.index(b"\xff\x52")
    end = at + 2 + int.from_bytes(_J2K[at + 2 : at + 4])
    return _dicom(uid.JPEG2000Lossless, _J2K[:at] + jpeg_segment(0x52, cod) + _J2K[end:])


def j2k_of_65535_tile_parts() -> bytes:
    """20,000 empty parts of one tile."""
    at = _J2K.index(b"\xff\x90")
    parts = b"".join(jpeg_segment(0x90, struct.pack(">HIBB", 0, 14, n % 255, 0)) + b"\xff\x93" for n in range(20_000))
    return _dicom(uid.JPEG2000Lossless, _J2K[:at] + parts + _J2K[at:])


def j2k_in_boxes_of_its_own() -> bytes:
    """A JP2 file, whose boxes claim 4 GiB, where a code stream belongs."""
    jp2 = imagecodecs.jpeg2k_encode(FRAMES[0], codecformat="jp2", reversible=True)
    return _dicom(uid.JPEG2000Lossless, _patched(jp2, b"jp2c", -4, b"\xff\xff\xff\xff"))


# ---- RLE (PS3.5 annex G) --------------------------------------------------------------------------------------------


def _rle(segments: int, offsets: list[int], body: bytes) -> bytes:
    return struct.pack("<16I", segments, *offsets, *[0] * (15 - len(offsets))) + body


def rle_of_4_billion_segments() -> bytes:
    """An RLE header of 2^32 - 1 segments."""
    return _dicom(uid.RLELossless, _rle(2**32 - 1, [64], b"\x81\0" * 100))


def rle_offsets_outside() -> bytes:
    """An RLE segment that begins 4 GiB away."""
    return _dicom(uid.RLELossless, _rle(1, [2**32 - 1], b"\x81\0" * 100))


def rle_offsets_into_the_header() -> bytes:
    """RLE segments that begin inside the header, and overlap."""
    return _dicom(
        uid.RLELossless, _rle(3, [0, 4, 2], b"\x81\0" * 100), np.repeat(FRAMES[..., None], 3, -1), photometric="RGB"
    )


def rle_that_grows_too_far() -> bytes:
    """A megabyte of runs of 128: 64 MB where 3,072 bytes belong."""
    return _dicom(uid.RLELossless, _rle(1, [64], b"\x81\0" * 500_000))


def rle_of_nothing() -> bytes:
    """A megabyte of -128, which stands for nothing."""
    return _dicom(uid.RLELossless, _rle(1, [64], b"\x80" * 1_000_000))


def rle_that_promises_more() -> bytes:
    """A literal run of 128 with two bytes left."""
    return _dicom(uid.RLELossless, _rle(1, [64], b"\x7f\0\0"))


# ---- MPEG-2, H.264, HEVC --------------------------------------------------------------------------------------------


def _video(syntax: str, stream: bytes) -> bytes:
    return dicom_bytes(FRAMES, syntax, fragments=[stream])


def _units(codec: str, container: str, damage: Callable[[bytes], bytes]) -> bytes:
    """Damage each unit behind a start code, parameter sets aside."""
    options = QUIET if codec == "libx265" else {}
    whole = video_bytes(FRAMES, container, codec, "yuv420p", **options)
    head, *units = whole.split(b"\0\0\x01")
    return b"\0\0\x01".join([head, *(unit if len(unit) < 60 else damage(unit) for unit in units)])


def h264_slices_of_noise() -> bytes:
    """H.264 whose slices are noise."""
    return _video(uid.MPEG4HP41, _units("libx264", "h264", lambda unit: unit[:6] + _NOISE[: len(unit)]))


def hevc_slices_of_noise() -> bytes:
    """HEVC whose slices are noise."""
    return _video(uid.HEVCMP51, _units("libx265", "hevc", lambda unit: unit[:6] + _NOISE[: len(unit)]))


def h264_of_noise() -> bytes:
    """200 kB of noise behind start codes of every H.264 unit type."""
    units = (b"\0\0\x01" + bytes([0x60 | n % 32]) + _NOISE[n * 300 : n * 300 + 300] for n in range(600))
    return _video(uid.MPEG4HP41, b"".join(units))


def hevc_of_noise() -> bytes:
    """200 kB of noise behind start codes of every HEVC unit type."""
    units = (b"\0\0\x01" + bytes([n % 64 << 1, 1]) + _NOISE[n * 300 : n * 300 + 300] for n in range(600))
    return _video(uid.HEVCMP51, b"".join(units))


def h264_of_parameter_sets() -> bytes:
    """The parameter sets of H.264, 50,000 times, and no picture."""
    stream = video_bytes(FRAMES, "h264", "libx264", "yuv420p")
    return _video(uid.MPEG4HP41, stream[: stream.index(b"\0\0\x01\x65")][:60] * 50_000)


def h264_larger_than_it_says() -> bytes:
    """H.264 of 4,000 x 4,000 pixels in a header of 48 x 64."""
    black = np.zeros((2, 4_000, 4_000), np.uint8)
    return _video(uid.MPEG4HP41, video_bytes(black, "h264", "libx264", "yuv420p", preset="ultrafast"))


def h264_of_more_frames_than_it_says() -> bytes:
    """H.264 of 2,100 frames in a header of 12."""
    black = np.zeros((2_100, 16, 16), np.uint8)
    return _video(uid.MPEG4HP41, video_bytes(black, "h264", "libx264", "yuv420p", preset="ultrafast"))


def h264_of_a_billion_pixels() -> bytes:
    """A sequence parameter set of 2^20 macroblocks a side: level 6.2 and exponential Golomb codes that promise it."""
    bits = "01100100" + "00000000" + "00111110" + "1" + "010" + "1" * 2 + "00" + "1" * 2 + "010" + "0"
    bits += ("0" * 19 + "1" + "0" * 19) * 2 + "1" * 3 + "000" + "1"
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))
    return _video(
        uid.MPEG4HP41, b"\0\0\0\x01\x67" + body + b"\0\0\0\x01\x68\xce\x38\x80\0\0\0\x01\x65" + _NOISE[:9_000]
    )


def mpeg2_of_headers() -> bytes:
    """A sequence header of 4,095 x 4,095 pixels, 100,000 times."""
    return _video(uid.MPEG2MPML, b"\0\0\x01\xb3\xff\xff\xff\x15\xff\xff\xe0\x18" * 100_000)


def mpeg2_of_noise() -> bytes:
    """MPEG-2 start codes with noise between them."""
    units = (b"\0\0\x01" + bytes([n % 256]) + _NOISE[n * 200 : n * 200 + 200] for n in range(1_000))
    return _video(uid.MPEG2MPML, b"".join(units))


def transport_stream_of_nothing() -> bytes:
    """200,000 empty packets of an MPEG transport stream."""
    return _video(uid.MPEG4HP41, (b"\x47\x1f\xff\x10" + bytes(184)) * 20_000)
