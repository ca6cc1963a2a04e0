"""AVI, MP4, GIF and PNG, through PyAV from memory; the container's own claims are checked again while decoding."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from services.cine.budget import ReadLimits, out_of_memory
from services.cine.cine import Cine, CineFormat, TimingSource, UInt8Array, reduce_frame
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason

DEMUXERS = {CineFormat.AVI: "avi", CineFormat.MP4: "mp4", CineFormat.GIF: "gif", CineFormat.PNG: "png_pipe"}
"""FFmpeg's demuxer for each format: naming it shuts out playlists and protocols that open other files."""

CODECS = frozenset({"mjpeg", "rawvideo", "h264", "hevc", "mpeg4", "gif", "png"})

KEPT_SIDE_PX = 448
"""A sequential codec is decoded once; frames whose short side is at least twice this (four times the model's 112 px,
so nothing the model sees is lost) are kept at half size."""

COLOUR_EVERY = 30
"""One frame in so many is kept in colour too: a colour box stays for the whole of a stored cine."""

_TAIL_BYTES = 64
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_TO_FULL = np.clip((np.arange(256) - 16) * (255 / 219) + 0.5, 0, 255).astype(np.uint8)  # ITU-R BT.601 luma


@dataclass
class _DecodedFrames:
    """Frames of a sequential codec, decoded in one pass: all of them grey, some in colour."""

    rows: int
    columns: int
    grey_frames: list[UInt8Array] = field(default_factory=list)
    colour_frames: list[UInt8Array] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)

    @property
    def reduction(self) -> int:
        """How much smaller than the source the frames are kept."""
        return 2 if min(self.rows, self.columns) >= 2 * KEPT_SIDE_PX else 1

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give the colour frame that was kept nearest before `index`."""
        return self._resized(self.colour_frames[index // COLOUR_EVERY], reduction)

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give a kept grey frame, reduced further where asked."""
        return self._resized(self.grey_frames[index], reduction)

    def _resized(self, frame: UInt8Array, reduction: int) -> UInt8Array:
        if reduction >= self.reduction:
            return reduce_frame(frame, reduction // self.reduction)
        return np.asarray(cv2.resize(frame, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR), np.uint8)


def read_video(data: bytes | memoryview, kind: CineFormat, limits: ReadLimits) -> Cine:
    """Decode a video, animation or still image.

    Args:
        data: the whole file.
        kind: AVI, MP4, GIF or PNG.
        limits: checked from the header and again at every frame.

    Returns:
        The cine; times from the container's presentation time stamps.

    Raises:
        CineUnreadableError: damaged, or it holds no frame.
        CineUnsupportedError: another codec than CODECS.
        LimitExceededError: over a limit.
    """
    if not _is_whole(data, kind):
        raise _damaged(f"{kind} bytes that are cut short", kind)
    try:
        with av.open(io.BytesIO(data), mode="r", format=DEMUXERS[kind], metadata_errors="ignore") as container:
            stream = _video_stream(container, kind)
            limits.check_shape(max(1, stream.frames), stream.height, stream.width)
            frames = _decode(container, stream, limits)
    except MemoryError as error:
        raise out_of_memory() from error
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise _damaged(f"damaged {kind} bytes ({type(error).__name__})", kind) from error
    if frames is None:
        raise CineUnreadableError(
            Reason.PIXELS_MISSING,
            found=f"{kind} bytes without a frame that decodes",
            expected="at least one frame",
            advice="Export the cine again.",
        )
    times_ms = (np.array(frames.times_s) - frames.times_s[0]) * 1000.0
    return Cine(
        format=kind,
        rows=frames.rows,
        columns=frames.columns,
        frame_times_ms=np.maximum.accumulate(times_ms),
        timing_source=TimingSource.NONE if kind is CineFormat.PNG else TimingSource.CONTAINER,
        regions=(),
        is_ultrasound=True,
        store=frames,
    )


def _damaged(found: str, kind: CineFormat) -> CineUnreadableError:
    return CineUnreadableError(
        Reason.PIXELS_DAMAGED,
        found=found,
        expected=f"the whole {kind} file",
        advice="Export the cine again, or send the original.",
    )


def _is_whole(data: bytes | memoryview, kind: CineFormat) -> bool:
    """Whether the file reaches as far as it claims: FFmpeg plays what is there of a shorter one and says nothing."""
    if kind is CineFormat.AVI:
        return 8 + int.from_bytes(data[4:8], "little") <= len(data)  # the size of the first RIFF chunk
    if kind is CineFormat.GIF:
        return bytes(data[-_TAIL_BYTES:]).rstrip(b"\0\r\n ").endswith(b";")  # GIF89a section 27
    at = 0
    while kind is CineFormat.MP4 and at + 8 <= len(data):  # ISO/IEC 14496-12 section 4.2: boxes, each with its size
        size = int.from_bytes(data[at : at + 4])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        at = at + size if size >= 8 else len(data)  # 0: to the end of the file
    return at <= len(data)


def _video_stream(container: InputContainer, kind: CineFormat) -> VideoStream:
    if not container.streams.video:
        raise CineUnreadableError(
            Reason.PIXELS_MISSING,
            found=f"{kind} bytes without a video stream",
            expected="one video stream",
            advice="Export the cine again.",
        )
    stream = container.streams.video[0]
    codec = "of nobody known" if stream.codec_context is None else stream.codec_context.name
    if codec not in CODECS:
        raise CineUnsupportedError(
            Reason.CODEC_UNSUPPORTED,
            found=f"{kind} bytes with the codec {codec}",
            expected="one of " + ", ".join(sorted(CODECS)),
            advice="Export the cine as Motion JPEG or H.264.",
        )
    stream.thread_type = "NONE"  # the sandbox allows no further process or thread
    stream.codec_context.thread_count = 1
    return stream


def _decode(container: InputContainer, stream: VideoStream, limits: ReadLimits) -> _DecodedFrames | None:
    frames = None
    converter = VideoReformatter()  # keeps its tables from frame to frame
    rate_hz = float(stream.average_rate or 0) or 1.0
    for index, frame in enumerate(container.decode(stream)):
        limits.check_shape(index + 1, frame.height, frame.width)
        frames = frames or _DecodedFrames(frame.height, frame.width)
        if (frame.height, frame.width) != (frames.rows, frames.columns):
            raise ValueError("the frame size changes inside the file")
        if index % COLOUR_EVERY == 0:
            frames.colour_frames.append(reduce_frame(_rgb(frame, converter), frames.reduction))
        frames.grey_frames.append(reduce_frame(_luma(frame), frames.reduction))
        frames.times_s.append(index / rate_hz if frame.time is None else frame.time)
    return frames


def _luma(frame: VideoFrame) -> UInt8Array:
    """Give the luma of a frame, full range, [H, W]: the first plane where there is one."""
    if frame.format.name.startswith(("yuvj", "yuv4", "gray")) and frame.format.components[0].bits == 8:
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
        is_full = frame.format.name.startswith(("yuvj", "gray")) or int(frame.color_range) == _FULL_RANGE
        return luma.copy() if is_full else np.asarray(_LIMITED_TO_FULL[luma], np.uint8)
    return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def _rgb(frame: VideoFrame, converter: VideoReformatter) -> UInt8Array:
    return np.asarray(converter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
