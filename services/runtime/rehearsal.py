"""Loads all that a child ever loads, which opens no file, and rehearses, so that none initialises it anew."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable

import av.subtitles.codeccontext  # PyAV loads it at the first track of subtitles
import cv2
import imagecodecs
import numpy as np
from pydicom import dcmwrite
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

from services.cine.cine import UInt8Array
from services.cine.intake import IntakeOptions, take_in

_LOADED_AT_FIRST_USE = ("htj2k_decode", "jpeg2k_decode", "jpeg8_decode", "jpegls_decode", "packbits_decode")
"""What `services.cine` uses of imagecodecs, each an extension module of its own."""


def warm_up() -> Callable[[], None]:
    """Load what reading a cine loads at first use.

    Returns:
        The rehearsal: a video and a DICOM object are taken in.
    """
    for name in _LOADED_AT_FIRST_USE:
        getattr(imagecodecs, name)
    for name in python_encoding.values():
        codecs.lookup(name)
    samples = (sample_video(), sample_dicom())

    def rehearse() -> None:
        for data in samples:
            take_in(data, IntakeOptions())

    return rehearse


def _sample_frames() -> UInt8Array:
    """Make a wedge of noise that changes from frame to frame, [T, H, W]."""
    rows, columns = np.mgrid[:112, :112]
    wedge = np.abs(columns - 56) < rows / 2
    noise = np.random.default_rng(0).integers(0, 255, (12, 112, 112))
    return np.asarray(noise * wedge, np.uint8)


def sample_video() -> bytes:
    """Make a video of it: AVI with Motion JPEG."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=25, options={"strict": "unofficial"})
        stream.height, stream.width, stream.pix_fmt = 112, 112, "yuvj420p"
        for frame in _sample_frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())
    return buffer.getvalue()


def sample_dicom() -> bytes:
    """Make a DICOM object of it: ultrasound, JPEG baseline."""
    frames = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in _sample_frames()]
    dataset = Dataset()
    dataset.file_meta, dataset.preamble = FileMetaDataset(), bytes(128)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.SOPClassUID, dataset.SOPInstanceUID = UltrasoundMultiFrameImageStorage, "2.25.1"
    dataset.Modality, dataset.PhotometricInterpretation = "US", "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 112, 112, len(frames)
    dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.FrameTime = 1, 8, 40.0
    dataset.PixelData = encapsulate(frames)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()
