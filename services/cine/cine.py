"""What a cine loop is: frames that are decoded on demand, their times and spacing, and nobody's identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

UInt8Array = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
TimesArray = NDArray[np.float64]

REDUCTIONS = (1, 2, 4, 8)
"""Factors by which a frame may be decoded smaller: those that a JPEG decoder gives for free (scaled inverse DCT)."""


THUMBNAIL_SIDE_PX = 64
"""All frames are seen at this size or a little above: enough to find the sector and to tell frames apart."""

DEFAULT_FRAME_TIME_MS = 33.3
"""Where a file of several frames names no time at all."""


class CineFormat(StrEnum):
    """How the bytes of a cine are packed; MP4 stands for MOV too (ISO/IEC 14496-12)."""

    DICOM = "DICOM"
    AVI = "AVI"
    MP4 = "MP4"
    WEBM = "WEBM"
    GIF = "GIF"
    PNG = "PNG"
    JPEG = "JPEG"
    METAIMAGE = "METAIMAGE"
    NIFTI = "NIFTI"


class TimingSource(StrEnum):
    """Where the frame times come from (DICOM PS3.3 C.7.6.5, Cine Module; or the container)."""

    FRAME_TIME = "FrameTime"
    FRAME_TIME_VECTOR = "FrameTimeVector"
    CINE_RATE = "CineRate"
    RECOMMENDED_DISPLAY_FRAME_RATE = "RecommendedDisplayFrameRate"
    CONTAINER = "container"
    NONE = "none"


class FrameStore(Protocol):
    """Decodes single frames of one cine, in colour or grey, whole or reduced."""

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Decode one frame to RGB, [ceil(H/reduction), ceil(W/reduction), 3]."""

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Decode one frame to luma, [ceil(H/reduction), ceil(W/reduction)]."""


class RegionKind(StrEnum):
    """What a region shows (DICOM PS3.3 C.8.5.5.1.1 Region Spatial Format, C.8.5.5.1.2 Region Data Type)."""

    TISSUE = "TISSUE"
    COLOUR_FLOW = "COLOUR_FLOW"
    M_MODE = "M_MODE"
    SPECTRAL = "SPECTRAL"
    OTHER = "OTHER"


@dataclass(frozen=True)
class Region:
    """One calibrated region of an ultrasound image (DICOM PS3.3 C.8.5.5, US Region Calibration Module).

    Attributes:
        left_px, top_px, right_px, bottom_px: its box in the frame, px, right and bottom included.
        kind: what it shows.
        row_spacing_mm, column_spacing_mm: physical size of one pixel, mm; None where not in cm.
    """

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int
    kind: RegionKind
    row_spacing_mm: float | None
    column_spacing_mm: float | None


@dataclass(frozen=True)
class CineFacts:
    """What is told of a cine beside its pixels; nothing in it names a person.

    Attributes:
        format: how its bytes were packed.
        rows, columns: size of a frame, px.
        frame_count: T.
        duration_ms: from the start of the first frame to the start of the last, ms.
        timing_source: where the times come from.
        pixel_spacing_mm: of rows and columns, mm per px; None where the file does not say.
    """

    format: CineFormat
    rows: int
    columns: int
    frame_count: int
    duration_ms: float
    timing_source: TimingSource
    pixel_spacing_mm: tuple[float, float] | None


@dataclass(frozen=True)
class Cine:
    """A multi-frame acquisition, opened but not decoded.

    Attributes:
        format: how its bytes were packed.
        rows, columns: size of a frame, H and W, px.
        frame_times_ms: start of each frame since the first, shape [T], ms, rising from 0.
        timing_source: where the times come from.
        regions: calibrated regions, empty outside DICOM.
        is_ultrasound: False when the file itself names another modality.
        store: decodes its frames.
    """

    format: CineFormat
    rows: int
    columns: int
    frame_times_ms: TimesArray
    timing_source: TimingSource
    regions: tuple[Region, ...]
    is_ultrasound: bool
    store: FrameStore

    @property
    def frame_count(self) -> int:
        """T."""
        return len(self.frame_times_ms)

    @property
    def facts(self) -> CineFacts:
        """What is told of it beside its pixels."""
        return CineFacts(
            format=self.format,
            rows=self.rows,
            columns=self.columns,
            frame_count=self.frame_count,
            duration_ms=float(self.frame_times_ms[-1]),
            timing_source=self.timing_source,
            pixel_spacing_mm=self.pixel_spacing_mm,
        )

    @property
    def tissue_region(self) -> Region | None:
        """The largest region that DICOM calls two-dimensional tissue, or None."""
        tissue = [region for region in self.regions if region.kind is RegionKind.TISSUE]
        return max(tissue, key=_area_px, default=None)

    @property
    def pixel_spacing_mm(self) -> tuple[float, float] | None:
        """Row and column spacing of the tissue region, mm per px, or None where it is not known."""
        region = self.tissue_region
        if region is None or region.row_spacing_mm is None or region.column_spacing_mm is None:
            return None
        return region.row_spacing_mm, region.column_spacing_mm

    def grey_frames(self, indices: Sequence[int] | IntArray, reduction: int) -> UInt8Array:
        """Decode some frames to grey.

        Args:
            indices: which frames, each in [0, T).
            reduction: one of REDUCTIONS.

        Returns:
            Shape [N, ceil(H/reduction), ceil(W/reduction)].

        Raises:
            CineUnreadableError: a frame is damaged.
        """
        return np.stack([self.store.grey(int(index), reduction) for index in indices])

    def thumbnails(self) -> UInt8Array:
        """Decode all frames, grey and small: [T, h, w] with a short side of THUMBNAIL_SIDE_PX or up to twice that.

        Raises:
            CineUnreadableError: a frame is damaged.
        """
        reduction = self.reduction_for(min(self.rows, self.columns), THUMBNAIL_SIDE_PX)
        return self.grey_frames(range(self.frame_count), reduction)

    def reduction_for(self, side_px: int, wanted_px: int) -> int:
        """Choose the largest reduction that leaves at least `wanted_px` of a length of `side_px`."""
        return max((r for r in REDUCTIONS if side_px // r >= wanted_px), default=1)


def reduce_frame(frame: UInt8Array, reduction: int) -> UInt8Array:
    """Shrink one frame as a reduced decode would: [H, W] or [H, W, 3] to [ceil(H/reduction), ceil(W/reduction)]."""
    if reduction == 1:
        return frame
    size = (-(-frame.shape[1] // reduction), -(-frame.shape[0] // reduction))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _area_px(region: Region) -> int:
    return (region.right_px - region.left_px + 1) * (region.bottom_px - region.top_px + 1)
