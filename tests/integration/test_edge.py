"""The configuration of one site, deploy/edge: its very files, in other places and on other ports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from echoplane.v1 import view_pb2
from pydicom.data import get_testdata_file

from services.client import CallError, Tls
from services.serving import plan
from services.sync_client import SyncClient
from tests.integration.nodes import Node, echoscu, free_port, storescu, wait_for

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "deploy" / "edge"
ECHOPLANE = Path(sys.executable).with_name("echoplane")
CINE = str(get_testdata_file("examples_ybr_color.dcm", download=False))
HEADER = view_pb2.CineHeader(study_id="1.2.3", trial="EXAMPLE-1", subject_code="S01-001", visit="baseline")


@dataclass(frozen=True)
class Site:
    """The folder that stands for the machine's own, and the variables of the environment file."""

    folder: Path
    given: dict[str, str]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.given['ECHOPLANE_GATEWAY_PORT']}"

    def tls(self, name: str) -> Tls:
        read = {each: (self.folder / "etc/tls" / each).read_bytes() for each in (f"{name}.pem", f"{name}.key")}
        return Tls((self.folder / "etc/tls/authority.pem").read_bytes(), *read.values())

    def shown(self, name: str) -> list[str]:
        """Give the options by which dcmtk shows a certificate."""
        folder = self.folder / "etc/tls"
        return ["+tls", f"{folder}/{name}.key", f"{folder}/{name}.pem", "+cf", f"{folder}/authority.pem"]


def variables(text: str) -> dict[str, str]:
    """Read an environment file as systemd does."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def certificates(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(EDGE / "make_certificates.sh"), str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Do what deploy/edge/README.md says, in a folder."""
    folder = tmp_path_factory.mktemp("edge")
    assert certificates(folder / "etc/tls", "north", "127.0.0.1", "cart", "desk").returncode == 0
    shutil.copy(EDGE / "sites.yaml", folder / "etc")
    shutil.copy(ROOT / "deploy/trials/example.yaml", folder / "etc/trial.yaml")
    for name in ("study.key", "pseudonym.key"):
        (folder / "etc" / name).write_text("5a" * 32)
    text = (EDGE / "echoplane.env").read_text()
    for path, place in (("/etc/", folder / "etc"), ("/var/lib/", folder / "state"), ("/opt/", ROOT)):
        text = text.replace(f"{path}echoplane", str(place))
    given = variables(text) | {"ECHOPLANE_NODE_HOST": "127.0.0.1", "ECHOPLANE_NODE_LEAST_FREE_BYTES": str(2**31)}
    return Site(folder, given | {name: str(free_port()) for name in given if name.endswith("_PORT")})


@pytest.fixture(scope="module")
def node(site: Site) -> Iterator[Node]:
    """Run the whole site; give its node."""
    log = site.folder / "log"
    (site.folder / "state").mkdir()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("ECHOPLANE_")}
    with log.open("wb") as sink:
        process = subprocess.Popen([ECHOPLANE, "serve"], env=bare | site.given, stderr=sink, cwd=site.folder)
    try:
        wait_for(lambda: process.poll() is not None or "Ctrl-C ends it" in log.read_text(), 90.0)
        assert "serves listed sites" in log.read_text(), log.read_text()
        inbox = site.folder / "state" / "inbox"
        port, metrics_port = (int(site.given[f"ECHOPLANE_NODE_{door}"]) for door in ("PORT", "METRICS_PORT"))
        yield Node(port, inbox, process, log, metrics_port)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_a_scanner_sends_over_tls_and_the_report_is_made(site: Site, node: Node) -> None:
    assert "0x0000: Success" in storescu(node, *site.shown("cart"), "-xy", CINE, title="NORTH_CART").stderr
    wait_for(lambda: list((node.inbox / "objects").glob("*.sr.dcm")), 60.0)


def test_whoever_shows_no_certificate_or_another_title_is_refused(site: Site, node: Node) -> None:
    assert echoscu(node, *site.shown("cart"), title="NORTH_CART")
    assert not echoscu(node, *site.shown("cart"), title="OTHER")
    assert not echoscu(node, title="NORTH_CART")
    with SyncClient(site.address, Tls(site.tls("desk").authority)) as client, pytest.raises(CallError):
        client.predict_view(CINE)


def test_the_python_client_asks_with_a_certificate_and_reviews_the_study(site: Site, node: Node) -> None:
    with SyncClient(site.address, site.tls("desk")) as client:
        client.predict_view(CINE, HEADER)
        assert client.get_study_review("1.2.3").cines == 1


def test_all_that_is_written_lies_in_the_one_folder(site: Site, node: Node) -> None:
    written = {path.name for path in site.folder.iterdir()}
    assert written == {"etc", "state", "log"}
    assert {"inbox", "studies.sqlite"} <= {path.name for path in (site.folder / "state").iterdir()}


def test_the_check_passes(site: Site) -> None:
    command, own = [ECHOPLANE, "serve", "--check"], os.environ | site.given
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == [place.part.name for place in plan([], site.given)]


def test_no_line_of_the_file_is_for_nobody(site: Site) -> None:
    plan([], site.given)  # knows every name that begins as one of its parts' settings do
    assert {name.split("_")[1] for name in site.given} == {"GATEWAY", "NODE", "CONSOLE"}


def test_certificates_are_renewed_under_the_same_authority(tmp_path: Path) -> None:
    assert certificates(tmp_path, "north", "machine.example", "cart").returncode == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert certificates(tmp_path, "north", "machine.example", "desk").returncode == 0
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"machine.pem", "machine.key"}
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    for wrong in (["north"], ["North", "h"], ["north", "h", "authority"], ["north", "h", "a/b"]):
        assert certificates(tmp_path, *wrong).returncode == 2


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit, text = tmp_path / "echoplane.service", (EDGE / "echoplane.service").read_text()
    unit.write_text(text.replace("/opt/echoplane/.venv/bin/echoplane", str(ECHOPLANE)))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
