"""Video and animation through PyAV from memory; the container's own claims are checked again while decoding."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from services.cine.budget import ReadLimits, out_of_memory
from services.cine.cine import Cine, CineFormat, TimingSource, UInt8Array
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason
from services.cine.media.containers import (
    elementary_demuxer,
    is_animated_png,
    is_whole,
    most_inflated_png_bytes,
    picture_size,
    png_without_remarks,
)
from services.cine.media.decoded_frames import DecodedFrames
from services.cine.media.pixels import FramePainter

DEMUXERS = {
    CineFormat.AVI: "avi",
    CineFormat.MP4: "mp4",
    CineFormat.WEBM: "matroska",
    CineFormat.GIF: "gif",
    CineFormat.PNG: "png_pipe",
    CineFormat.JPEG: "jpeg_pipe",
}
"""FFmpeg's demuxer for each format: naming it shuts out playlists and protocols that open other files."""

_STILLS = ("png_pipe", "jpeg_pipe")
"""Their demuxers would go on to a second picture behind the first: a thumbnail, or padding."""

_VIDEO_DECODERS = ("mjpeg", "rawvideo", "h264", "hevc", "mpeg4", "prores", "vp8", "vp9", "libdav1d", "ffv1")
_PICTURE_DECODERS = ("gif", "png", "apng")
_OLD_DECODERS = ("mpeg1video", "mpeg2video", "msmpeg4", "msmpeg4v2", "msvideo1", "msrle", "cinepak")
_LOSSLESS_DECODERS = ("huffyuv", "ffvhuff", "utvideo")
DECODERS = frozenset(_VIDEO_DECODERS + _PICTURE_DECODERS + _OLD_DECODERS + _LOSSLESS_DECODERS)
"""FFmpeg's decoders that untrusted bytes may reach; the whitelist holds while the stream is probed, too. The old ones
are what Video for Windows offered to the scanners of its time."""

ELEMENTARY_DECODERS = frozenset({"mpeg2video", "mpeg1video", "h264", "hevc"})
"""What DICOM encapsulates (PS3.5 sections 8.2.5 to 8.2.8; an MPEG-2 decoder reads MPEG-1 as well)."""

MOST_LEADING_FRAMES = 16
"""A stream that was cut out of a longer one begins with pictures whose references are gone, and decoders leave them
out: at most as many as a decoded picture buffer holds (H.264 A.3.1 item h, HEVC A.4.2)."""

LEAST_DECODED_FRACTION = 0.5
"""Of the packets, or of the frames that an AVI or DICOM header claims. Some packets show nothing (VP8's alternate
references) and capture drops a frame by storing an empty one, but not every second."""

_MOST_PNG_PIXEL_BYTES, _PNG_SPARE_ROWS = 8, 16  # four samples of 16 bits; an interlaced PNG has more, shorter rows

_PROBED_SIDES = 2
"""Times the longest side: a stream up to that large may be probed, so that it is refused as too large rather than as
damaged, which is what FFmpeg calls anything over its own limit."""


def read_video(data: bytes | memoryview, kind: CineFormat, limits: ReadLimits) -> Cine:
    """Decode a video, animation or still image.

    Args:
        data: the whole file.
        kind: one of DEMUXERS.
        limits: checked from the header and again at every frame.

    Returns:
        The cine; times from the container's presentation time stamps.

    Raises:
        CineUnreadableError: damaged, or it holds no frame.
        CineUnsupportedError: another codec than DECODERS.
        LimitExceededError: over a limit.
    """
    if not is_whole(data, kind):
        raise _damaged(f"{kind} bytes that are cut short", kind)
    demuxer = DEMUXERS[kind]
    if kind is CineFormat.PNG:
        data = png_without_remarks(data)  # first: what stands before the header would be taken for it
    limits.check_shape(1, *(picture_size(data, kind) or (0, 0)))
    if kind is CineFormat.PNG:
        _check_png_inflation(data)
        demuxer = "apng" if is_animated_png(data) else demuxer
    frames = _decode_all(data, demuxer, DECODERS, limits, kind)
    times_ms = (np.array(frames.times_s) - frames.times_s[0]) * 1000.0
    return Cine(
        format=kind,
        rows=frames.rows,
        columns=frames.columns,
        frame_times_ms=np.maximum.accumulate(times_ms),
        timing_source=TimingSource.NONE if demuxer in _STILLS else TimingSource.CONTAINER,
        regions=(),
        is_ultrasound=True,
        store=frames,
    )


def _check_png_inflation(data: bytes | memoryview) -> None:
    rows, columns = picture_size(data, CineFormat.PNG) or (0, 0)
    most = (rows + _PNG_SPARE_ROWS) * (columns + 1) * _MOST_PNG_PIXEL_BYTES
    if most_inflated_png_bytes(data, most + 1) > most:
        raise _damaged(f"PNG pixels that inflate beyond {rows} x {columns} px", CineFormat.PNG)


def read_elementary(data: bytes, limits: ReadLimits, frame_count: int, rows: int, columns: int) -> DecodedFrames:
    """Decode the video stream that a DICOM object encapsulates (PS3.5 sections 8.2.5 to 8.2.8).

    Args:
        data: its fragments, joined: an elementary stream, an MPEG-2 program or transport stream, or an MP4 container.
        limits: checked at every frame.
        frame_count: Number of Frames. A stream may hold more: writers count what they captured, not what the encoder
            made of it. It may lack MOST_LEADING_FRAMES, but not half of all; a shorter one is damaged.
        rows: Rows, px.
        columns: Columns, px.

    Returns:
        The store. **Its `frame_count` is the one that counts**, not the header's; `times_s` are the stream's own and
        may be of no use; `damaged` are the frames that the decoder flagged.

    Raises:
        CineUnreadableError: damaged, of another frame size, or with too few frames.
        CineUnsupportedError: no such stream, or another codec.
        LimitExceededError: over a limit.
    """
    limits.check_shape(frame_count, rows, columns)
    frames = _decode_all(data, _elementary_demuxer(data), ELEMENTARY_DECODERS, limits, CineFormat.DICOM)
    if (frames.rows, frames.columns) != (rows, columns):
        raise _damaged(f"video of {frames.rows} x {frames.columns} px under a header of {rows} x {columns} px", "DICOM")
    if frames.frame_count < max(frame_count - MOST_LEADING_FRAMES, LEAST_DECODED_FRACTION * frame_count):
        raise _damaged(f"{frames.frame_count} frames that decode under a header of {frame_count}", CineFormat.DICOM)
    return frames


def elementary_colour_frames(data: bytes, limits: ReadLimits) -> Iterator[UInt8Array]:
    """Decode the stream of `read_elementary` once more, one frame at a time, in colour and at full size.

    Yields:
        As many frames as `read_elementary` has, RGB, [H, W, 3].

    Raises:
        CineUnreadableError, CineUnsupportedError, LimitExceededError: as `read_elementary`.
    """
    painter = FramePainter(is_transparent=False)
    with _opened(data, _elementary_demuxer(data), ELEMENTARY_DECODERS, limits, CineFormat.DICOM) as (container, stream):
        for packet in container.demux(stream):
            for image in packet.decode():
                limits.check_shape(1, image.height, image.width)
                yield painter.colour(image)


def _elementary_demuxer(data: bytes) -> str:
    demuxer = elementary_demuxer(data)
    if demuxer is None:
        raise CineUnsupportedError(
            Reason.CODEC_UNSUPPORTED,
            found="encapsulated video of no known structure",
            expected="an MPEG-2, H.264 or HEVC stream, in a transport stream or MP4 container or bare",
            advice="Export the cine again, as Motion JPEG or H.264.",
        )
    if demuxer == "mp4" and not is_whole(data, CineFormat.MP4):
        raise _damaged("encapsulated MP4 bytes that are cut short", CineFormat.DICOM)
    return demuxer


def _decode_all(
    data: bytes | memoryview, demuxer: str, decoders: frozenset[str], limits: ReadLimits, kind: CineFormat
) -> DecodedFrames:
    with _opened(data, demuxer, decoders, limits, kind) as (container, stream):
        frames, packets = _decode(container, stream, limits, FramePainter(kind in (CineFormat.GIF, CineFormat.PNG)))
        claimed = _claimed_frames(packets, stream.frames, kind)
    if not frames.frame_count:
        raise _without(f"{kind} bytes without a frame that decodes", "at least one frame")
    if frames.frame_count < LEAST_DECODED_FRACTION * claimed:
        raise _damaged(f"{frames.frame_count} frames that decode out of {claimed}", kind)
    return frames


@contextmanager
def _opened(
    data: bytes | memoryview, demuxer: str, decoders: frozenset[str], limits: ReadLimits, kind: CineFormat
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a container at its video stream; what goes wrong until it is closed becomes one of our errors."""
    options = {
        "codec_whitelist": ",".join(sorted(decoders)),
        "format_whitelist": ",".join(av.ContainerFormat(demuxer, "r").name.split(",")),
        "max_pixels": str((_PROBED_SIDES * limits.max_side_px) ** 2),
        "protocol_whitelist": "none",  # a data reference of a MOV file may name another file
    }
    with _as_our_errors(kind), av.open(io.BytesIO(data), "r", demuxer, options, metadata_errors="ignore") as container:
        stream = _video_stream(container, decoders, kind)
        limits.check_shape(max(1, stream.frames), stream.height, stream.width)
        stream.codec_context.options = {"max_pixels": str(limits.max_side_px**2)}
        yield container, stream


def _claimed_frames(packets: int, in_header: int, kind: CineFormat) -> int:
    """Give how many frames there should be: MP4 may hide some, and in DICOM two packets may be one."""
    return {CineFormat.AVI: max(packets, in_header), CineFormat.DICOM: 0}.get(kind, packets)


@contextmanager
def _as_our_errors(kind: CineFormat) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise out_of_memory() from error
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise _damaged(f"damaged {kind} bytes ({type(error).__name__})", kind) from error


def _damaged(found: str, kind: str) -> CineUnreadableError:
    return CineUnreadableError(
        Reason.PIXELS_DAMAGED,
        found=found,
        expected=f"the whole {kind} file",
        advice="Export the cine again, or send the original.",
    )


def _without(found: str, expected: str) -> CineUnreadableError:
    return CineUnreadableError(Reason.PIXELS_MISSING, found=found, expected=expected, advice="Export the cine again.")


def _video_stream(container: InputContainer, decoders: frozenset[str], kind: CineFormat) -> VideoStream:
    stream = container.streams.best("video")  # rather than a cover picture
    if not isinstance(stream, VideoStream):
        raise _without(f"{kind} bytes without a video stream", "one video stream")
    decoder = "of nobody known" if stream.codec_context is None else stream.codec_context.name
    if decoder not in decoders:
        raise CineUnsupportedError(
            Reason.CODEC_UNSUPPORTED,
            found=f"{kind} bytes with the codec {decoder}",
            expected="one of " + ", ".join(sorted(decoders)),
            advice="Export the cine as Motion JPEG or H.264.",
        )
    stream.thread_type = "NONE"  # the sandbox allows no further process or thread
    stream.codec_context.thread_count = 1
    return stream


def _decode(
    container: InputContainer, stream: VideoStream, limits: ReadLimits, painter: FramePainter
) -> tuple[DecodedFrames, int]:
    """Decode all frames, and count the packets that should have given one each.

    AVI has no presentation times: where pictures are stored in another order than they are shown, the times of the
    packets, each shown for one period, are those of the frames.
    """
    frames, stored = DecodedFrames(), list[int | None]()
    rate_hz = float(stream.average_rate or 0) or 1.0
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
            stored.append(packet.dts)
        for image in packet.decode():
            limits.check_shape(frames.frame_count + 1, image.height, image.width)
            time_s = frames.frame_count / rate_hz if image.time is None else image.time
            frames.append(*painter.paint(image, frames.wants_colour), time_s, bool(image.is_corrupt))
            if container.format.name in _STILLS:
                return frames, 1
    times_s = [float(ticks * stream.time_base) for ticks in stored if ticks is not None and stream.time_base]
    if container.format.name == "avi" and len(times_s) == frames.frame_count:
        frames.times_s = times_s
    return frames, len(stored)
