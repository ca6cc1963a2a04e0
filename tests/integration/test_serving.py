"""`echoplane serve`: the processes of a site under one, which starts them again, ends them, and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from services.serving import PARTS
from services.sync_client import SyncClient
from tests.builders import tiny_repository
from tests.integration.nodes import Node, free_port, storescu, wait_for

SERVE = [str(Path(sys.executable).with_name("echoplane")), "serve"]
CINE = str(get_testdata_file("examples_ybr_color.dcm", download=False))


@dataclass(frozen=True)
class Serving:
    """`echoplane serve`, with its ports, its inbox, and what it says."""

    process: subprocess.Popen[bytes]
    ports: Mapping[str, int]
    inbox: Path
    log: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports['ECHOPLANE_GATEWAY_PORT']}"

    @property
    def node(self) -> Node:
        port, metrics_port = (self.ports[f"ECHOPLANE_NODE_{door}"] for door in ("PORT", "METRICS_PORT"))
        return Node(port, self.inbox, self.process, self.log, metrics_port)

    def until_serving(self) -> None:
        def told() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return "Ctrl-C ends it" in self.log.read_text()

        wait_for(told, 60.0)

    def reports(self) -> list[Path]:
        return list((self.inbox / "objects").glob("*.sr.dcm"))


@contextmanager
def started(folder: Path, **changed: str) -> Iterator[Serving]:
    """Start a site on free ports, and end it."""
    doors = [(part.name.upper(), door.upper()) for part in PARTS for door in part.doors]
    ports = {f"ECHOPLANE_{part}_{door}": free_port() for part, door in doors}
    inbox, log = folder / "inbox", folder / "log"
    own = {name: str(port) for name, port in ports.items()} | {"ECHOPLANE_NODE_INBOX": str(inbox)}
    own |= {"ECHOPLANE_NODE_LEAST_FREE_BYTES": str(2**31)} | changed
    with log.open("wb") as sink:
        process = subprocess.Popen(SERVE, env=os.environ | own, stdin=subprocess.DEVNULL, stderr=sink)
    try:
        yield Serving(process, ports, inbox, log)
    finally:
        process.terminate()
        process.wait(60)


def descendants(pid: int) -> set[int]:
    """Give all processes under one, whatever they have become."""
    below = {
        int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()
    }
    return below.union(*map(descendants, below))


def of_module(pids: set[int], module: str) -> int:
    [found] = [
        pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"-m", module.encode()]
    ]
    return found


def are_gone(pids: set[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)


def test_a_cine_goes_through_and_sigterm_ends_all_of_it(tmp_path: Path) -> None:
    with started(tmp_path) as site:
        site.until_serving()
        said = site.log.read_text()
        assert f"gRPC {site.address}" in said
        assert f"DICOM 127.0.0.1:{site.node.port}, AE title ECHOPLANE" in said
        assert "0x0000: Success" in storescu(site.node, "-xy", CINE).stderr
        wait_for(site.reports, 30.0)
        below = descendants(site.process.pid)
        assert len(below) >= 4  # gateway, node, warm parent, spare reader
        site.process.terminate()
        assert site.process.wait(60) == 0
        assert are_gone(below)


@pytest.mark.parametrize("module", [part.module for part in PARTS])
def test_a_part_that_is_killed_is_started_again(tmp_path: Path, module: str) -> None:
    with started(tmp_path) as site, SyncClient(site.address) as client:
        site.until_serving()
        client.predict_view(CINE)
        killed = of_module(descendants(site.process.pid), module)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: are_gone({killed}), 10.0)
        assert client.predict_view(CINE).model.name == "view_classifier"
        wait_for(lambda: "0x0000: Success" in storescu(site.node, "-xy", CINE).stderr, 30.0)
        wait_for(site.reports, 30.0)
        assert '"part_ended"' in site.log.read_text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ECHOPLANE_NODE_TITEL": "X"}, "ECHOPLANE_NODE_TITEL"),
        ({"ECHOPLANE_NODE_HOST": "0.0.0.0"}, "loopback"),
        ({"ECHOPLANE_GATEWAY_PROVIDER": "CUDA"}, '"part": "gateway"'),
    ],
)
def test_a_wrong_setting_ends_the_whole(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    with started(tmp_path, **changed) as site:
        assert site.process.wait(60) == 2
    text = site.log.read_text()
    assert said in text
    assert "Traceback" not in text
    assert ("draining" in text or "cannot_start" in text) is ("ECHOPLANE_GATEWAY_PROVIDER" in changed)


def test_without_a_model_the_node_receives_and_the_gateway_is_tried_again(tmp_path: Path) -> None:
    models = tmp_path / "models"
    with started(tmp_path, ECHOPLANE_GATEWAY_MODEL_REPOSITORY=str(models)) as site:
        wait_for(lambda: '"node_serving"' in site.log.read_text(), 60.0)
        wait_for(lambda: '"part_ended"' in site.log.read_text(), 60.0)
        assert "0x0000: Success" in storescu(site.node, "-xy", CINE).stderr
        tiny_repository(models)
        site.until_serving()
        wait_for(site.reports, 60.0)


def test_a_second_one_says_that_the_ports_are_taken_and_a_killed_one_leaves_no_process_behind(tmp_path: Path) -> None:
    with started(tmp_path) as site:
        site.until_serving()
        same = {name: str(port) for name, port in site.ports.items()}
        again = subprocess.run(SERVE, env=os.environ | same, capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode == 2
        assert "running already" in again.stderr
        below = descendants(site.process.pid)
        site.process.kill()
        wait_for(lambda: are_gone(below), 10.0)


def test_ctrl_c_twice_does_not_wait_for_anybody(tmp_path: Path) -> None:
    with started(tmp_path) as site:
        site.until_serving()
        below = descendants(site.process.pid)
        os.kill(of_module(below, "services.gateway"), signal.SIGSTOP)  # it will not finish
        site.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            site.process.wait(3)
        site.process.send_signal(signal.SIGINT)
        assert site.process.wait(10) == 0
        wait_for(lambda: are_gone(below), 10.0)
