"""De-identification in confined processes, and through a node: into Orthanc, and killed at any moment."""

from __future__ import annotations

import io
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from deploy.demo.gateway import Gateway, running_gateway
from services.acquisition.deidentification.deidentify import deidentify
from services.acquisition.deidentification.job import WARM_PARENT, Deidentify
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.errors import InputError, Reason
from services.runtime.sandbox import Sandbox, SandboxLimits
from tests.builders import dicom_bytes, fan_frames, still_frames
from tests.identities import SYNTAXES, plant
from tests.integration.archives import Orthanc, orthanc
from tests.integration.nodes import Node, free_port, running_node, storescu, wait_for
from tests.integration.planting import archive
from tests.unit.acquisition.cases import PATIENT, PLANTED, UIDS

PATIENCE_S = 90.0
KILLS = 4
OBJECTS = 6
KEY = bytes(range(32))
JOB = Deidentify(KEY, ReadLimits())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxLimits(output_mib=8), warm_parent=WARM_PARENT) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway") / "log") as running:
        yield running


@pytest.mark.filterwarnings("ignore")  # pydicom's, about what is planted
@pytest.mark.parametrize("number", range(len(SYNTAXES)), ids=SYNTAXES)
def test_with_the_door_shut_every_syntax_is_cleaned_as_in_process(sandbox: Sandbox, number: int) -> None:
    planted, target = plant(number, SYNTAXES[number]), io.BytesIO()
    deidentify(planted.data, target, Pseudonyms(KEY), ReadLimits())
    assert sandbox.do(JOB, planted.data) == target.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no cine", Reason.FORMAT_UNKNOWN),
        (dicom_bytes(still_frames(), SOPInstanceUID="1.2.3"), Reason.IDENTITY_REMAINS),
        (dicom_bytes(fan_frames(60, 400, 400), SOPInstanceUID="1.2.3"), Reason.LIMIT_BYTES),
    ],
    ids=["no cine", "still", "too large"],
)
def test_what_cannot_be_cleaned_is_a_typed_error(sandbox: Sandbox, data: bytes, reason: Reason) -> None:
    with pytest.raises(InputError) as caught:
        sandbox.do(JOB, data)
    assert caught.value.reason is reason


def test_a_job_that_a_warm_parent_does_not_know_is_an_error_and_no_more() -> None:
    with Sandbox() as sandbox, pytest.raises(InputError) as caught:
        sandbox.do(JOB, dicom_bytes(fan_frames()))
    assert caught.value.reason is Reason.DECODER_CRASHED


def cine(folder: Path, number: int) -> Path:
    path = folder / f"{number}.dcm"
    attributes = UIDS | PATIENT | {"SOPInstanceUID": f"1.2.826.7.{number + 1}"}
    path.write_bytes(dicom_bytes(fan_frames(seed=number), **attributes))  # type: ignore[arg-type]
    return path


def instances(peer: Orthanc) -> dict[str, str]:
    """Give the study of what Orthanc has, by modality."""
    found = [peer.ask(f"instances/{one}/tags?simplify") for one in peer.ask("instances")]
    return {tags["Modality"]: tags["StudyInstanceUID"] for tags in found}


def test_object_and_report_arrive_in_orthanc_together_and_name_nobody(gateway: Gateway, tmp_path: Path) -> None:
    with orthanc(tmp_path, port := free_port()) as peer:
        settings = {"PORT": str(port), "REPORT_HOST": "127.0.0.1", "REPORT_TITLE": "ORTHANC", "IDENTITY": "removed"}
        settings |= {"GATEWAY_ADDRESS": gateway.address, "REPORT_PORT": str(peer.dicom_port)}
        with running_node(tmp_path, settings) as node:
            assert "0x0000: Success" in storescu(node, cine(tmp_path, 0)).stderr
            wait_for(lambda: len(peer.ask("instances")) == 2, PATIENCE_S)
        assert set(instances(peer)) == {"US", "SR"}
        assert len(set(instances(peer).values())) == 1
    kept = list((node.inbox / "objects").iterdir())
    assert sorted(path.name.partition(".")[2] for path in kept) == ["clean.dcm", "json", "sr.dcm"]
    assert not [planted for planted in PLANTED for path in kept if planted.encode() in path.read_bytes()]
    [report] = [path for path in kept if path.name.endswith(".sr.dcm")]
    told = subprocess.run(["dciodvfy", report], capture_output=True, text=True, check=False)
    assert "Error" not in told.stderr, told.stderr


@pytest.mark.timeout(300)
def test_killed_at_any_moment_it_loses_nothing_and_passes_nobody_on(gateway: Gateway, tmp_path: Path) -> None:
    files, told, is_over = [cine(tmp_path, number) for number in range(OBJECTS)], set[Path](), threading.Event()

    def scan(node: Node) -> None:
        while len(told) < len(files) and not is_over.is_set():
            told.update(path for path in files if path not in told and "0x0000" in storescu(node, path).stderr)

    with archive(tmp_path / "archive") as port:
        settings = {"GATEWAY_ADDRESS": gateway.address, "REPORT_HOST": "127.0.0.1", "REPORT_PORT": str(port)}
        settings |= {"PORT": str(free_port()), "IDENTITY": "removed"}
        rng, scanner = random.Random(1), None
        for _ in range(KILLS):
            with running_node(tmp_path, settings) as node:
                if scanner is None:
                    scanner = threading.Thread(target=scan, args=(node,))
                    scanner.start()
                time.sleep(rng.uniform(2.0, 8.0))  # the first object is cleaned once all is loaded
                node.process.kill()
                node.process.wait()
        with running_node(tmp_path, settings) as node:
            wait_for(lambda: len(list((node.inbox / "objects").glob("*.sr.dcm"))) == OBJECTS, PATIENCE_S)
            is_over.set()
            wait_for(lambda: len(uids(tmp_path / "archive")) == 2 * OBJECTS, PATIENCE_S)
    assert {path.name.partition(".")[2] for path in (node.inbox / "objects").iterdir()} == {
        "clean.dcm",
        "sr.dcm",
        "json",
    }
    everything = b"".join(path.read_bytes() for path in [*node.inbox.rglob("*.*"), *(tmp_path / "archive").iterdir()])
    assert not [planted for planted in PLANTED if planted.encode() in everything]


def uids(folder: Path) -> set[str]:
    """Give the UIDs of all that an archive was sent; the same file twice is one."""
    sent = {path.read_bytes()[128:] for path in folder.iterdir()}
    found = {str(dcmread(io.BytesIO(bytes(128) + data)).SOPInstanceUID) for data in sent}
    assert len(found) == len(sent), "one object was passed on in two versions"
    return found
