"""The DICOM node as a process, and other implementations that send to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config
from pynetdicom.dsutils import create_file_meta, encode, encode_file_meta

from services.acquisition.store_scp import CLASSES, SYNTAXES
from tests.integration.nodes import Node, echoscu, running_node, storescu, wait_for
from tests.unit.acquisition.cases import PLANTED, source_bytes

SUCCESS = 0x0000
BY_DCMTK = {
    "explicit": ([], "-xe"),
    "implicit": ([], "-xi"),
    "big endian": ([], "-xb"),
    "deflated": (["dcmconv", "+td"], "-xd"),
    "JPEG baseline": (["dcmcjpeg", "+eb"], "-xy"),
    "JPEG lossless": (["dcmcjpeg", "+e1"], "-xs"),
    "JPEG-LS": (["dcmcjpls"], "-xt"),
    "RLE": (["dcmcrle"], "-xr"),
}
"""How dcmtk makes an object, and how it proposes to send it."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("node")) as running:
        yield running


def written(folder: Path, **attributes: object) -> Path:
    """Write an object to send."""
    path = folder / "cine.dcm"
    path.write_bytes(source_bytes(**{"SOPInstanceUID": f"1.2.826.7.{abs(hash(folder))}"} | attributes))  # type: ignore[arg-type]
    return path


def sent_as(folder: Path, sop_class: str, syntax: str) -> Path:
    """Write an object that says it is of that class and syntax; an SCP does not look into it."""
    uid, path = f"1.2.826.8.{CLASSES.index(sop_class)}.{SYNTAXES.index(syntax)}", folder / f"{syntax}.dcm"
    named = {"sop_class_uid": UID(sop_class), "sop_instance_uid": UID(uid), "transfer_syntax": UID(syntax)}
    meta = encode_file_meta(create_file_meta(**named))
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    is_implicit, is_little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    is_deflated = syntax == DeflatedExplicitVRLittleEndian
    path.write_bytes(bytes(128) + b"DICM" + meta + (encode(dataset, is_implicit, is_little, is_deflated) or b""))
    return path


def statuses(node: Node, paths: list[Path], sop_class: str) -> list[int]:
    """Send files as they are by pynetdicom, each in its own syntax."""
    peer = AE("CART")
    for syntax in SYNTAXES:
        peer.add_requested_context(sop_class, syntax)
    association = peer.associate("127.0.0.1", node.port, ae_title="ECHOPLANE")
    try:
        return [int(association.send_c_store(path).Status) for path in paths]
    finally:
        association.release()


@pytest.mark.parametrize("syntax", BY_DCMTK)
def test_dcmtk_sends_it(node: Node, tmp_path: Path, syntax: str) -> None:
    command, option = BY_DCMTK[syntax]
    path, sent = written(tmp_path), tmp_path / "sent.dcm"
    subprocess.run([*(command or ["dcmconv"]), path, sent], check=True, timeout=60, capture_output=True)
    before = set(node.objects())
    done = storescu(node, option, sent)
    assert "0x0000: Success" in done.stderr, done.stderr
    [kept] = set(node.objects()) - before
    assert dcmread(kept).SOPInstanceUID == dcmread(sent).SOPInstanceUID
    if command:
        assert dcmread(kept).PixelData == dcmread(sent).PixelData


@pytest.mark.parametrize("sop_class", CLASSES)
def test_every_class_comes_in_every_syntax_that_is_read(
    node: Node, tmp_path: Path, sop_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)  # sends files as they are
    paths = [sent_as(tmp_path, sop_class, syntax) for syntax in SYNTAXES]
    before = set(node.objects())
    assert statuses(node, paths, sop_class) == [SUCCESS] * len(paths)
    kept = [dcmread(path) for path in set(node.objects()) - before]
    assert {found.file_meta.TransferSyntaxUID for found in kept} == set(SYNTAXES)
    assert {found.SOPClassUID for found in kept} == {sop_class}


def test_another_class_is_not_taken(node: Node, tmp_path: Path) -> None:
    before = node.objects()
    path = written(tmp_path, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    assert "No presentation context" in storescu(node, path).stderr
    assert node.objects() == before


def test_the_same_object_is_kept_once(node: Node, tmp_path: Path) -> None:
    path = written(tmp_path)
    before = len(node.objects())
    for _ in range(3):
        assert "0x0000: Success" in storescu(node, path).stderr
    assert len(node.objects()) == before + 1


def test_a_large_object_comes_through_whole(node: Node, tmp_path: Path) -> None:
    path = written(tmp_path, count=40)
    whole = dcmread(path)
    whole.PixelData = bytes(range(256)) * 2**18  # 64 MiB
    whole.save_as(path)
    before = set(node.objects())
    assert "0x0000: Success" in storescu(node, path).stderr
    [kept] = set(node.objects()) - before
    assert dcmread(kept).PixelData == whole.PixelData


def test_another_title_is_not_answered(node: Node) -> None:
    assert echoscu(node)
    assert not echoscu(node, called="SOMEBODY")


def test_a_full_inbox_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        folder.mkdir()
    with running_node(tmp_path, {"MAX_INBOX_BYTES": "5000"}) as node:
        assert "0x0000: Success" in storescu(node, written(first)).stderr
        assert "0xa700" in storescu(node, written(second)).stderr
        assert "0x0000: Success" in storescu(node, written(first)).stderr
        assert len(node.objects()) == 1
        assert list((node.inbox / "incoming").iterdir()) == []


def test_what_it_says_names_nobody(tmp_path: Path) -> None:
    with running_node(tmp_path, {"LOG_LEVEL": "debug"}) as node:
        storescu(node, written(tmp_path, SOPInstanceUID="1.2.826.7.3"), title="PLANTED_TITLE")
        storescu(node, written(tmp_path, SOPInstanceUID="1.2.826.7.3", PatientComments="another"))
    said = node.log.read_text()
    assert "same_uid_other_bytes" in said
    assert not [planted for planted in (*PLANTED, "PLANTED_TITLE") if planted in said]


def test_a_kill_loses_nothing_and_a_second_start_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path)
    with running_node(tmp_path) as node:
        assert "0x0000: Success" in storescu(node, path).stderr
        (node.inbox / "incoming" / "half").write_bytes(b"half")
        node.process.kill()
        node.process.wait()
    with running_node(tmp_path) as again:
        assert "0x0000: Success" in storescu(again, path).stderr
        assert len(again.objects()) == 1
        assert list((again.inbox / "incoming").iterdir()) == []


def test_told_to_stop_it_lets_a_peer_finish_and_takes_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    with running_node(tmp_path) as node:
        peer = AE("CART")
        peer.add_requested_context(CLASSES[0], SYNTAXES[0])
        association = peer.associate("127.0.0.1", node.port, ae_title="ECHOPLANE")
        node.process.terminate()
        wait_for(lambda: any(event["event"] == "draining" for event in node.events()), 10.0)
        assert association.send_c_store(sent_as(tmp_path, CLASSES[0], SYNTAXES[0])).Status == SUCCESS
        assert not echoscu(node)
        association.release()
        assert node.process.wait(10) == 0
        assert len(node.objects()) == 1
