"""Sends reports and clean objects to an archive by C-STORE (PS3.4 annex B)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE

from services.cine.errors import StorageError

_TIMEOUT_S = 10.0
"""For the connection, the association, and each answer."""

_WARNINGS = range(0xB000, 0xC000)
"""Stored, with something to say of it (PS3.4 table B.2-1)."""


@dataclass(frozen=True)
class Archive:
    """A node that takes reports, and objects.

    Attributes:
        host, port: where it is.
        title: that it is called.
        calling_title: that calls it.
        tls: None speaks plain text.
    """

    host: str
    port: int
    title: str
    calling_title: str
    tls: ssl.SSLContext | None = None

    def send(self, path: Path) -> None:
        """Send a file of ours, byte for byte.

        Raises:
            StorageError: the archive is away, or does not take it.
        """
        meta = read_file_meta_info(path)
        sop_class, syntax = meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID
        entity = AE(self.calling_title)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
        entity.add_requested_context(sop_class, syntax)
        tls = None if self.tls is None else (self.tls, self.host)
        association = entity.associate(self.host, self.port, ae_title=self.title, tls_args=tls)
        if not association.is_established:
            raise _not_taken("no association with the archive")
        try:
            if not association.accepted_contexts:
                raise _not_taken(f"an archive that takes no {sop_class.name} as {syntax.name}")
            status = association.send_c_store(path).get("Status")
        finally:
            association.release()
        if status is None:
            raise _not_taken("an archive that did not answer")
        if status != 0 and status not in _WARNINGS:
            raise _not_taken(f"status 0x{status:04X}")


def _not_taken(found: str) -> StorageError:
    return StorageError(
        found=found,
        expected="an archive that stores it",
        advice="Check ECHOPLANE_NODE_REPORT_HOST, _PORT and _TITLE, and what the archive lets in; it is tried again.",
    )
