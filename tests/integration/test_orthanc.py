"""Orthanc sends cines to the node by its own C-STORE, and has the reports in the studies of those cines."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    MPEG4HP41,
    ComprehensiveSRStorage,
    CTImageStorage,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from deploy.demo.gateway import running_gateway
from services.cine.cine import UInt8Array
from services.cine.views import View
from tests.builders import as_rgb, dicom_bytes, video_bytes, with_colour_box
from tests.integration.archives import Orthanc, orthanc
from tests.integration.nodes import Node, free_port, running_node, storescu, wait_for
from tests.integration.standard import dump, faults
from tests.unit.acquisition.cases import PATIENT
from training.simulator.cine import simulate_cine
from training.simulator.sets.writers import to_grey

PATIENCE_S = 90.0
KINDS = ("raw grey", "raw RGB", "colour box", "RLE", "JPEG", "JPEG-LS", "JPEG 2000", "MPEG-4 AVC")
REAL = (
    *("examples_ybr_color.dcm", "examples_rgb_color.dcm", "OBXXXX1A_rle_2frame.dcm", "US1_J2KR.dcm", "US1_UNCI.dcm"),
    *("US1_UNCR.dcm", "gdcm-US-ALOKA-16.dcm", "ExplVR_BigEnd.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm"),
)
"""Ultrasound of pydicom's, each under a UID of its own."""

OTHER_STUDY = {"StudyInstanceUID": "1.2.826.8.99", "SeriesInstanceUID": "1.2.826.8.99.1"}


@dataclass(frozen=True)
class Site:
    """Orthanc and a node that know each other, and a gateway behind the node."""

    node: Node
    peer: Orthanc

    def report_about(self, uid: str) -> str:
        """Wait until Orthanc has the report about an object, and give the report's name there."""
        return wait_for(lambda: next(iter(self.reports_about(uid)), None), PATIENCE_S)

    def reports_about(self, uid: str) -> list[str]:
        """Give the names of the reports that Orthanc has about an object."""
        return [found["ID"] for found in self.peer.reports() if source_of(self.peer.read(found["ID"])) == uid]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    with orthanc(folder, port) as peer, running_gateway(folder / "gateway.log") as gateway:
        settings = {"PORT": str(port), "REPORT_HOST": "127.0.0.1", "REPORT_TITLE": "ORTHANC"}
        settings |= {"GATEWAY_ADDRESS": gateway.address, "REPORT_PORT": str(peer.dicom_port)}
        with running_node(folder, settings) as node:
            yield Site(node, peer)


@pytest.fixture(scope="module")
def frames() -> UInt8Array:
    """Some frames of a simulated cine, halved, grey [T, H, W]."""
    return to_grey(simulate_cine(3, View.PLAX, "lvh").frames[::2, ::2, ::2])


def simulated(frames: UInt8Array, kind: str, study: int = 1) -> tuple[bytes, str]:
    """Write a simulated cine; give its bytes and its UID."""
    uid = f"1.2.826.8.{study}.{KINDS.index(kind) + 1}"
    named = PATIENT | {
        "SOPInstanceUID": uid,
        "StudyInstanceUID": f"1.2.826.8.{study}",
        "SeriesInstanceUID": "1.2.826.9",
    }
    syntax = {"RLE": RLELossless, "JPEG": "jpeg", "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
    if kind == "MPEG-4 AVC":
        stream = [video_bytes(frames, "h264", "libx264", "yuv420p")]
        return dicom_bytes(as_rgb(frames), MPEG4HP41, "YBR_PARTIAL_420", fragments=stream, **named), uid  # type: ignore[arg-type]
    if kind in ("raw RGB", "colour box"):
        coloured = with_colour_box(as_rgb(frames)) if kind == "colour box" else as_rgb(frames)
        return dicom_bytes(coloured, photometric="RGB", **named), uid  # type: ignore[arg-type]
    return dicom_bytes(frames, syntax.get(kind, "raw"), **named), uid  # type: ignore[arg-type]


def real(name: str) -> tuple[bytes, str]:
    """Read one of pydicom's; give its bytes and its UID."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    data = Path(str(path)).read_bytes()
    return data, str(dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID)


def source_of(report: bytes) -> str:
    [evidence] = dcmread(BytesIO(report)).CurrentRequestedProcedureEvidenceSequence
    return str(evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def assert_reported(site: Site, name: str, uid: str, folder: Path) -> None:
    """Expect the report of an object in its own study, as the standard wants it."""
    report = site.report_about(uid)
    assert site.peer.ask(f"instances/{report}/study")["ID"] == site.peer.ask(f"instances/{name}/study")["ID"]
    path = folder / "report.dcm"
    path.write_bytes(site.peer.read(report))
    assert faults(path) == []
    assert "Not a medical device" in dump(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_simulated_cine_comes_back_as_a_report_in_its_study(
    site: Site, frames: UInt8Array, tmp_path: Path, kind: str
) -> None:
    data, uid = simulated(frames, kind)
    name = site.peer.add(data)
    site.peer.send(name)
    assert_reported(site, name, uid, tmp_path)


@pytest.mark.parametrize("file", REAL)
def test_a_real_one_comes_back_as_a_report_in_its_study(site: Site, tmp_path: Path, file: str) -> None:
    data, uid = real(file)
    name = site.peer.add(data)
    site.peer.send(name)
    assert_reported(site, name, uid, tmp_path)


def test_dcmtk_sends_them_all_at_once_and_each_is_reported_once(site: Site, frames: UInt8Array, tmp_path: Path) -> None:
    paths, uids = [], []
    for kind in ("raw grey", "raw RGB", "colour box"):
        data, uid = simulated(frames, kind, study=2)
        uids.append(uid)
        paths.append(tmp_path / f"{uid}.dcm")
        paths[-1].write_bytes(data)
    with ThreadPoolExecutor(4) as pool:
        done = [sent.result() for sent in [pool.submit(storescu, site.node, *paths) for _ in range(4)]]
    assert [each.stderr.count("0x0000: Success") for each in done] == [len(paths)] * 4
    for uid in uids:
        site.report_about(uid)
        assert len(site.reports_about(uid)) == 1


def test_orthanc_sends_in_several_associations_at_once_and_twice(site: Site, frames: UInt8Array) -> None:
    written = [simulated(frames, kind, study=3) for kind in KINDS[:4]]
    names = [site.peer.add(data) for data, _ in written]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(site.peer.send, names + names))
    for _, uid in written:
        site.report_about(uid)
        assert len(site.reports_about(uid)) == 1


def test_orthanc_is_echoed(site: Site) -> None:
    assert site.peer.ask("modalities/echoplane/echo", b"{}") == {}


@pytest.mark.parametrize("sop_class", [CTImageStorage, ComprehensiveSRStorage])
def test_what_is_no_ultrasound_is_not_taken_and_what_comes_with_it_is(
    site: Site, frames: UInt8Array, sop_class: str
) -> None:
    data, uid = simulated(frames, "raw grey", study=4 + (sop_class == CTImageStorage))
    other = dicom_bytes(frames[:1], SOPClassUID=sop_class, **PATIENT | {"SOPInstanceUID": f"{uid}.1"} | OTHER_STUDY)  # type: ignore[arg-type]
    before, name = len(site.node.objects()), site.peer.add(other)
    with pytest.raises(HTTPError, match="500"):
        site.peer.send(name)
    site.peer.send(name, site.peer.add(data), is_permissive=True)
    site.report_about(uid)
    assert len(site.node.objects()) == before + 1


def test_every_report_that_stayed_at_the_node_is_as_the_standard_wants_it(site: Site) -> None:
    wait_for(lambda: len(site.node.reports()) == len(site.node.objects()), PATIENCE_S)
    assert len(reports := site.node.reports()) > len(KINDS)
    assert [fault for path in reports for fault in faults(path)] == []
