"""Asks the gateway about an object, and says which study it is of.

An object says so itself: its study by the UID, and subject and visit where the scanner was told the trial's own code.
Nobody typed these for us, so what has not the shape that the protocol asks for is not sent on; the study then waits
for a person to name it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from echoplane.v1 import study_pb2, view_pb2
from pydicom import config
from pydicom.tag import Tag
from pydicom.uid import UID

from services.acquisition.protocol import has_shape
from services.cine.budget import ReadLimits
from services.cine.dicom.structure import open_structure
from services.cine.errors import InputError, Reason
from services.client import CallError, Client

SUBJECT_CODE, VISIT = "ClinicalTrialSubjectID", "ClinicalTrialTimePointID"
"""Where the standard puts them (PS3.3 C.7.1.3 Clinical Trial Subject Module, C.7.2.3 Clinical Trial Study Module)."""

_STUDY = "StudyInstanceUID"
_MOST_BYTES = 64
"""Of a UID and of the texts (PS3.5 table 6.2-1, UI and LO)."""

_NO_STUDIES = frozenset({"UNIMPLEMENTED", "NOT_FOUND"})
"""Of a gateway that reviews no studies, or none of the call's trial."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Naming:
    """What objects are filed under.

    Attributes:
        trial: that they are of; empty for the gateway's.
        subject_code: keyword of the attribute that holds the trial's code for the subject; empty where none does.
        visit: keyword of the attribute that holds the visit, by its name in the protocol; empty where none does.
    """

    trial: str = ""
    subject_code: str = SUBJECT_CODE
    visit: str = VISIT


def read_filing(
    data: bytes | memoryview, limits: ReadLimits, naming: Naming, protocol: study_pb2.TrialProtocol
) -> view_pb2.CineHeader:
    """Say of which study an object is, as far as it says so itself and the trial's protocol knows such a name.

    Args:
        data: the whole file, in any transfer syntax.
        limits: of its header.
        naming: what it is filed under.
        protocol: of the trial.

    Returns:
        A header: empty where the object is of no study that it could be filed under; without subject code and visit
        where the study has to be named by a person.
    """
    trial, texts = protocol.trial, _read(data, limits, (_STUDY, naming.subject_code, naming.visit))
    study_id, subject_code, visit = (texts.get(name, "") for name in (_STUDY, naming.subject_code, naming.visit))
    if not UID(study_id, validation_mode=config.IGNORE).is_valid or naming.trial not in ("", trial):
        return view_pb2.CineHeader()
    if not has_shape(subject_code, protocol.subject_code) or visit not in protocol.visits:
        return view_pb2.CineHeader(study_id=study_id, trial=trial)
    return view_pb2.CineHeader(study_id=study_id, trial=trial, subject_code=subject_code, visit=visit)


@dataclass(frozen=True)
class Gateway:
    """Asks about one object after another.

    Attributes:
        connect: gives a connection: one for each object, as gRPC's own waits up to two minutes to try again.
        naming: what objects are filed under.
        limits: of an object's header.
        timeout_s: how long each answer may take, s.
    """

    connect: Callable[[], Client]
    naming: Naming
    limits: ReadLimits
    timeout_s: float

    async def ask(self, data: bytes) -> view_pb2.PredictViewResponse:
        """Give the answer about the bytes of an object, which is recorded in its study where the gateway reviews any.

        Where a person has called the study something else, that stands; an object that cannot be filed at all is
        answered all the same, as it would be by a gateway that reviews no studies.

        Raises:
            CallError: the call ended in a status.
        """
        async with self.connect() as client:
            for header in _ever_less(await self._header(client, data)):
                try:
                    return await client.predict_view(data, header, self.timeout_s)
                except CallError as error:
                    if error.reason != Reason.STUDY_MISMATCH or not header.study_id:
                        raise
                    _log.warning("study_differs", is_named=bool(header.subject_code), reason=error.reason)
        raise AssertionError  # pragma: no cover - the last header is of no study

    async def _header(self, client: Client, data: bytes) -> view_pb2.CineHeader:
        try:
            protocol = await client.get_trial_protocol(self.timeout_s)
        except CallError as error:
            if error.code not in _NO_STUDIES:
                raise
            return view_pb2.CineHeader()
        return await asyncio.to_thread(read_filing, data, self.limits, self.naming, protocol)


def _ever_less(header: view_pb2.CineHeader) -> Iterator[view_pb2.CineHeader]:
    """Give what to say of a study: all that is known, then without its name, then nothing."""
    if header.subject_code:
        yield header
    if header.study_id:
        yield view_pb2.CineHeader(study_id=header.study_id, trial=header.trial)
    yield view_pb2.CineHeader()


def _read(data: bytes | memoryview, limits: ReadLimits, keywords: tuple[str, ...]) -> dict[str, str]:
    """Read short texts of an object's header; what is absent, too long or behind some damage is left out."""
    tags = {int(Tag(keyword)): keyword for keyword in keywords if keyword}
    found: dict[str, str] = {}
    try:
        for element in open_structure(data, limits).elements(limits):
            if element.tag in tags and len(element.value) <= _MOST_BYTES:
                found[tags[element.tag]] = bytes(element.value).decode("ascii", "replace").strip("\0 ")
    except InputError:
        pass  # the gateway will say so of the cine
    return found
