"""Stores of frames that are decoded on demand: from stored samples, and straight from codestreams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from services.cine.cine import FrameStore, UInt8Array, reduce_frame
from services.cine.codestreams import Codec, CodestreamHeader, read_header
from services.cine.dicom.codecs import decode_codestream, decode_jpeg_colour, decode_jpeg_grey
from services.cine.dicom.colour import YBR, Colours, SampleFormat, Samples, colours_of, settle_ybr
from services.cine.dicom.structure import damaged_pixels
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason

_COARSEST = 8


class Source(Protocol):
    """Gives the samples of one frame."""

    def samples(self, index: int, reduction: int) -> Samples:
        """Give frame `index`; it may come smaller, by at most `reduction`."""


@dataclass(frozen=True)
class StoredFrames:
    """Frames whose samples are decoded, then understood, then made smaller.

    Attributes:
        source: of samples.
        colours: what they mean.
        rows: H, px.
    """

    source: Source
    colours: Colours
    rows: int

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as RGB."""
        return self._reduced(self.colours.rgb(self.source.samples(index, reduction)), reduction)

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as luma."""
        return self._reduced(self.colours.luma(self.source.samples(index, reduction)), reduction)

    def _reduced(self, frame: UInt8Array, reduction: int) -> UInt8Array:
        done = next(factor for factor in (1, 2, 4) if -(-self.rows // factor) == len(frame))
        return reduce_frame(frame, reduction // done)


@dataclass(frozen=True)
class _Streams:
    """One codestream a frame, all of the kind of the first.

    Attributes:
        frames: compressed, [T].
        first: what the first one says of itself.
        rows, columns: what each must decode to, px.
    """

    frames: Sequence[memoryview]
    first: CodestreamHeader
    rows: int
    columns: int

    def __getitem__(self, index: int) -> memoryview:
        """Give one, once it claims no more than it should: a false size costs memory."""
        data = self.frames[index]
        header = read_header(data)
        if header is None or (header.rows, header.columns) != (self.rows, self.columns):
            raise does_not_decode(index, self.rows, self.columns)
        if _kind(header) != _kind(self.first):
            raise damaged_pixels(f"frame {index} of another kind than the first")
        return data

    def samples(self, index: int, reduction: int) -> Samples:
        """Give one frame as it is stored."""
        frame = decode_codestream(self[index], self.first, reduction)
        shapes = {(-(-self.rows // factor), -(-self.columns // factor)) for factor in (1, 2, 4)}
        if frame is None or frame.ndim != (2 if self.first.components == 1 else 3) or frame.shape[:2] not in shapes:
            raise does_not_decode(index, self.rows, self.columns)
        return frame


def _kind(header: CodestreamHeader) -> tuple[Codec, int, int]:
    return header.codec, header.components, header.precision_bits


@dataclass(frozen=True)
class _ScaledJpegs:
    """JPEGs of 8 bits, decoded to grey or colour at the size that is asked for (ITU-T T.81)."""

    streams: _Streams
    is_ybr: bool
    is_inverted: bool

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as RGB."""
        return self._checked(decode_jpeg_colour(self.streams[index], self.is_ybr, reduction), index)

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as luma."""
        return self._checked(decode_jpeg_grey(self.streams[index], self.is_ybr, reduction), index)

    def _checked(self, frame: UInt8Array | None, index: int) -> UInt8Array:
        if frame is None:
            raise does_not_decode(index, self.streams.rows, self.streams.columns)
        return 255 - frame if self.is_inverted else frame


def open_codestreams(
    frames: Sequence[memoryview], form: SampleFormat, attributes: Dataset, rows: int, columns: int
) -> FrameStore:
    """Open compressed frames; the codestream is believed where it contradicts the attributes.

    Args:
        frames: one codestream each, [T].
        form: how samples are to be understood.
        attributes: of the object.
        rows: H that each frame must decode to, px.
        columns: W, px.

    Raises:
        CineUnreadableError: the first one is no image that is known, or not of this size.
        CineUnsupportedError: another number of components than 1 and 3, or more than 16 bits.
    """
    first = read_header(frames[0])
    if first is None:
        raise does_not_decode(0, rows, columns)
    is_palette = form.interpretation == "PALETTE COLOR"
    if first.components not in ((1,) if is_palette else (1, 3)) or not 1 < first.precision_bits <= 16:
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found=f"compressed frames of {first.components} components of {first.precision_bits} bits",
            expected="1 or 3 components of 2 to 16 bits (1 with a palette)",
            advice="Export the cine as JPEG baseline.",
        )
    streams = _Streams(frames, first, rows, columns)
    is_scaled = first.codec is Codec.JPEG and first.precision_bits == 8 and not is_palette
    is_ybr = _is_ybr(streams, form, is_scaled)
    if is_scaled:
        return _ScaledJpegs(streams, is_ybr, is_inverted=form.interpretation == "MONOCHROME1")
    if first.components == 3 and form.interpretation.startswith("MONOCHROME"):
        form = replace(form, interpretation="RGB")
    elif first.components == 1 and not is_palette and not form.interpretation.startswith("MONOCHROME"):
        form = replace(form, interpretation="MONOCHROME2")
    return StoredFrames(streams, colours_of(_as_decoded(form, first), attributes, is_ybr), rows)


def _as_decoded(form: SampleFormat, header: CodestreamHeader) -> SampleFormat:
    """Fit the format to what decoders give: as many bytes as the precision needs, the lowest bits used."""
    allocated = 8 if header.precision_bits <= 8 else 16
    return replace(
        form, allocated_bits=allocated, stored_bits=min(form.stored_bits, header.precision_bits), shift_bits=0
    )


def _is_ybr(streams: _Streams, form: SampleFormat, is_scaled: bool) -> bool:
    """Tell whether three components are luma and chroma: from the codestream, the label, or a look at a frame."""
    first = streams.first
    if first.components == 1:
        return True
    if first.is_ybr is not None:
        return first.is_ybr
    index = len(streams.frames) // 2
    if is_scaled:
        stored = decode_jpeg_colour(streams[index], False, _COARSEST)
    else:
        samples = streams.samples(index, _COARSEST)
        step = max(1, len(samples) * _COARSEST // streams.rows)  # few pixels tell
        stored = np.asarray(samples[::step, ::step] >> max(0, first.precision_bits - 8), np.uint8)
    if stored is None:
        raise does_not_decode(index, streams.rows, streams.columns)
    claim = form.interpretation in YBR or (is_scaled and form.interpretation != "RGB")
    return settle_ybr(stored, claim)


def does_not_decode(index: int, rows: int, columns: int) -> CineUnreadableError:
    """Make the error of a frame that is damaged or not of its size."""
    return damaged_pixels(f"frame {index} that does not decode to {rows} x {columns} pixels")
