"""From a scanner through the node and a real gateway into an archive, also when one of them is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from deploy.demo.gateway import Gateway, running_gateway
from services.acquisition.inbox_list import InboxList
from tests.builders import dicom_bytes, fan_frames
from tests.integration.archives import Shelf, shelf
from tests.integration.nodes import Node, echoscu, free_port, running_node, storescu, wait_for
from tests.unit.acquisition.cases import PATIENT, UIDS

PATIENCE_S = 60.0


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


def is_sent(node: Node, path: Path) -> bool:
    return "0x0000: Success" in storescu(node, path).stderr


def test_a_report_arrives_as_it_was_written(gateway: Gateway, archive: Shelf, tmp_path: Path) -> None:
    path, uid = cine(tmp_path)
    with running_node(tmp_path, towards(gateway.address, archive)) as node:
        assert is_sent(node, path)
        wait_for(lambda: archive.taken, PATIENCE_S)
        [report] = node.reports()
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
        [first] = wait_for(node.reports, PATIENCE_S)
        before = first.read_bytes()
        node.process.kill()
        node.process.wait()
    first.unlink()
    archive.answers.clear()
    with running_node(tmp_path, towards("127.0.0.1:1", archive)):
        wait_for(lambda: archive.taken, PATIENCE_S)
    assert first.read_bytes() == before


def test_what_failed_is_tried_again_beside_the_running_node(gateway: Gateway, tmp_path: Path) -> None:
    whole = dcmread(cine(tmp_path)[0])
    del whole.PixelData
    whole.save_as(path := tmp_path / "empty.dcm")
    with running_node(tmp_path, towards(gateway.address)) as node:
        assert is_sent(node, path)
        seen = InboxList(node.inbox)
        [failed] = wait_for(seen.failed, PATIENCE_S)
        assert seen.retry([failed.number]) == [failed.number]
        wait_for(lambda: len(ended(node)) == 2, PATIENCE_S)
        assert [each.reason for each in wait_for(seen.failed, PATIENCE_S)] == [failed.reason]


def ended(node: Node) -> list[dict[str, object]]:
    return [event for event in node.events() if event["event"] == "object_stopped" and event["is_final"]]


def test_prometheus_reads_what_the_node_has_done(gateway: Gateway, archive: Shelf, tmp_path: Path) -> None:
    path, _ = cine(tmp_path)
    with running_node(tmp_path, towards(gateway.address, archive)) as node:
        assert is_sent(node, path)
        assert not echoscu(node, called="SOMEBODY")
        wait_for(lambda: node.metrics()['echoplane_node_objects{state="REPORTED"}'] == 1, PATIENCE_S)
        told = node.metrics()
    assert told["echoplane_node_received_bytes_total"] >= path.stat().st_size - 1_000
    assert told["echoplane_node_reports_sent_total"] == told['echoplane_node_stores_total{answer="kept"}'] == 1
    assert told['echoplane_node_associations_total{outcome="refused",reason="CALLED_TITLE"}'] == 1
    assert told["echoplane_node_oldest_waiting_seconds"] == 0
    assert told["echoplane_node_disk_free_bytes"] > 0
