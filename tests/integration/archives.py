"""Archives that a node sends its reports to: pynetdicom in this process, and Orthanc as one of its own."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.dsutils import decode
from pynetdicom.presentation import build_context

from tests.integration.nodes import free_port, wait_for


@dataclass
class Shelf:
    """An archive in this process.

    Attributes:
        port: of its DICOM, on loopback.
        taken: data sets as they came, explicit little endian, in order.
        answers: statuses of the next C-STOREs; success when there is none.
    """

    port: int
    taken: list[bytes] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def sources(self) -> set[str]:
        """Give the UIDs of the objects that its reports are about."""
        reports = [decode(BytesIO(data), False, True) for data in self.taken]
        evidence = [report.CurrentRequestedProcedureEvidenceSequence[0] for report in reports]
        references = [found.ReferencedSeriesSequence[0].ReferencedSOPSequence[0] for found in evidence]
        return {str(reference.ReferencedSOPInstanceUID) for reference in references}

    def store(self, event: evt.Event) -> int:
        """Take an object, or say what is to be said."""
        if self.answers:
            return self.answers.pop(0)
        self.taken.append(event.encoded_dataset(include_meta=False))
        return 0x0000


@contextmanager
def shelf(port: int = 0, handlers: Sequence[Any] = ()) -> Iterator[Shelf]:
    """Run an archive in this process; `handlers` hear of events, as pynetdicom gives them."""
    opened = Shelf(port or free_port())
    entity = AE("ARCHIVE")
    entity.supported_contexts = [build_context(ComprehensiveSRStorage, ExplicitVRLittleEndian)]
    both: list[Any] = [(evt.EVT_C_STORE, opened.store), *handlers]
    server = entity.start_server(("127.0.0.1", opened.port), block=False, evt_handlers=both)
    assert server is not None
    try:
        yield opened
    finally:
        server.shutdown()


@dataclass(frozen=True)
class Orthanc:
    """An Orthanc that runs, and its ports on loopback."""

    dicom_port: int
    http_port: int

    def ask(self, path: str, data: bytes | None = None) -> Any:
        """Ask its REST interface; with data, post them."""
        return json.loads(self._get(path, data))

    def add(self, data: bytes) -> str:
        """Put an object into it, and give the name it has there."""
        return str(self.ask("instances", data)["ID"])

    def send(self, *names: str, is_permissive: bool = False) -> None:
        """Have it send objects to the node in one association; a permissive one goes on after what is not taken.

        Raises:
            HTTPError: something was not taken.
        """
        order = {"Resources": names, "Permissive": is_permissive, "Synchronous": True}
        assert self.ask("modalities/echoplane/store", json.dumps(order).encode())["FailedInstancesCount"] == 0

    def reports(self) -> list[dict[str, Any]]:
        """Give its structured reports: name (`ID`) and study (`ParentStudy`) of each."""
        query = {"Level": "Instance", "Query": {"Modality": "SR"}}
        names = self.ask("tools/find", json.dumps(query).encode())
        return [{"ID": name, "ParentStudy": self.ask(f"instances/{name}/study")["ID"]} for name in names]

    def read(self, name: str) -> bytes:
        """Give the file of an object."""
        return self._get(f"instances/{name}/file", None)

    def _get(self, path: str, data: bytes | None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/{path}", data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())


@contextmanager
def orthanc(folder: Path, node_port: int) -> Iterator[Orthanc]:
    """Run an Orthanc with its files in a folder, that knows the node as `echoplane`."""
    opened = Orthanc(free_port(), free_port())
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "orthanc"),
                "DicomAet": "ORTHANC",
                "DicomPort": opened.dicom_port,
                "HttpPort": opened.http_port,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "HttpBindAddresses": ["127.0.0.1"],
                "DicomAlwaysAllowStore": True,
                "DicomModalities": {"echoplane": ["ECHOPLANE", "127.0.0.1", node_port]},
                "Plugins": [],
            }
        )
    )
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(["/usr/sbin/Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        wait_for(lambda: _is_up(opened), 30.0)
        yield opened
    finally:
        process.terminate()
        process.wait(30)


def _is_up(opened: Orthanc) -> bool:
    try:
        return bool(opened.ask("system"))
    except OSError:
        return False
