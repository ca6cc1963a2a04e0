"""C-ECHO and C-STORE of ultrasound (PS3.4 annexes A and B) by pynetdicom, into the inbox.

The data set of a C-STORE goes to disk as it arrives. Success is answered when its file and its entry are durable.
"""

from __future__ import annotations

import logging
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import structlog
from prometheus_client import CollectorRegistry
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)
from pynetdicom import AE, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import register_uid
from pynetdicom.transport import AssociationServer

from services.acquisition.inbox import Entry, Inbox
from services.acquisition.metrics import NodeMetrics
from services.acquisition.source import read_name
from services.cine.budget import ReadLimits
from services.cine.dicom.pixels import CODESTREAM_SYNTAXES, RAW_SYNTAXES, VIDEO_SYNTAXES
from services.cine.errors import EchoplaneError, InputError, StorageError

_READ = RAW_SYNTAXES | CODESTREAM_SYNTAXES | VIDEO_SYNTAXES | {RLELossless}
SYNTAXES = sorted(syntax for syntax in _READ if UID(syntax).is_transfer_syntax)
"""Every transfer syntax that services.cine reads."""

_VERIFICATION = "1.2.840.10008.1.1"
_RETIRED = {
    "1.2.840.10008.5.1.4.1.1.3": "UltrasoundMultiframeImageStorageRetired",
    "1.2.840.10008.5.1.4.1.1.6": "UltrasoundImageStorageRetired",
}
CLASSES = (UltrasoundImageStorage, UltrasoundMultiFrameImageStorage, *_RETIRED)

SUCCESS, PROCESSING_FAILURE, OUT_OF_RESOURCES = 0x0000, 0x0110, 0xA700
NOT_THAT_OBJECT, CANNOT_UNDERSTAND = 0xA900, 0xC000
"""Answers to a C-STORE (PS3.4 table B.2-1, PS3.7 annex C)."""

_HEAD_BYTES = 2**20
"""Of a data set that is not deflated; its UIDs are in it."""

_ANYWHERE = ("127.0.0.1", 0)
"""Stands for the addresses of a socket that has none."""

_END_POLL_S = 0.02

_log = structlog.get_logger()


def prepare_pynetdicom(incoming: str) -> None:
    """Have pynetdicom write data sets to a folder as they arrive, send files byte for byte, and say nothing.

    What it logs names objects and what is in them.

    Args:
        incoming: on the same file system as where objects are kept.
    """
    _config.STORE_RECV_CHUNKED_DATASET = _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    tempfile.tempdir = incoming  # pynetdicom asks there
    for uid, keyword in _RETIRED.items():
        register_uid(uid, keyword, StorageServiceClass)


class _Doorless(AssociationServer):
    """A server that listens nowhere: its connections are brought to it."""

    def server_bind(self) -> None:
        """Take no address."""

    def server_activate(self) -> None:
        """Take no connection, and need no socket for it."""
        self.server_close()


@dataclass
class StoreScp:
    """Serves associations on sockets that were let in. `prepare_pynetdicom` comes first.

    Attributes:
        inbox: where objects go.
        title: of this node.
        max_pdu_bytes: that peers are told.
        told: hears that an object was kept, on a thread of its own.
        limits: of an object's header.
        clock: seconds since 1970.
        metrics: counts what was answered.
    """

    inbox: Inbox
    title: str
    max_pdu_bytes: int
    told: Callable[[], object] = lambda: None
    limits: ReadLimits = field(default_factory=ReadLimits)
    clock: Callable[[], float] = time.time
    metrics: NodeMetrics = field(default_factory=lambda: NodeMetrics(CollectorRegistry()))
    _entity: AE = field(init=False, repr=False)
    _servers: dict[str, _Doorless] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Say what is spoken."""
        self._entity = AE(self.title)
        self._entity.maximum_pdu_size = self.max_pdu_bytes
        self._entity.maximum_associations = 10**6  # the guard counts, and ends who is idle
        self._entity.network_timeout = None
        self._entity.supported_contexts = [
            build_context(_VERIFICATION),
            *(build_context(uid, SYNTAXES) for uid in CLASSES),
        ]

    def serve(self, connection: socket.socket, site: str) -> None:
        """Serve DICOM on a socket, on threads of its own, for a peer of that site."""
        if site not in self._servers:
            contexts, kept = self._entity.supported_contexts, (evt.EVT_C_STORE, self._store, [site])
            self._servers[site] = _Doorless(self._entity, _ANYWHERE, self.title, contexts, evt_handlers=[kept])
        self._servers[site].finish_request(connection, _ANYWHERE)

    def wait(self, timeout_s: float) -> None:
        """Wait until the associations of closed sockets have ended, at most so long, s."""
        end_s = time.monotonic() + timeout_s
        while self._entity.active_associations and time.monotonic() < end_s:
            time.sleep(_END_POLL_S)

    def _store(self, event: evt.Event, site: str) -> int:
        """Keep an object, and give the status of its C-STORE."""
        try:
            entry = self._kept(event, site)
        except InputError as error:
            return self._refused(error, "cannot_understand", CANNOT_UNDERSTAND)
        except StorageError as error:
            return self._refused(error, "full", OUT_OF_RESOURCES)
        except Exception as error:  # a border: pynetdicom would swallow it; its text may be a patient's
            _log.error("unexpected_error", method="C-STORE", kind=type(error).__name__)
            self.metrics.stored("failure")
            return PROCESSING_FAILURE
        if entry is None:
            _log.warning("object_refused", reason="NOT_THAT_OBJECT")
            self.metrics.stored("not_that_object")
            return NOT_THAT_OBJECT
        _log.info("object_received", number=entry.number, size_bytes=entry.size_bytes)
        if entry.is_conflicting:
            _log.warning("same_uid_other_bytes", number=entry.number)
        self.metrics.stored("kept", entry.size_bytes)
        self.told()
        return SUCCESS

    def _kept(self, event: evt.Event, site: str) -> Entry | None:
        """Keep an object; None where it is not the one that the request names."""
        request, part = cast("C_STORE", event.request), event.dataset_path
        said = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if part is None or said[0] != event.context.abstract_syntax or said != self._name(part, event):
            return None
        return self.inbox.keep(part, said[1], site, self.clock())

    def _refused(self, error: EchoplaneError, answer: str, status: int) -> int:
        _log.error("object_refused", reason=error.reason, message=str(error))
        self.metrics.stored(answer)
        return status

    def _name(self, part: Path, event: evt.Event) -> tuple[str, str]:
        """Read which object a received file is by its own account."""
        is_deflated = event.context.transfer_syntax == DeflatedExplicitVRLittleEndian
        with part.open("rb") as file:
            return read_name(file.read(-1 if is_deflated else _HEAD_BYTES), self.limits)
