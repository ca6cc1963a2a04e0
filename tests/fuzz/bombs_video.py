"""Video bombs: indices, time tables and boxes of AVI, MP4 and WebM that lie, nest or never end."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from tests.builders import avi_bytes, fan_frames, mp4_bytes, png_bytes, video_bytes
from tests.fuzz.parts import Part, divide
from tests.fuzz.seeds import FRAMES, Grammar, seed_bytes

_MOST = b"\xff\xff\xff\xff"


def _chunk(name: bytes, body: bytes, length: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if length is None else length) + body


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _patched(data: bytes, name: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite bytes at an offset behind a name."""
    at = data.index(name) + len(name) + offset
    return data[:at] + value + data[at + len(value) :]


def _with_table(name: bytes, entries: bytes, count: int) -> bytes:
    """Write MP4 with one table in place of its own, its count true or not."""
    whole = divide(seed_bytes("MP4"), Grammar.BOXES)
    for inside, index in whole.walk():
        if inside[index].wrap(b"", 0)[4:8] == name:
            inside[index] = Part(bytes(4) + struct.pack(">I", count) + entries, wrap=inside[index].wrap)
            break
    return whole.write()


# ---- AVI ------------------------------------------------------------------------------------------------------------


def avi_of_4_billion_frames() -> bytes:
    """Main header and stream header say 2^32 - 1 frames."""
    return _patched(_patched(seed_bytes("AVI"), b"avih", 20, _MOST), b"strh", 36, _MOST)


def avi_index_of_4_billion() -> bytes:
    """An index chunk that claims 4 GiB."""
    return _patched(seed_bytes("AVI"), b"idx1", 0, b"\xf0\xff\xff\xff")


def avi_index_of_one_place() -> bytes:
    """An index of 200,000 frames, all of them the same bytes."""
    data = seed_bytes("AVI")
    return data[: data.index(b"idx1")] + _chunk(b"idx1", (b"00dc" + struct.pack("<III", 0x10, 4, 100)) * 200_000)


def avi_superindex_of_itself() -> bytes:
    """An OpenDML index whose entries point to itself."""
    data = seed_bytes("AVI")
    at = data.index(b"LIST", data.index(b"strl") - 8)
    index = _chunk(
        b"indx", struct.pack("<HBBI", 4, 0, 0, 2**20) + b"00dc" + bytes(12) + struct.pack("<QII", at, 64, 1) * 50
    )
    return data[:at] + index + data[at:]


def avi_of_no_rate() -> bytes:
    """A frame rate of 0 / 0."""
    return _patched(seed_bytes("AVI"), b"strh", 24, bytes(8))


def avi_of_4_billion_hz() -> bytes:
    """A frame rate of 2^32 - 1 frames a second."""
    return _patched(seed_bytes("AVI"), b"strh", 24, b"\x01\0\0\0" + _MOST)


def avi_that_begins_in_136_years() -> bytes:
    """A stream that begins at frame 2^32 - 1."""
    return _patched(seed_bytes("AVI"), b"strh", 32, _MOST)


def avi_of_65535_pixels() -> bytes:
    """Raw video of 65,535 x 65,535 pixels."""
    return _patched(seed_bytes("raw AVI"), b"strf", 8, struct.pack("<II", 65_535, 65_535))


def avi_of_negative_height() -> bytes:
    """Raw video of -2^31 rows."""
    return _patched(seed_bytes("raw AVI"), b"strf", 12, b"\0\0\0\x80")


def avi_lists_30000_deep() -> bytes:
    """30,000 lists in one another."""
    return _chunk(b"RIFF", b"AVI " + b"LIST\xf0\xff\xff\x00strl" * 30_000)


def avi_of_4_gigabytes() -> bytes:
    """A RIFF that claims 4 GiB."""
    return _patched(seed_bytes("AVI"), b"RIFF", 0, _MOST)


def avi_of_100_streams() -> bytes:
    """100 streams, one after another."""
    data = seed_bytes("AVI")
    at = data.index(b"LIST", 20)
    streams = data[at : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
    return data[:at] + streams * 100 + data[at + len(streams) :]


def avi_of_empty_chunks() -> bytes:
    """500,000 frames of no bytes."""
    data = seed_bytes("AVI")
    at = data.index(b"movi") + 4
    return data[:at] + b"00dc\0\0\0\0" * 500_000 + data[at:]


def avi_of_black_frames() -> bytes:
    """2,500 small frames: over the limit, and its headers say 12."""
    black = np.zeros((2_500, 16, 16), np.uint8)
    data = avi_bytes(black)
    return _patched(_patched(data, b"avih", 20, b"\x0c\0\0\0"), b"strh", 36, b"\x0c\0\0\0")


# ---- MP4 (ISO/IEC 14496-12) -----------------------------------------------------------------------------------------


def mp4_of_4_billion_times() -> bytes:
    """A time table of 2^32 - 1 entries, two of them there."""
    return _with_table(b"stts", struct.pack(">4I", 1, 1, 1, 1), 2**32 - 1)


def mp4_of_4_billion_frames_in_one_entry() -> bytes:
    """A time table of one entry that stands for 2^32 - 1 frames."""
    return _with_table(b"stts", struct.pack(">2I", 2**32 - 1, 1), 1)


def mp4_of_negative_times() -> bytes:
    """A time table that goes back by 2^31 with every frame."""
    return _with_table(b"stts", struct.pack(">2I", 12, 2**31), 1)


def mp4_of_4_billion_sizes() -> bytes:
    """A size table of 2^32 - 1 frames of one size."""
    return _with_table(b"stsz", _MOST, 4)  # one size for all, then their number


def mp4_of_frames_outside() -> bytes:
    """Chunks that begin behind the end of the file."""
    return _with_table(b"stco", struct.pack(">I", 2**31), 1)


def mp4_of_a_million_chunks() -> bytes:
    """A chunk table of a million entries."""
    return _with_table(b"stco", struct.pack(">I", 48) * 1_000_000, 1_000_000)


def mp4_of_chunks_that_start_anywhere() -> bytes:
    """A sample-to-chunk table in falling order with 2^32 - 1 samples a chunk."""
    return _with_table(b"stsc", b"".join(struct.pack(">3I", 99 - n, 2**32 - 1, 1) for n in range(99)), 99)


def mp4_of_100000_edits() -> bytes:
    """An edit list of 100,000 entries that jump to and fro."""
    edits = b"".join(struct.pack(">IiI", 1, number % 2 * 5_000, 0x10000) for number in range(100_000))
    return _with_table(b"elst", edits, 100_000)


def mp4_of_endless_edits() -> bytes:
    """An edit list of 2^32 - 1 entries, one of them there."""
    return _with_table(b"elst", struct.pack(">IiI", 2**32 - 1, -(2**31), 0), 2**32 - 1)


def mp4_of_no_time_scale() -> bytes:
    """A time scale of 0."""
    return _patched(seed_bytes("MP4"), b"mdhd", 12, bytes(4))


def mp4_of_the_finest_time_scale() -> bytes:
    """A time scale of 2^32 - 1."""
    return _patched(seed_bytes("MP4"), b"mdhd", 12, _MOST)


def mp4_boxes_30000_deep() -> bytes:
    """30,000 boxes in one another."""
    heads = (struct.pack(">I", 8 * depth) + b"moov" for depth in range(30_000, 0, -1))
    return _box(b"ftyp", b"isom" + bytes(4)) + b"".join(heads)


def mp4_box_that_ends_nowhere() -> bytes:
    """A box of 2^64 - 1 bytes."""
    return _box(b"ftyp", b"isom" + bytes(4)) + b"\0\0\0\x01moov" + b"\xff" * 8 + seed_bytes("MP4")[32:]


def mp4_boxes_of_no_size() -> bytes:
    """100,000 boxes that claim fewer bytes than their own head has."""
    return _box(b"ftyp", b"isom" + bytes(4)) + b"\0\0\0\x08free" * 100_000 + b"\0\0\0\x02moov" * 100_000


def mp4_of_100000_fragments() -> bytes:
    """100,000 empty movie fragments."""
    head = seed_bytes("MP4")
    fragment = _box(b"moof", _box(b"mfhd", bytes(8)) + _box(b"traf", _box(b"tfhd", bytes(4) + b"\0\0\0\x01")))
    return head + fragment * 100_000


def mp4_of_an_endless_run() -> bytes:
    """A track run of 2^32 - 1 samples whose sizes and times are all implied."""
    run = _box(b"trun", bytes(4) + _MOST)
    fragment = _box(
        b"moof", _box(b"mfhd", bytes(8)) + _box(b"traf", _box(b"tfhd", b"\0\x02\0\x10" + b"\0\0\0\x01\0\0\0\x04") + run)
    )
    return seed_bytes("MP4") + fragment


def mp4_of_65535_pixels() -> bytes:
    """A sample entry of 65,535 x 65,535 pixels."""
    return _patched(seed_bytes("MP4"), b"avc1", 24, b"\xff\xff\xff\xff")


def mp4_of_1000_tracks() -> bytes:
    """The same track, 1,000 times."""
    whole = divide(seed_bytes("MP4"), Grammar.BOXES)
    for inside, index in whole.walk():
        if inside[index].wrap(b"", 0)[4:8] == b"trak":
            inside[index:index] = [Part(inside[index].write() * 1_000)]
            break
    return whole.write()


def mp4_that_refers_to_a_file() -> bytes:
    """A data reference to /etc/passwd."""
    return _with_table(b"dref", _box(b"url ", bytes(4) + b"file:///etc/passwd\0"), 1)


def mp4_of_a_compressed_head() -> bytes:
    """A movie box that is compressed and claims 4 GiB (QuickTime cmov)."""
    packed = _box(b"cmov", _box(b"dcom", b"zlib") + _box(b"cmvd", _MOST + zlib.compress(bytes(2**24))))
    return _box(b"ftyp", b"qt  " + bytes(4)) + _box(b"moov", packed)


def mp4_of_a_huge_picture() -> bytes:
    """H.264 of 4,096 x 4,096 pixels and 6 frames in a few kB, within every limit."""
    return mp4_bytes(np.zeros((6, 4_096, 4_096), np.uint8))


# ---- WebM (RFC 8794, RFC 9559) --------------------------------------------------------------------------------------

_EBML = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"
_SEGMENT = b"\x18\x53\x80\x67"
_QUICK = {"deadline": "realtime", "cpu-used": "8"}
_UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"


def webm_elements_30000_deep() -> bytes:
    """30,000 tags of unknown size in one another."""
    return _EBML + _SEGMENT + _UNKNOWN + b"\x12\x54\xc3\x67" + _UNKNOWN + (b"\x73\x73" + _UNKNOWN) * 30_000


def webm_simple_tags_30000_deep() -> bytes:
    """30,000 simple tags in one another, which may nest."""
    tags = b"\x12\x54\xc3\x67" + _UNKNOWN + b"\x73\x73" + _UNKNOWN
    return _EBML + _SEGMENT + _UNKNOWN + tags + (b"\x67\xc8\x08\x00\xff\xff\xff") * 30_000


def webm_clusters_without_end() -> bytes:
    """200,000 clusters of unknown size."""
    data = seed_bytes("WebM VP8")
    return data[: data.index(b"\x1f\x43\xb6\x75")] + (b"\x1f\x43\xb6\x75" + _UNKNOWN) * 200_000


def webm_element_of_72_petabytes() -> bytes:
    """A cluster of 2^56 - 2 bytes."""
    data = seed_bytes("WebM VP8")
    at = data.index(b"\x1f\x43\xb6\x75") + 4
    return data[:at] + b"\x01\xff\xff\xff\xff\xff\xff\xfe" + data[at + 8 :]


def webm_of_no_time_scale() -> bytes:
    """A time scale of 0, and one of 2^64 - 1."""
    return seed_bytes("WebM VP8").replace(b"\x2a\xd7\xb1\x83\x0f\x42\x40", b"\x2a\xd7\xb1\x83\x00\x00\x00")


def webm_of_the_longest_time_scale() -> bytes:
    """A time scale of 2^24 - 1 ns a tick on time codes of 2^15."""
    data = seed_bytes("WebM VP8").replace(b"\x2a\xd7\xb1\x83\x0f\x42\x40", b"\x2a\xd7\xb1\x83\xff\xff\xff")
    return data.replace(b"\xe7\x81\x00", b"\xe7\x81\xff")


def webm_of_laced_frames() -> bytes:
    """Blocks that say they hold 256 frames each."""
    data = bytearray(seed_bytes("WebM VP8"))
    at = -1
    while (at := data.find(b"\x81\x00", at + 1)) >= 0:
        data[at + 3 : at + 5] = b"\x06\xff"
    return bytes(data)


def _resized(codec: str) -> bytes:
    """Splice key frames of other sizes into a video, one after each of its own."""
    clusters = []
    for side in (16, 1_024, 64, 2_048, 32):
        made = video_bytes(np.zeros((1, side, side), np.uint8), "webm", codec, "yuv420p", **_QUICK)
        at = made.index(b"\x1f\x43\xb6\x75")
        clusters.append(made[at : made.rindex(b"\x1c\x53\xbb\x6b")])
    head = video_bytes(fan_frames(2, 64, 64), "webm", codec, "yuv420p")
    at = head.index(b"\x1f\x43\xb6\x75")
    segment = head.index(_SEGMENT) + 4
    return head[:segment] + _UNKNOWN + head[segment + 8 : at] + b"".join(clusters * 20)


def webm_vp8_that_changes_size() -> bytes:
    """VP8 whose frames are 16, 1,024, 64, 2,048 and 32 pixels large in turn."""
    return _resized("libvpx")


def webm_vp9_that_changes_size() -> bytes:
    """VP9 whose frames are 16, 1,024, 64, 2,048 and 32 pixels large in turn."""
    return _resized("libvpx-vp9")


def webm_of_large_frames() -> bytes:
    """VP9 of 12 frames of 4,096 x 2,160 pixels in a few kB."""
    return video_bytes(np.zeros((12, 2_160, 4_096), np.uint8), "webm", "libvpx-vp9", "yuv420p", **_QUICK)


def mov_of_another_codec() -> bytes:
    """Motion JPEG that is called H.264."""
    return seed_bytes("MOV").replace(b"jpeg", b"avc1")


def video_of_frames_that_differ_in_kind() -> bytes:
    """AVI whose second frame is a PNG and whose third is nothing."""
    first = seed_bytes("AVI")
    at = first.index(b"00dc", first.index(b"00dc", first.index(b"movi")) + 4)
    return first[:at] + _chunk(b"00dc", png_bytes(FRAMES[0])) + _chunk(b"00dc", b"") + first[at:]
