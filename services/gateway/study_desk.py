"""The studies of a gateway: what is answered is written down, reviews are read, and those who watch are woken."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from services.acquisition.protocol import TrialProtocol, read_protocol
from services.acquisition.studies import Studies, StudyCine, StudyName, read_key
from services.acquisition.study_review import StudyReview, review_study
from services.cine.errors import Reason, RequestInvalidError, StudyUnknownError
from services.gateway.assess import Assessment
from services.gateway.settings import GatewaySettings
from services.runtime.access import current_caller


class StudyDesk:
    """Takes in the cines of studies and reviews them; to be used on one event loop.

    Args:
        protocol: of the trial.
        studies: the record.
        clock: gives the time, seconds since 1970.
    """

    def __init__(self, protocol: TrialProtocol, studies: Studies, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.is_closed = False
        self._protocol, self._studies = protocol, studies
        self._changes: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def check(self, study_id: str, name: StudyName) -> None:
        """Hold what a caller calls a study to the trial's protocol.

        Args:
            study_id: the study's UID; empty where the cine is of none.
            name: as the caller typed it.

        Raises:
            RequestInvalidError: the protocol knows no such name; the message does not repeat it.
        """
        protocol = self._protocol
        if not study_id:
            if name != StudyName("", "", ""):
                raise _invalid("the name of a study without its study_id", "both, or neither")
        elif name.trial != protocol.trial or not self._is_of_this_trial():
            raise _invalid("another trial, or none", protocol.trial)
        elif not protocol.is_subject_code(name.subject_code):
            raise _invalid(
                "a subject_code of another shape", f"{protocol.subject_code} (# a digit, @ a capital letter)"
            )
        elif name.visit not in protocol.visits:
            raise _invalid("an unknown visit", f"one of {', '.join(protocol.visits)}")

    async def record(self, study_id: str, name: StudyName, data: bytes | bytearray, assessment: Assessment) -> None:
        """Write down what is answered of a cine, and wake those who watch its study.

        Args:
            study_id: the study's UID.
            name: that `check` let pass.
            data: the whole file.
            assessment: what is answered.

        Raises:
            RequestInvalidError: the study has another name.
            StorageError: it could not be written.
        """
        if await asyncio.to_thread(self._record, study_id, name, data, assessment):
            changed = self._changes.pop(_own(study_id), None)
            if changed is not None:
                changed.set()

    async def review(self, study_id: str) -> tuple[StudyName, StudyReview]:
        """Review a study as it stands.

        Raises:
            StudyUnknownError: no cine of it came, or it is another trial's or site's.
            StorageError: the record cannot be read.
        """
        study = await asyncio.to_thread(self._studies.get, _own(study_id))
        was_before = study.name.trial != self._protocol.trial  # recorded under a protocol that was here before
        if was_before or not self._is_of_this_trial():
            raise StudyUnknownError
        return study.name, review_study(self._protocol, study.cines, self.clock())

    def next_change(self, study_id: str) -> asyncio.Event:
        """Give what is set when the study changes next, in this process, or the desk is closed; hold on to it."""
        own = _own(study_id)
        changed = self._changes.get(own)
        if changed is None:
            changed = self._changes[own] = asyncio.Event()
        return changed

    def close(self) -> None:
        """Have those who watch leave."""
        self.is_closed = True
        for changed in list(self._changes.values()):
            changed.set()

    def _record(self, study_id: str, name: StudyName, data: bytes | bytearray, assessment: Assessment) -> bool:
        prediction = assessment.prediction
        cine = StudyCine(
            sha256=hashlib.sha256(data).hexdigest(),
            view=None if prediction is None else prediction.view,
            confidence=0.0 if prediction is None else prediction.confidence,
            findings=assessment.intake.findings,
            received_s=self.clock(),
        )
        return self._studies.record(_own(study_id), name, cine)

    def _is_of_this_trial(self) -> bool:
        """Whether the call is for the protocol's trial; where nobody is asked who they are, every call is."""
        caller = current_caller()
        return caller is None or caller.trial == self._protocol.trial


def open_study_desk(settings: GatewaySettings) -> StudyDesk | None:
    """Open the record of studies; None where no trial's protocol is set.

    Raises:
        ConfigError: the protocol, the key or the database is not what it should be.
        StorageError: the database cannot be used.
    """
    if settings.trial_protocol is None or settings.study_key_file is None:
        return None
    protocol, key = read_protocol(settings.trial_protocol), read_key(settings.study_key_file)
    return StudyDesk(protocol, Studies(settings.study_database, key))


def check_studies(settings: GatewaySettings) -> None:
    """Read the protocol and the key, where they are set, and leave the record alone.

    Raises:
        ConfigError: one of them is not what it should be.
    """
    if settings.trial_protocol is not None and settings.study_key_file is not None:
        read_protocol(settings.trial_protocol)
        read_key(settings.study_key_file)


def _own(study_id: str) -> str:
    """Keep the studies of sites apart, whatever their UIDs; the mark between is in no study_id."""
    caller = current_caller()
    return study_id if caller is None else f"{caller.site}/{study_id}"


def _invalid(found: str, expected: str) -> RequestInvalidError:
    return RequestInvalidError(
        Reason.REQUEST_MALFORMED,
        found=found,
        expected=expected,
        advice="Send trial, subject_code and visit as the trial's protocol has them, never a person's own.",
    )
