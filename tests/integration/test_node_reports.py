"""From a scanner through the node and a real gateway into an archive, also when one of them is killed."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.gateway import Gateway, running_gateway
from tests.builders import dicom_bytes, fan_frames
from tests.integration.archives import Orthanc, Shelf, orthanc, shelf
from tests.integration.nodes import Node, free_port, running_node, storescu, wait_for
from tests.unit.acquisition.cases import PATIENT, UIDS

PATIENCE_S = 60.0
KILLS = 12


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway") / "log") as running:
        yield running


@pytest.fixture
def archive() -> Iterator[Shelf]:
    with shelf() as opened:
        yield opened


def cine(folder: Path, number: int = 0) -> tuple[Path, str]:
    """Write a cine that is read; give its file and UID."""
    uid = f"1.2.826.7.{number + 1}"
    path = folder / f"{number}.dcm"
    path.write_bytes(dicom_bytes(fan_frames(seed=number), **UIDS | PATIENT | {"SOPInstanceUID": uid}))  # type: ignore[arg-type]
    return path, uid


def towards(gateway: str, archive: Shelf | None = None) -> dict[str, str]:
    """Give the node's settings that name both."""
    report = {} if archive is None else {"REPORT_HOST": "127.0.0.1", "REPORT_PORT": str(archive.port)}
    return {"GATEWAY_ADDRESS": gateway} | report


def reports_in(node: Node) -> list[Path]:
    return sorted((node.inbox / "objects").glob("*.sr.dcm"))


def is_sent(node: Node, path: Path) -> bool:
    return "0x0000: Success" in storescu(node, path).stderr


def test_a_report_arrives_as_it_was_written(gateway: Gateway, archive: Shelf, tmp_path: Path) -> None:
    path, uid = cine(tmp_path)
    with running_node(tmp_path, towards(gateway.address, archive)) as node:
        assert is_sent(node, path)
        wait_for(lambda: archive.taken, PATIENCE_S)
        [report] = reports_in(node)
        assert report.read_bytes().endswith(archive.taken[0])
        assert archive.sources() == {uid}
        assert report.with_name(report.name.replace(".sr.dcm", ".json")).exists()
        assert b"E: " not in subprocess.run(["dsrdump", report], check=True, capture_output=True).stderr


def test_while_the_gateway_is_away_it_receives_and_then_catches_up(tmp_path: Path, archive: Shelf) -> None:
    port = free_port()
    with running_node(tmp_path, towards(f"127.0.0.1:{port}", archive)) as node:
        files = [cine(tmp_path, number) for number in range(3)]
        assert all(is_sent(node, path) for path, _ in files)
        wait_for(lambda: [e for e in node.events() if e["event"] == "object_stopped"], PATIENCE_S)
        assert not archive.taken
        with running_gateway(tmp_path / "gateway.log", {"PORT": str(port)}):
            wait_for(lambda: archive.sources() == {uid for _, uid in files}, PATIENCE_S)
        assert len(archive.taken) == 3


def test_while_the_archive_is_away_reports_wait(gateway: Gateway, tmp_path: Path) -> None:
    path, uid = cine(tmp_path)
    with running_node(tmp_path, towards(gateway.address, Shelf(port := free_port()))) as node:
        assert is_sent(node, path)
        wait_for(lambda: [e for e in node.events() if e["event"] == "object_stopped"], PATIENCE_S)
        with shelf(port) as archive:
            archive.answers += [0xA700, 0xC000]
            wait_for(lambda: archive.sources() == {uid}, PATIENCE_S)
        assert [e["reason"] for e in node.events() if e["event"] == "object_stopped"] == ["STORAGE"] * 3


def test_a_kept_answer_makes_the_same_report_again(gateway: Gateway, tmp_path: Path, archive: Shelf) -> None:
    path, _ = cine(tmp_path)
    archive.answers += [0xA700] * 100
    with running_node(tmp_path, towards(gateway.address, archive)) as node:
        assert is_sent(node, path)
        [first] = wait_for(lambda: reports_in(node), PATIENCE_S)
        before = first.read_bytes()
        node.process.kill()
        node.process.wait()
    first.unlink()
    archive.answers.clear()
    with running_node(tmp_path, towards("127.0.0.1:1", archive)):
        wait_for(lambda: archive.taken, PATIENCE_S)
    assert first.read_bytes() == before


def test_killed_at_any_moment_it_reports_everything_once(gateway: Gateway, tmp_path: Path, archive: Shelf) -> None:
    files = [cine(tmp_path, number) for number in range(30)]
    settings = towards(gateway.address, archive) | {"PORT": str(free_port())}
    told, is_over = set[str](), threading.Event()

    def scan(node: Node) -> None:
        while len(told) < len(files) and not is_over.is_set():
            for path, uid in files:
                if uid not in told and is_sent(node, path):
                    told.add(uid)

    rng, scanner = random.Random(1), None
    for _ in range(KILLS):
        with running_node(tmp_path, settings) as node:
            if scanner is None:
                scanner = threading.Thread(target=scan, args=(node,))
                scanner.start()
            time.sleep(rng.uniform(0, 1.5))
            node.process.kill()
            node.process.wait()
    with running_node(tmp_path, settings) as node:
        wait_for(lambda: archive.sources() == {uid for _, uid in files}, PATIENCE_S)
        is_over.set()
    assert scanner is not None
    scanner.join()
    assert len(set(archive.taken)) == len(files), "a report was sent in two versions"
    assert len(node.objects()) == len(reports_in(node)) == len(files)


def modalities(peer: Orthanc) -> set[str]:
    """Give those of the only study that it has."""
    [study] = peer.ask("studies")
    return {peer.ask(f"series/{one}")["MainDicomTags"]["Modality"] for one in peer.ask(f"studies/{study}")["Series"]}


def test_orthanc_sends_a_cine_and_has_the_report_in_its_study(gateway: Gateway, tmp_path: Path) -> None:
    path, _ = cine(tmp_path)
    port = free_port()
    with orthanc(tmp_path, port) as peer:
        settings = {"PORT": str(port), "REPORT_HOST": "127.0.0.1", "REPORT_TITLE": "ORTHANC"}
        settings |= {"GATEWAY_ADDRESS": gateway.address, "REPORT_PORT": str(peer.dicom_port)}
        with running_node(tmp_path, settings) as node:
            stored = peer.ask("instances", path.read_bytes())
            assert peer.ask("modalities/echoplane/store", stored["ID"].encode())["FailedInstancesCount"] == 0
            wait_for(lambda: len(peer.ask("instances")) == 2, PATIENCE_S)
            assert modalities(peer) == {"US", "SR"}
            assert len(node.objects()) == 1
