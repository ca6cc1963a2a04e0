"""Store a simulated cine as the files a site would send: npz, AVI, MP4 and DICOM."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from training.simulator.arrays import BoolArray, ByteArray
from training.simulator.cine import SimulatedCine
from training.simulator.truth.store import collect_arrays
from training.simulator.views.names import VIEW_CLASSES

US_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
UID_ROOT = "1.2.826.0.1.3680043.8.498."  # pydicom's own root
JPEG_QUALITY = 90
CENTIMETRE_UNIT = 3  # PS3.3 C.8.5.5.1.1, physical units code
NO_UNIT = 0
TISSUE_DATA, COLOUR_FLOW_DATA, PW_DATA, CW_DATA = 1, 2, 3, 4  # C.8.5.5.1.2, region data type
REGION_2D, REGION_M_MODE, REGION_SPECTRAL = 1, 2, 3  # C.8.5.5.1.1, region spatial format
_STRIP_TYPES = {
    "pw": (REGION_SPECTRAL, PW_DATA),
    "cw": (REGION_SPECTRAL, CW_DATA),
    "tissue": (REGION_SPECTRAL, PW_DATA),
    "sweep": (REGION_M_MODE, TISSUE_DATA),
    "scroll": (REGION_M_MODE, TISSUE_DATA),
}
DESCRIBED = (
    "view",
    "plane",
    "style",
    "variant",
    "kind",
    "seed",
    "lvef_fraction",
    "heart_rate_bpm",
    "lv_ed_volume_ml",
    "ed_frame",
    "es_frame",
    "sectors",
    "colour_fraction",
    "strip_px",
    "depth_mm",
    "probe_px",
    "is_flipped",
)
# C.8.5.6.1.1, fourth value of the image type: which modes are shown, as bits.
_MODE_BITS = {"pw": 0x0008, "cw": 0x0004, "tissue": 0x0008, "sweep": 0x0002, "scroll": 0x0002}


def describe(cine: SimulatedCine) -> dict[str, Any]:
    """Give what is known of a cine as plain JSON values; nothing that costs more than reading it."""
    truth = cine.truth
    return {
        "frame_times_ms": [round(float(time), 3) for time in cine.frame_times_ms],
        **{name: getattr(truth, name) for name in DESCRIBED},
        "pixel_spacing_mm": [round(spacing, 6) for spacing in truth.pixel_spacing_mm],
    }


def to_grey(frames: ByteArray) -> ByteArray:
    """Frames [T, H, W, C] to [T, H, W]."""
    if frames.shape[3] == 1:
        return frames[..., 0]
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]).astype(np.uint8)


def write_npz(cine: SimulatedCine, path: Path, with_truth: bool = False) -> None:
    """Write `frames` [T, H, W] uint8 and a JSON `meta`; with the truth also what `write_truth` writes."""
    arrays = _truth_arrays(cine) if with_truth else {}
    _write_arrays(path, {"frames": to_grey(cine.frames), "meta": json.dumps(describe(cine)), **arrays})


def write_truth(cine: SimulatedCine, path: Path) -> None:
    """Write the truth alone as npz: `meta`, `sector_mask` [H, W], `shares` [T, 5] of `view_names`, and what
    `truth.store` lists where a sector is shown.
    """
    _write_arrays(path, {"meta": json.dumps(describe(cine)), **_truth_arrays(cine)})


def write_avi(cine: SimulatedCine, path: Path) -> None:
    """Write Motion JPEG in AVI at the cine's mean frame rate."""
    _write_video(cine, path, "MJPG")


def write_mp4(cine: SimulatedCine, path: Path) -> None:
    """Write MPEG-4 part 2 in MP4 at the cine's mean frame rate."""
    _write_video(cine, path, "mp4v")


def write_dicom(cine: SimulatedCine, path: Path, transfer_syntax: str = "jpeg") -> None:
    """Write an Ultrasound Multi-frame Image.

    Args:
        cine: what to store.
        path: the file.
        transfer_syntax: `jpeg` (JPEG Baseline, YBR_FULL_422) or `raw` (uncompressed, MONOCHROME2 or RGB).

    Raises:
        ValueError: another transfer syntax was asked for.

    Reference:
        DICOM PS3.3 A.7, US Multi-frame IOD; C.7.6.5, Cine; C.8.5.5, US Region Calibration; C.8.5.6, US Image.
    """
    if transfer_syntax not in ("jpeg", "raw"):
        raise ValueError(f"unknown transfer syntax {transfer_syntax!r}, expected jpeg or raw")
    is_jpeg = transfer_syntax == "jpeg"
    dataset = Dataset()
    _add_identity(dataset, cine)
    _add_cine(dataset, cine)
    _add_regions(dataset, cine)
    _add_pixels(dataset, cine.frames, is_jpeg)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if is_jpeg else ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def frame_step_ms(cine: SimulatedCine) -> float:
    """Mean time between frames in ms; 33.3 for a single frame."""
    times = cine.frame_times_ms
    return float((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else 1000 / 30


def _truth_arrays(cine: SimulatedCine) -> dict[str, Any]:
    truth = cine.truth
    known = {"sector_mask": truth.sector_mask, "shares": truth.shares, "view_names": np.array(VIEW_CLASSES)}
    return known if truth.recording is None else {**known, **collect_arrays(truth.recording)}


def _write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write an npz archive whose bytes depend on the arrays alone: its entries bear no time of day."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _write_video(cine: SimulatedCine, path: Path, codec: str) -> None:
    """Write frames with OpenCV; sides must be even for most players, so an odd one is padded."""
    _, height, width, channels = cine.frames.shape
    size = (width + width % 2, height + height % 2)
    rate_hz = round(1000 / frame_step_ms(cine), 1)  # MPEG-4 part 2 counts time in at most 65535 steps a second
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate_hz, size)
    if not writer.isOpened():
        raise OSError(f"OpenCV could not open {path} for codec {codec}")
    for frame in cine.frames:
        colour = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_GRAY2BGR)
        writer.write(cv2.copyMakeBorder(colour, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT))
    writer.release()


def _add_identity(dataset: Dataset, cine: SimulatedCine) -> None:
    """Patient, study, series, equipment and SOP Common modules; nothing but a synthetic patient number."""
    truth = cine.truth
    times = f"{len(cine.frames)}x{frame_step_ms(cine):.3f}ms"
    what = f"{truth.view}-{truth.plane}-{truth.style}-{truth.variant}-{truth.kind}"
    name = f"{truth.seed}-{what}-{cine.frames.shape[1:]}-{times}"
    dataset.SOPClassUID = US_MULTI_FRAME
    dataset.SOPInstanceUID = _uid("instance", name)
    dataset.PatientName = "Simulated^Subject"
    dataset.PatientID = f"SIM{truth.seed:08d}"
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyInstanceUID = _uid("study", str(truth.seed))
    dataset.SeriesInstanceUID = _uid("series", f"{truth.seed}-{truth.style}")
    dataset.StudyID = str(truth.seed)
    dataset.StudyDate = dataset.ContentDate = "20200101"
    dataset.StudyTime = dataset.ContentTime = "120000"
    dataset.ReferringPhysicianName = dataset.AccessionNumber = ""
    dataset.Modality = "US"
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1 + VIEW_CLASSES.index(truth.view)
    dataset.Manufacturer = "Echoplane simulator"
    dataset.ManufacturerModelName = truth.style
    dataset.SoftwareVersions = "1"
    dataset.PatientOrientation = ""
    dataset.ImageType = ["DERIVED", "PRIMARY", "", f"{_modes(cine):04X}"]
    dataset.DerivationDescription = "Simulated image, no patient"


def _modes(cine: SimulatedCine) -> int:
    """The modes that are shown, as the image type's bits: 1 is two-dimensional, 10 hexadecimal is colour."""
    truth = cine.truth
    strip = _MODE_BITS[truth.kind.removesuffix("_full")] if truth.strip_px is not None else 0
    return int(truth.sectors > 0) | (0x0010 if truth.colour_fraction > 0 else 0) | strip


def _add_cine(dataset: Dataset, cine: SimulatedCine) -> None:
    """Cine, Multi-frame and US Image modules."""
    step_ms = frame_step_ms(cine)
    dataset.NumberOfFrames = len(cine.frames)
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = f"{step_ms:.6g}"
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = max(1, round(1000 / step_ms))
    dataset.HeartRate = round(cine.truth.heart_rate_bpm)
    dataset.LossyImageCompression = "00"


def _add_regions(dataset: Dataset, cine: SimulatedCine) -> None:
    """US Region Calibration module: each sector's box in cm a pixel, and that of a strip of time; none without them."""
    truth = cine.truth
    regions = [_sector_region(cine, mask) for mask in _sectors(cine)]
    if truth.strip_px is not None:
        region = _region(truth.strip_px)
        region.RegionSpatialFormat, region.RegionDataType = _STRIP_TYPES[truth.kind.removesuffix("_full")]
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = NO_UNIT
        region.PhysicalDeltaX = region.PhysicalDeltaY = 1.0
        regions.append(region)
    if regions:
        dataset.SequenceOfUltrasoundRegions = Sequence(regions)


def _sectors(cine: SimulatedCine) -> list[BoolArray]:
    """The mask [H, W] of each sector, from left to right."""
    mask, count = cine.truth.sector_mask, cine.truth.sectors
    if count < 2:
        return [mask] * count
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:count]
    return [labels == label for label in sorted(largest, key=lambda label: stats[label, cv2.CC_STAT_LEFT])]


def _sector_region(cine: SimulatedCine, mask: BoolArray) -> Dataset:
    """Region of one sector; the probe of the ordered view is its reference where it stands above it."""
    truth = cine.truth
    rows, columns = np.nonzero(mask)
    left, top, right = int(columns.min()), int(rows.min()), int(columns.max())
    region = _region((left, top, right, int(rows.max())))
    is_coloured = truth.colour_fraction > 0 and (truth.sectors == 1 or left > mask.shape[1] // 3)
    region.RegionSpatialFormat = REGION_2D
    region.RegionDataType = COLOUR_FLOW_DATA if is_coloured else TISSUE_DATA
    if left <= truth.probe_px[0] <= right:
        region.ReferencePixelX0 = round(truth.probe_px[0]) - left
        region.ReferencePixelY0 = round(truth.probe_px[1]) - top
        region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = CENTIMETRE_UNIT
    row_mm, column_mm = truth.pixel_spacing_mm
    region.PhysicalDeltaX, region.PhysicalDeltaY = column_mm / 10, row_mm / 10
    return region


def _region(box_px: tuple[int, int, int, int]) -> Dataset:
    """A region with its box: left, top, right, bottom."""
    region = Dataset()
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = box_px[:2]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = box_px[2:]
    return region


def _add_pixels(dataset: Dataset, frames: ByteArray, is_jpeg: bool) -> None:
    """Image Pixel module; JPEG frames are always colour, raw ones keep their channels."""
    count, height, width, channels = frames.shape
    dataset.Rows, dataset.Columns = height, width
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.SamplesPerPixel = 3 if is_jpeg else channels
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    if not is_jpeg:
        dataset.PhotometricInterpretation = "RGB" if channels == 3 else "MONOCHROME2"
        data = frames.tobytes()
        dataset.PixelData = data + b"\0" * (len(data) % 2)
        dataset["PixelData"].VR = "OB"
        return
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    coded = [_code_jpeg(frame) for frame in frames]
    dataset.PixelData = encapsulate(coded)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = f"{count * height * width * 3 / sum(map(len, coded)):.4g}"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"


def _code_jpeg(frame: ByteArray) -> bytes:
    """One frame [H, W, C] as baseline JPEG, YCbCr 4:2:2."""
    colour = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR if frame.shape[2] == 3 else cv2.COLOR_GRAY2BGR)
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    ]
    return bytes(cv2.imencode(".jpg", colour, options)[1].tobytes())


def _uid(kind: str, name: str) -> str:
    """A UID that depends on the names only."""
    return str(generate_uid(prefix=UID_ROOT, entropy_srcs=["echoplane simulator", kind, name]))
