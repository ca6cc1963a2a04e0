"""DICOM pixels against second implementations: DCMTK writes them, pydicom and Pillow read the same bytes."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import openjpeg
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, FrameStore, UInt8Array
from services.cine.dicom.attributes import parse, whole_number
from services.cine.dicom.pixels import frame_count_of, open_pixels
from services.cine.dicom.reader import read_dicom
from services.cine.errors import InputError, Reason
from tests.builders import LOSSLESS_CODECS, as_rgb, dicom_bytes, fan_frames, region_item

FRAMES = fan_frames(3, 61, 90)
COLOURED = as_rgb(FRAMES, (1.0, 0.8, 0.6))
DEEP = FRAMES.astype(np.uint16) * 16 + np.arange(16, dtype=np.uint16)[np.arange(90) % 16]  # 12 bits


def read(data: bytes) -> Cine:
    return read_dicom(data, ReadLimits())


# ---- DCMTK ----------------------------------------------------------------------------------------------------------


def dcmtk(folder: Path, data: bytes, *command: str) -> bytes:
    """Let one of DCMTK's programs rewrite a file."""
    source, target = folder / "in.dcm", folder / "out.dcm"
    source.write_bytes(data)
    subprocess.run([command[0], *command[1:], source, target], check=True, capture_output=True, timeout=60)
    return target.read_bytes()


LOSSLESS = {
    "JPEG lossless SV1": ("dcmcjpeg", "+e1"),
    "JPEG lossless, predictor 4": ("dcmcjpeg", "+el", "+sv", "4"),
    "JPEG lossless in small fragments": ("dcmcjpeg", "+e1", "+fs", "1"),
    "JPEG lossless in small fragments, no table": ("dcmcjpeg", "+e1", "+fs", "1", "-ot"),
    "JPEG-LS by line": ("dcmcjpls", "+el", "+il"),
    "JPEG-LS by sample": ("dcmcjpls", "+el", "+is"),
    "JPEG-LS by plane": ("dcmcjpls", "+el", "+in"),
    "JPEG-LS in small fragments": ("dcmcjpls", "+el", "+fs", "1"),
    "RLE": ("dcmcrle",),
    "RLE in small fragments": ("dcmcrle", "+fs", "1"),
    "big endian": ("dcmconv", "+tb"),
    "implicit": ("dcmconv", "+ti"),
    "deflated": ("dcmconv", "+td"),
    "undefined lengths": ("dcmconv", "+te", "-e"),
}


@pytest.mark.parametrize("way", LOSSLESS)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("stored", "bits"), [(FRAMES, 8), (DEEP, 12), (DEEP * 16 + 3, 16)], ids=["8", "12", "16"])
def test_grey_that_dcmtk_stored_is_bit_exact(
    tmp_path: Path, way: str, photometric: str, stored: NDArray[Any], bits: int
) -> None:
    cine = read(dcmtk(tmp_path, dicom_bytes(stored, "raw", photometric, BitsStored=bits), *LOSSLESS[way]))
    wanted = (stored >> (bits - 8)).astype(np.uint8)
    assert np.array_equal(cine.grey_frames(range(3), 1), 255 - wanted if photometric == "MONOCHROME1" else wanted)


@pytest.mark.parametrize("way", LOSSLESS)
@pytest.mark.parametrize("planar", [0, 1])
def test_colour_that_dcmtk_stored_is_bit_exact(tmp_path: Path, way: str, planar: int) -> None:
    count = 1 if planar else 3  # DCMTK 3.6.7 mixes the planes of several frames up when it makes JPEG of them
    cine = read(dcmtk(tmp_path, dicom_bytes(COLOURED[:count], "raw", "RGB", planar), *LOSSLESS[way]))
    assert all(np.array_equal(cine.store.colour(k, 1), COLOURED[k]) for k in range(count))


LOSSY = {
    "baseline": ("dcmcjpeg", "+eb"),
    "baseline of RGB": ("dcmcjpeg", "+eb", "+cr"),
    "baseline 4:4:4": ("dcmcjpeg", "+eb", "+s4"),
    "extended": ("dcmcjpeg", "+ee"),
    "extended, 12 bits": ("dcmcjpeg", "+ee", "+bt"),
    "progressive": ("dcmcjpeg", "+ep"),
    "near-lossless": ("dcmcjpls", "+en"),
}


@pytest.mark.parametrize("way", LOSSY)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "RGB"])
def test_lossy_pixels_are_what_dcmtk_decodes(tmp_path: Path, way: str, photometric: str) -> None:
    stored = COLOURED if photometric == "RGB" else FRAMES
    if "12" in way and photometric == "MONOCHROME2":
        stored = DEEP
    bits = 12 if stored is DEEP else 8
    encoded = dcmtk(tmp_path, dicom_bytes(stored, "raw", photometric, BitsStored=bits), *LOSSY[way])
    decode = ("dcmdjpls",) if LOSSY[way][0] == "dcmcjpls" else ("dcmdjpeg", "+cn")  # luma and chroma as they are
    decoded = read(dcmtk(tmp_path, encoded, *decode))
    cine = read(encoded)
    difference = cine.grey_frames(range(3), 1).astype(int) - decoded.grey_frames(range(3), 1)
    assert np.abs(difference).max() <= 1


# ---- pydicom's encoders ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(("stored", "photometric"), [(FRAMES, "MONOCHROME2"), (DEEP, "MONOCHROME2"), (COLOURED, "RGB")])
def test_what_pydicom_compressed_is_bit_exact(syntax: Any, stored: NDArray[Any], photometric: str) -> None:
    bits = 12 if stored is DEEP else 8
    dataset = dcmread(io.BytesIO(dicom_bytes(stored, "raw", photometric, BitsStored=bits)))
    dataset.SOPInstanceUID = "1.2.3"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.compress(syntax, generate_instance_uid=False)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    store = read(buffer.getvalue()).store
    for index in range(3):
        wanted = (stored[index] >> (bits - 8)).astype(np.uint8)
        assert np.array_equal(store.colour(index, 1) if photometric == "RGB" else store.grey(index, 1), wanted)


@pytest.mark.parametrize(
    ("stored", "photometric"),
    [(FRAMES, "MONOCHROME2"), (DEEP, "MONOCHROME2"), (COLOURED, "YBR_RCT"), (COLOURED, "RGB")],
)
def test_what_another_openjpeg_compressed_is_bit_exact(stored: NDArray[Any], photometric: str) -> None:
    bits = 12 if stored is DEEP else 8
    header = {
        "rows": 61,
        "columns": 90,
        "samples_per_pixel": 3 if stored is COLOURED else 1,
        "bits_stored": bits,
        "pixel_representation": 0,
    }
    fragments = [
        bytes(openjpeg.encode_pixel_data(frame.tobytes(), photometric_interpretation=photometric, **header))
        for frame in stored
    ]
    store = read(dicom_bytes(stored, JPEG2000Lossless, photometric, fragments=fragments, BitsStored=bits)).store
    for index in range(3):
        wanted = (stored[index] >> (bits - 8)).astype(np.uint8)
        assert np.array_equal(store.colour(index, 1) if stored is COLOURED else store.grey(index, 1), wanted)


READ_AND_TELL_IMPORTS = """
import pathlib, sys
from services.cine.budget import ReadLimits
from services.cine.reading import read_cine
before = set(sys.modules)
for path in pathlib.Path(sys.argv[1]).iterdir():
    cine = read_cine(path.read_bytes(), ReadLimits())
    cine.thumbnails(), cine.store.colour(0, 1)
    assert cine.regions and cine.timing_source == "FrameTimeVector"
print(*sorted(set(sys.modules) - before))
"""


def test_no_module_is_imported_while_a_cine_is_read(tmp_path: Path) -> None:
    """The sandbox has no file system to import from, and what pydicom fails to convert counts as absent."""
    timing = {"FrameTime": None, "FrameTimeVector": [0, 20, 30]}
    for syntax in ("raw", "jpeg", *LOSSLESS_CODECS):
        data = dicom_bytes(FRAMES, syntax, SequenceOfUltrasoundRegions=[region_item(0, 0, 50, 50)], **timing)
        (tmp_path / f"{syntax}.dcm").write_bytes(data)
    command = [sys.executable, "-c", READ_AND_TELL_IMPORTS, tmp_path]
    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip() == ""


# ---- the files that come with pydicom -------------------------------------------------------------------------------

FOLDERS = (Path(pydicom.__file__).parent / "data" / "test_files", Path(data_store.__file__).parent)

REFUSED = {
    "SC_rgb_32bit.dcm": Reason.PIXELS_UNSUPPORTED,
    "SC_rgb_32bit_2frame.dcm": Reason.PIXELS_UNSUPPORTED,
    "SC_rgb_expb_32bit.dcm": Reason.PIXELS_UNSUPPORTED,
    "SC_rgb_expb_32bit_2frame.dcm": Reason.PIXELS_UNSUPPORTED,
    "SC_rgb_rle_32bit.dcm": Reason.PIXELS_UNSUPPORTED,
    "SC_rgb_rle_32bit_2frame.dcm": Reason.PIXELS_UNSUPPORTED,
}
BY_PILLOW = ("JPGLosslessP14SV1_1s_1f_8b.dcm", "SC_rgb_jpeg_gdcm.dcm")
"""JPEG lossless, for which pydicom has no decoder of its own."""
LITTLE_ENDIAN_TWIN = {
    "OBXXXX1A_expb.dcm": "OBXXXX1A.dcm",
    "OBXXXX1A_expb_2frame.dcm": "OBXXXX1A_2frame.dcm",
}
"""pydicom takes the words of a big-endian palette for little-endian ones; the same image exists in both."""


def images() -> Iterator[Path]:
    """Find the images of modality US and OT (a scanner's screen is often called that)."""
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.dcm")):
            with warnings.catch_warnings(action="ignore"):  # some are damaged on purpose
                dataset = dcmread(path, force=True, specific_tags=["Modality", "Rows"])
            if dataset.get("Modality") in ("US", "OT") and "Rows" in dataset:
                yield path


IMAGES = {path.name: path for path in images()}


def opened(path: Path) -> tuple[FrameStore, int]:
    """Open the pixels, of whatever modality."""
    found = parse(path.read_bytes(), ReadLimits())
    rows, columns = (whole_number(found.attributes, keyword) for keyword in ("Rows", "Columns"))
    count = frame_count_of(found, rows, columns)
    assert found.pixels is not None
    return open_pixels(found, found.pixels, (count, rows, columns), ReadLimits()), count


def by_pydicom(path: Path) -> UInt8Array:
    """Decode with pydicom, [T, H, W] or [T, H, W, 3], to 8 bits."""
    dataset = dcmread(path, force=True)
    dataset.file_meta.TransferSyntaxUID = dataset.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    if path.name in BY_PILLOW:
        return np.asarray(Image.open(io.BytesIO(next(generate_frames(dataset.PixelData, number_of_frames=1)))))[None]
    if path.name in LITTLE_ENDIAN_TWIN:
        return by_pydicom(IMAGES[LITTLE_ENDIAN_TWIN[path.name]])
    decoded = pixel_array(dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        decoded = apply_color_lut(decoded, dataset)
        return np.asarray(decoded >> (8 * decoded.itemsize - 8), np.uint8).reshape(-1, *decoded.shape[-3:])
    shape = decoded.shape[-3:] if dataset.SamplesPerPixel == 3 else decoded.shape[-2:]
    if dataset.PixelRepresentation:
        decoded = decoded.astype(int) + 2 ** (dataset.BitsStored - 1)
    return np.asarray(decoded >> (dataset.BitsStored - 8), np.uint8).reshape(-1, *shape)


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_files_of_pydicom_are_read_as_pydicom_reads_them(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(InputError) as caught:
            opened(IMAGES[name])
        assert caught.value.reason is REFUSED[name]
        return
    store, count = opened(IMAGES[name])
    with warnings.catch_warnings(action="ignore"):  # pydicom tells what it forgives
        wanted = by_pydicom(IMAGES[name])
    assert len(wanted) == count
    for index in range(0, count, 10):
        ours = store.colour(index, 1) if wanted.ndim == 4 else store.grey(index, 1)
        assert np.abs(ours.astype(int) - wanted[index]).max() <= 1


def test_the_table_of_refusals_names_files_that_exist() -> None:
    assert set(REFUSED) | set(BY_PILLOW) | set(LITTLE_ENDIAN_TWIN) <= set(IMAGES)
    assert len(IMAGES) > 50
