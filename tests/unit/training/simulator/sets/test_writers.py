"""Every file that is written can be read back with other people's readers."""

import json
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.sets.writers import to_grey, write_avi, write_dicom, write_mp4, write_npz, write_truth
from training.simulator.truth.masks import STRUCTURES, structure_masks

CAVITY = STRUCTURES["lv_cavity"]


@pytest.fixture(scope="module", params=["b_mode", "colour_doppler"])
def cine(request: pytest.FixtureRequest) -> SimulatedCine:
    return simulate_cine(3, "A4C", "dynamic", variant=request.param, frame_times_ms=np.arange(4) * 20.0)


def test_npz_holds_grey_frames_and_json_meta(cine: SimulatedCine, tmp_path: Path) -> None:
    write_npz(cine, tmp_path / "a.npz")
    archive = np.load(tmp_path / "a.npz")
    meta = json.loads(str(archive["meta"]))
    assert archive["frames"].shape == (4, 112, 112)
    assert (meta["view"], meta["plane"]) == ("A4C", cine.truth.plane)
    assert meta["frame_times_ms"][1] == 20.0
    assert meta["lvef_fraction"] == pytest.approx(cine.truth.lvef_fraction)
    assert sorted(archive.files) == ["frames", "meta"]


def test_npz_with_truth_holds_all_of_it_with_a_row_a_frame(cine: SimulatedCine, tmp_path: Path) -> None:
    write_npz(cine, tmp_path / "a.npz", with_truth=True)
    write_truth(cine, tmp_path / "b.npz")
    both, alone = np.load(tmp_path / "a.npz"), np.load(tmp_path / "b.npz")
    assert set(both.files) == {*alone.files, "frames"}
    assert np.array_equal(both["sector_mask"], cine.truth.sector_mask)
    assert both["displacement_mm"].shape == (3, 112, 112, 2)
    assert both["leaves"].shape == both["enters"].shape == (3, 112, 112)
    names = both["structure_names"].tolist()
    cavity = both["structures"] == names.index("lv_cavity")
    spacing = np.prod(cine.truth.pixel_spacing_mm)
    assert cine.truth.recording is not None
    shown = structure_masks(cine.truth.recording, ["lv_cavity"])["lv_cavity"]
    assert np.array_equal(cavity, shown)
    assert (cavity.sum(axis=(1, 2)) * spacing <= both["lv_area_mm2"] * 1.03).all()  # the sector may cut it
    assert both["landmarks_px"].shape == (4, len(both["landmark_names"]), 2)
    voxels = np.isin(both["volume_ed"], [both["label_names"].tolist().index(name) for name in CAVITY]).sum()
    assert voxels * 8 / 1000 == pytest.approx(cine.truth.lv_ed_volume_ml, rel=0.03)
    assert (both["lv_volume_ml"] <= cine.truth.lv_ed_volume_ml * 1.0001).all()


def test_a_cine_without_a_sector_has_little_truth(tmp_path: Path) -> None:
    made = simulate_cine(3, "A4C", "dynamic", variant="text", frame_times_ms=np.arange(2) * 20.0, size_px=64)
    write_truth(made, tmp_path / "a.npz")
    archive = np.load(tmp_path / "a.npz")
    assert sorted(archive.files) == ["meta", "sector_mask", "shares", "view_names"]
    assert archive["shares"][:, archive["view_names"].tolist().index("OTHER")].tolist() == [1, 1]


@pytest.mark.parametrize(("write", "name"), [(write_avi, "a.avi"), (write_mp4, "a.mp4")])
def test_video_reads_back_with_the_same_frames_and_rate(cine: SimulatedCine, tmp_path: Path, write, name: str) -> None:  # type: ignore[no-untyped-def]
    write(cine, tmp_path / name)
    video = cv2.VideoCapture(str(tmp_path / name))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(50, abs=0.5)
    read = np.stack([video.read()[1] for _ in range(4)]).mean(axis=3)
    assert np.abs(read - cine.frames.mean(axis=3)).mean() < 8


def test_raw_dicom_gives_back_the_very_pixels(cine: SimulatedCine, tmp_path: Path) -> None:
    write_dicom(cine, tmp_path / "a.dcm", "raw")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert np.array_equal(dataset.pixel_array.reshape(cine.frames.shape), cine.frames)
    assert dataset.PhotometricInterpretation == ("RGB" if cine.frames.shape[3] == 3 else "MONOCHROME2")


def test_jpeg_dicom_decodes_close_to_the_pixels(cine: SimulatedCine, tmp_path: Path) -> None:
    write_dicom(cine, tmp_path / "a.dcm", "jpeg")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.PhotometricInterpretation == "YBR_FULL_422"
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
    frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=4))
    read = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(read.mean(axis=2) - cine.frames[0].mean(axis=2)).mean() < 4


def test_dicom_tells_time_and_centimetres(cine: SimulatedCine, tmp_path: Path) -> None:
    write_dicom(cine, tmp_path / "a.dcm", "raw")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    region = dataset.SequenceOfUltrasoundRegions[0]
    assert float(dataset.FrameTime) == pytest.approx(20)
    assert dataset.NumberOfFrames == 4
    assert region.PhysicalUnitsXDirection == 3
    row_mm, column_mm = cine.truth.pixel_spacing_mm
    assert (region.PhysicalDeltaX * 10, region.PhysicalDeltaY * 10) == pytest.approx((column_mm, row_mm))


@pytest.mark.parametrize(
    ("variant", "kind", "modes", "regions"),
    [
        ("split", "two_views", "0001", [(1, 1), (1, 1)]),
        ("dual", "box", "0011", [(1, 1), (1, 2)]),
        ("spectral", "pw", "0009", [(1, 1), (3, 3)]),
        ("spectral", "cw_full", "0004", [(3, 4)]),
        ("m_mode", "sweep", "0003", [(1, 1), (2, 1)]),
        ("text", "menu", "0000", []),
    ],
)
def test_dicom_names_modes_and_regions_of_a_variant(
    variant: str, kind: str, modes: str, regions: list[tuple[int, int]], tmp_path: Path
) -> None:
    times_ms = np.arange(2) * 20.0
    made = simulate_cine(3, "A4C", "lvh", variant=variant, kind=kind, frame_times_ms=times_ms, size_px=112)
    write_dicom(made, tmp_path / "a.dcm", "raw")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    named = dataset.get("SequenceOfUltrasoundRegions", [])
    assert dataset.ImageType[3] == modes
    assert [(region.RegionSpatialFormat, region.RegionDataType) for region in named] == regions
    for region in named:
        assert 0 <= region.RegionLocationMinX0 < region.RegionLocationMaxX1 < 112
        assert 0 <= region.RegionLocationMinY0 < region.RegionLocationMaxY1 < 112


def test_same_cine_gets_the_same_identifiers(cine: SimulatedCine, tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        write_dicom(cine, tmp_path / name, "raw")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_unknown_transfer_syntax_is_refused(cine: SimulatedCine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jpeg or raw"):
        write_dicom(cine, tmp_path / "a.dcm", "mpeg2")


def test_grey_frames_drop_the_channel_axis() -> None:
    assert to_grey(np.zeros((2, 4, 4, 3), np.uint8)).shape == (2, 4, 4)
    assert to_grey(np.zeros((2, 4, 4, 1), np.uint8)).shape == (2, 4, 4)
