"""Bombs that look like an animation or a picture: GIF, PNG, JPEG; and files that are nothing at all."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from tests.builders import gif_bomb, gif_bytes, jpeg_bytes, png_bytes
from tests.fuzz.inflation import gzip_zeros, progressive_jpeg, zlib_zeros
from tests.fuzz.seeds import FRAMES, RGB, seed_bytes

_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(columns: int, rows: int, depth: int, colour: int, packed: bytes, before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + before + _png_chunk(b"IDAT", packed) + _PNG_END


def _png_with(before: bytes) -> bytes:
    data = png_bytes(RGB[0])
    return data[:33] + before + data[33:]


# ---- GIF ------------------------------------------------------------------------------------------------------------


def gif_of_3000_frames() -> bytes:
    """3,000 black frames of 320 x 320: over the limit of frames."""
    return gif_bomb(3_000, 320)


def gif_of_large_frames() -> bytes:
    """1,500 black frames of 640 x 640: within every limit, and seconds of work."""
    return gif_bomb(1_500, 640)


def gif_of_too_many_pixels() -> bytes:
    """400 frames of 2,000 x 2,000, in 1.4 MB."""
    return gif_bomb(400, 2_000)


def gif_screen_of_65535() -> bytes:
    """A screen of 65,535 x 65,535 for pictures of 48 x 64."""
    data = seed_bytes("GIF")
    return data[:6] + b"\xff\xff\xff\xff" + data[10:]


def gif_screen_of_4096() -> bytes:
    """A screen of 4,096 x 4,096 for 500 pictures of one pixel: each frame is drawn whole."""
    one = gif_bytes(np.zeros((1, 1, 1), np.uint8))
    at = one.index(b"\x2c\0\0\0\0")
    return one[:6] + b"\x00\x10\x00\x10" + one[10:at] + one[at:-1] * 500 + b";"


def gif_pictures_outside() -> bytes:
    """Pictures that lie outside the screen."""
    return seed_bytes("GIF").replace(b"\x2c\0\0\0\0\x40\0\x30\0", b"\x2c\xff\xff\xff\xff\x40\0\x30\0")


def gif_of_no_delay() -> bytes:
    """Delays of nothing."""
    return seed_bytes("GIF").replace(b"\x21\xf9\x04\x00\x04\x00", b"\x21\xf9\x04\x00\x00\x00")


def gif_of_the_longest_delay() -> bytes:
    """Delays of eleven minutes."""
    return seed_bytes("GIF").replace(b"\x21\xf9\x04\x00\x04\x00", b"\x21\xf9\x04\x00\xff\xff")


def gif_of_comments() -> bytes:
    """8 MB of comments before the first picture."""
    data = seed_bytes("GIF")
    at = data.index(b"\x21\xf9")
    return data[:at] + b"\x21\xfe" + (b"\xff" + b"a" * 255) * 32_000 + b"\0" + data[at:]


def gif_of_wide_codes() -> bytes:
    """LZW codes that begin at 255 bits."""
    data = seed_bytes("GIF")
    at = data.index(b"\x2c\0\0\0\0") + 10
    return data[:at] + b"\xff" + data[at + 1 :]


def gif_of_clear_codes() -> bytes:
    """A picture of nothing but clear codes, 4 MB of them."""
    head = seed_bytes("GIF")
    at = head.index(b"\x2c\0\0\0\0") + 10
    return (
        head[:at] + b"\x08" + (b"\xff" + b"\x00\x01\x02\x04\x08\x10\x20\x40\x80" * 28 + b"\0\x01\x02") * 16_000 + b"\0;"
    )


# ---- PNG ------------------------------------------------------------------------------------------------------------


def png_of_60000() -> bytes:
    """60,000 x 60,000 grey pixels in 3.7 MB."""
    return _png(60_000, 60_000, 8, 0, zlib_zeros(3_434 * 2**20))


def png_of_2_billion() -> bytes:
    """2^31 - 1 pixels a side."""
    return _png(2**31 - 1, 2**31 - 1, 16, 6, b"")


def png_of_negative_size() -> bytes:
    """2^32 - 1 pixels a side, which is -1 to some."""
    return _png(2**32 - 1, 2**32 - 1, 8, 2, b"")


def png_of_4096_in_16_bits() -> bytes:
    """4,096 x 4,096 pixels of 16-bit RGBA: 128 MB in 130 kB, within every limit."""
    return _png(4_096, 4_096, 16, 6, zlib_zeros(129 * 2**20))


def png_that_inflates_too_far() -> bytes:
    """A gigabyte of zeros where 48 x 64 pixels belong."""
    return _png(64, 48, 8, 0, zlib_zeros(2**30))


def png_text_of_a_gigabyte() -> bytes:
    """A compressed text of a gigabyte before the picture."""
    return _png_with(_png_chunk(b"zTXt", b"a\0\0" + zlib_zeros(2**30)))


def png_profile_of_a_gigabyte() -> bytes:
    """A compressed colour profile of a gigabyte before the picture."""
    return _png_with(_png_chunk(b"iCCP", b"a\0\0" + zlib_zeros(2**30)))


def png_of_200000_texts() -> bytes:
    """200,000 texts before the picture."""
    return _png_with(_png_chunk(b"tEXt", b"a\0b") * 200_000)


def png_chunk_of_4_gigabytes() -> bytes:
    """A chunk that claims 4 GiB."""
    return _png_with(b"\xff\xff\xff\xfftEXt")


def png_of_4_billion_frames() -> bytes:
    """An animated PNG of 2^32 - 1 frames."""
    return _png_with(_png_chunk(b"acTL", b"\xff\xff\xff\xff\0\0\0\0"))


def png_of_20000_frames() -> bytes:
    """An animated PNG of 20,000 frames of one pixel."""
    packed = zlib.compress(bytes(4))
    frames = b"".join(
        _png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * n + 1, 1, 1, 0, 0, 0, 0, 0, 0))
        + _png_chunk(b"fdAT", struct.pack(">I", 2 * n + 2) + packed)
        for n in range(20_000)
    )
    data = _png_with(_png_chunk(b"acTL", struct.pack(">II", 20_000, 0)))
    return data[:-12] + frames + data[-12:]


def png_in_seven_passes() -> bytes:
    """An interlaced PNG of 4,096 x 4,096 pixels that ends after the first pass."""
    data = bytearray(_png(4_096, 4_096, 8, 2, zlib_zeros(2**20)))
    data[28] = 1
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def png_of_a_palette_that_is_not_there() -> bytes:
    """Indexed colours without a palette."""
    return _png(64, 48, 8, 3, zlib.compress(b"\0" * 65 * 48))


# ---- JPEG -----------------------------------------------------------------------------------------------------------


def picture_of_5000_scans() -> bytes:
    """A progressive JPEG of 4,096 x 4,096 pixels and 5,000 scans."""
    return progressive_jpeg(4_096, 5_000)


def picture_of_65500() -> bytes:
    """A JPEG of 65,500 x 65,500 pixels."""
    data = jpeg_bytes(RGB[0])
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 65_500, 65_500) + data[at + 4 :]


def picture_of_4000_in_pieces_of_nothing() -> bytes:
    """A JPEG of 4,000 x 4,000 pixels whose scan is empty."""
    data = jpeg_bytes(RGB[0])
    at, end = data.index(b"\xff\xc0") + 5, data.index(b"\xff\xda") + 14
    return data[:at] + struct.pack(">HH", 4_000, 4_000) + data[at + 4 : end] + b"\xff\xd9"


def picture_of_remarks() -> bytes:
    """A JPEG behind 300 application segments of 64 kB."""
    data = jpeg_bytes(RGB[0])
    return data[:2] + (b"\xff\xe1\xff\xff" + b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_504)) * 300 + data[2:]


def picture_of_end_markers() -> bytes:
    """10 MB of fill bytes."""
    return b"\xff\xd8" + b"\xff" * 10_000_000


def picture_in_a_picture() -> bytes:
    """A thousand JPEGs, one behind the other."""
    return jpeg_bytes(RGB[0]) * 1_000


# ---- nothing at all -------------------------------------------------------------------------------------------------


def one_byte() -> bytes:
    """One byte."""
    return b"\0"


def zeros() -> bytes:
    """30 MB of zeros."""
    return bytes(30_000_000)


def playlist() -> bytes:
    """A playlist that names another file."""
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n"


def concatenation() -> bytes:
    """A script for FFmpeg that names another file."""
    return b"ffconcat version 1.0\nfile /etc/passwd\n"


def vector_picture() -> bytes:
    """SVG whose entities grow a billion times."""
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "a">{entities}]><svg>&a9;</svg>'.encode()


def gzipped_zeros() -> bytes:
    """A gigabyte of zeros, gzipped."""
    return gzip_zeros(2**30)


def gif_behind_dicom() -> bytes:
    """A file that is DICOM by its preamble and GIF by its first bytes."""
    return seed_bytes("GIF")[:128].ljust(128, b"\0") + b"DICM" + seed_bytes("GIF")


def half_a_signature() -> bytes:
    """The first bytes of every format, and nothing else."""
    return FRAMES.tobytes()[:2] + b"RIFFAVI GIF89a\x89PNG\r\n\x1a\n\xff\xd8\xff\x1a\x45\xdf\xa3ftyp"
