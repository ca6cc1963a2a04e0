"""Identities sent by C-STORE through a node and a real gateway into an archive, and looked for everywhere."""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import uid
from pydicom.uid import ComprehensiveSRStorage, UltrasoundMultiFrameImageStorage
from pynetdicom import AE, _config, evt
from pynetdicom.presentation import build_context

from deploy.demo.gateway import Gateway, running_gateway
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.reading import read_cine
from services.client import CallError, Client
from tests.broken_identities import KINDS, break_one
from tests.identities import CHARSETS, SYNTAXES, Planted, plant
from tests.integration.nodes import Node, free_port, running_node, wait_for
from tests.needles import Needles, spellings

_PATIENCE_S = 120.0
_PAUSE_S = 0.5
"""Between looks at how far the node is: its log is read whole."""

_CALLING = "CALLINGPERSON"
_NODE = {"IDENTITY": "removed", "FAILED_RETENTION_S": "1", "LOG_LEVEL": "debug", "REPORT_HOST": "127.0.0.1"}
_ASKED = 25
"""Of the good objects so many are asked about directly too; what the others were answered is in the node's list."""


@dataclass
class Outcome:
    """What was found after all was done.

    Attributes:
        left: identities still there, by place and by where they had been planted.
        passed_on: objects, and reports, that reached the archive.
        failed: bad objects that the node gave up, by reason.
        seen: objects in which something shows where text had been burnt in, or that cannot be decoded.
        searched_bytes: how much was looked through.
    """

    left: Counter[str] = field(default_factory=Counter)
    passed_on: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seen: list[int] = field(default_factory=list)
    searched_bytes: int = 0


def run(folder: Path, objects: int, broken: int, settings: Mapping[str, str] | None = None) -> Outcome:
    """Send planted objects and broken ones, wait until the node is done with all, and look for what is left.

    Args:
        folder: for all files of the run.
        objects: how many good ones.
        broken: how many that cannot be read or cleaned.
        settings: of the node, beside those that the run needs.
    """
    good = [plant(number, SYNTAXES[number % len(SYNTAXES)]) for number in range(objects)]
    bad = [break_one(10_000 + number, KINDS[number % len(KINDS)]) for number in range(broken)]
    outcome = Outcome()
    with (
        running_gateway(folder / "gateway.log", {"LOG_LEVEL": "debug"}) as gateway,
        archive(folder / "archive") as port,
    ):
        given = _NODE | {"GATEWAY_ADDRESS": gateway.address, "REPORT_PORT": str(port)} | dict(settings or {})
        with running_node(folder, given) as node:
            sent = send(node, folder, [*good, *bad])
            _wait_until_done(node, sent)
        answers = asyncio.run(_answers(gateway, good[:_ASKED] + bad))
        with urllib.request.urlopen(gateway.metrics_url, timeout=30) as metrics:
            (folder / "metrics").write_bytes(metrics.read())
    (folder / "answers").write_bytes(answers)
    stopped = [event for event in node.events() if event["event"] == "object_stopped"]
    outcome.failed.update(str(event["reason"]) for event in stopped)
    _look_for(outcome, folder, [*good, *bad])
    _look_at_pixels(outcome, folder, good)
    return outcome


def send(node: Node, folder: Path, objects: list[Planted]) -> int:
    """Send each in its own transfer syntax, its data set byte for byte; give how many were taken."""
    _config.STORE_SEND_CHUNKED_DATASET = True
    peer = AE(_CALLING)
    for syntax in SYNTAXES:
        peer.add_requested_context(UltrasoundMultiFrameImageStorage, syntax)
    association = peer.associate("127.0.0.1", node.port, ae_title="ECHOPLANE")
    assert association.is_established
    try:
        with tempfile.TemporaryDirectory() as outside:
            return sum(_is_taken(association, Path(outside) / "object.dcm", planted) for planted in objects)
    finally:
        association.release()


def _is_taken(association: Any, path: Path, planted: Planted) -> bool:
    path.write_bytes(planted.data)
    return bool(association.send_c_store(path).get("Status") == 0)


def _wait_until_done(node: Node, sent: int) -> None:
    """Wait until each object was reported or given up, and what was given up is gone."""
    told, moved_s = 0, time.monotonic()
    while _done(events := node.events()) < sent:
        if len(events) > told:
            told, moved_s = len(events), time.monotonic()
        assert time.monotonic() < moved_s + _PATIENCE_S, f"{_done(events)} of {sent}, then nothing"
        time.sleep(_PAUSE_S)
    failed = sum(bool(event.get("is_final")) for event in node.events())
    wait_for(lambda: len(node.objects()) == sent - failed, _PATIENCE_S)


def _done(events: list[dict[str, object]]) -> int:
    return sum(event["event"] == "object_reported" or bool(event.get("is_final")) for event in events)


async def _answers(gateway: Gateway, objects: list[Planted]) -> bytes:
    """Give all that the gateway says about objects, errors among it."""
    said = []
    async with Client(gateway.address) as client:
        for planted in objects:
            try:
                said.append((await client.predict_view(planted.data)).SerializeToString())
            except CallError as error:
                said.append(f"{error!r} {error.__cause__!r}".encode())
    return b"\n".join(said)


def _look_for(outcome: Outcome, folder: Path, objects: list[Planted]) -> None:
    """Look for every identity in every file of the run."""
    codecs = [codec for codec, _ in CHARSETS.values()]
    wanted = {
        spelling: where
        for planted in objects
        for where, needle in (planted.needles | {"calling title": _CALLING.encode()}).items()
        for spelling in spellings(needle, codecs)
    }
    needles = Needles(wanted)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = _inflated(path.read_bytes())
            outcome.searched_bytes += len(data)
            outcome.left.update(f"{path.suffix or path.name}: {where}" for where in needles.found_in(data))
            outcome.left.update(f"name of a file: {where}" for where in needles.found_in(str(path.name).encode()))


def _inflated(data: bytes) -> bytes:
    """Add what is deflated in an object (PS3.5 A.5)."""
    if data[128:132] != b"DICM" or uid.DeflatedExplicitVRLittleEndian.encode() + b"\0" not in data[:400]:
        return data
    start = 144 + int.from_bytes(data[140:144], "little")  # PS3.10 section 7.1, group length
    return data + zlib.decompress(data[start:], -zlib.MAX_WBITS)


def _look_at_pixels(outcome: Outcome, folder: Path, objects: list[Planted]) -> None:
    """Decode every object in inbox and archive, and look where text was burnt in."""
    if not (folder / "inbox" / "pseudonym_key").exists():
        return
    pseudonyms = Pseudonyms((folder / "inbox" / "pseudonym_key").read_bytes())
    written = {pseudonyms.uid(planted.needles["SOPInstanceUID"]).encode(): planted for planted in objects}
    for path in [*folder.glob("inbox/objects/*.clean.dcm"), *folder.glob("archive/US-*.dcm")]:
        data = path.read_bytes()
        [planted] = [planted for name, planted in written.items() if name in data[:400]] or [None]
        if planted is None:
            continue  # a bad one that could be read all the same: its pixels were struck anywhere
        cine = read_cine(data, ReadLimits())
        if any(cine.store.colour(index, 1)[planted.written].any() for index in range(cine.frame_count)):
            outcome.seen.append(planted.number)
        outcome.passed_on[f"{path.parent.name} {planted.syntax}"] += 1
    outcome.passed_on["reports"] = len(list(folder.glob("archive/SR-*.dcm")))


@contextmanager
def archive(folder: Path) -> Iterator[int]:
    """Run an archive that writes whatever it is sent into a folder; give its port."""
    folder.mkdir()
    entity, port = AE("ARCHIVE"), free_port()
    entity.supported_contexts = [build_context(UltrasoundMultiFrameImageStorage, [syntax]) for syntax in SYNTAXES] + [
        build_context(ComprehensiveSRStorage, uid.ExplicitVRLittleEndian)
    ]

    def store(event: evt.Event) -> int:
        kind = "SR" if event.request.AffectedSOPClassUID == ComprehensiveSRStorage else "US"
        (folder / f"{kind}-{len(list(folder.iterdir()))}.dcm").write_bytes(event.encoded_dataset())
        return 0

    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield port
    finally:
        server.shutdown()
