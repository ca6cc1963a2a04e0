"""The studies of a gateway: cines written down, studies named, reviewed and in the end forgotten, watchers woken."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from services.acquisition.protocol import TrialProtocol, read_protocol
from services.acquisition.studies import Studies, Study, StudyCine, StudyKey, StudyName, read_key
from services.acquisition.study_review import StudyReview, review_study
from services.cine.errors import Reason, RequestInvalidError, StorageError, StudyUnknownError, TrialUnknownError
from services.gateway.assess import Assessment
from services.gateway.settings import GatewaySettings
from services.runtime.access import current_caller

SWEEP_S = 3600.0
"""How often to look for studies that have been kept long enough."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Filing:
    """What a caller says of the study of a cine.

    Attributes:
        study_id: its UID; empty where the cine is of none, or the study is named by the next.
        study: the keyed hash of its UID, of a study that is known already.
        name: as the caller typed it; its trial only where nobody did.
    """

    study_id: str
    study: str
    name: StudyName

    @property
    def is_of_a_study(self) -> bool:
        """Whether the cine is of any."""
        return bool(self.study_id or self.study)


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
        self._changes: WeakValueDictionary[StudyKey, asyncio.Event] = WeakValueDictionary()

    def protocol(self) -> TrialProtocol:
        """Give what the trial asks for.

        Raises:
            TrialUnknownError: the call is for another trial.
        """
        if not self._is_of_this_trial():
            raise TrialUnknownError
        return self._protocol

    def key(self, study_id: str, study: str) -> StudyKey:
        """Tell which study of the calling site is meant: by its UID, or by the hash of it."""
        return self._studies.key(_site(), study_id) if study_id else StudyKey(_site(), study)

    def check(self, filing: Filing) -> None:
        """Hold what a caller calls a study to the trial's protocol.

        Raises:
            RequestInvalidError: the protocol knows no such name; the message does not repeat it.
        """
        if filing.study_id and filing.study:
            raise _invalid("study_id beside study", "one of them")
        if not filing.is_of_a_study:
            if filing.name != StudyName(""):
                raise _invalid("the name of a study without its study_id", "both, or neither")
        elif filing.name.is_told:
            self._check_name(filing.name)
        else:
            self._check_trial(filing.name)

    async def record(self, filing: Filing, data: bytes | bytearray, assessment: Assessment) -> None:
        """Write down what is answered of a cine, and wake those who watch its study.

        Args:
            filing: that `check` let pass.
            data: the whole file.
            assessment: what is answered.

        Raises:
            RequestInvalidError: the study has another name.
            StudyUnknownError: it was to be known already, and is not.
            StorageError: it could not be written.
        """
        key = self.key(filing.study_id, filing.study)
        if await asyncio.to_thread(self._record, key, filing, data, assessment):
            self._wake(key)

    async def name(self, key: StudyKey, name: StudyName, replaced: StudyName) -> tuple[Study, StudyReview]:
        """Name a study, or correct its name, and wake those who watch it.

        Args:
            key: of the study.
            name: that it is to have.
            replaced: that it has now.

        Raises:
            RequestInvalidError: the protocol knows no such name, or the study has another one than that by now.
            StudyUnknownError: no cine of it came, or it is another trial's or site's.
            StorageError: it could not be written.
        """
        self._check_name(name)
        if await asyncio.to_thread(self._studies.rename, key, name, replaced):
            self._wake(key)
        return await self.review(key)

    async def review(self, key: StudyKey) -> tuple[Study, StudyReview]:
        """Review a study as it stands.

        Raises:
            StudyUnknownError: no cine of it came, or it is another trial's or site's.
            StorageError: the record cannot be read.
        """
        study = await asyncio.to_thread(self._studies.get, key)
        was_before = study.name.trial != self._protocol.trial  # recorded under a protocol that was here before
        if was_before or not self._is_of_this_trial():
            raise StudyUnknownError
        return study, self._review(study)

    async def newest(
        self, subject_code: str, visit: str, count: int, before: int | None
    ) -> list[tuple[Study, StudyReview]]:
        """List the studies of the calling site, that with the newest cine first; `Studies.newest` has the arguments.

        Raises:
            StorageError: the record cannot be read.
        """
        if not self._is_of_this_trial():
            return []
        wanted = StudyName(self._protocol.trial, subject_code, visit)
        studies = await asyncio.to_thread(self._studies.newest, _site(), wanted, count, before)
        return [(study, self._review(study)) for study in studies]

    async def forget(self, retention_s: float, every_s: float = SWEEP_S) -> None:
        """Forget studies so long after their newest cine, until cancelled.

        Args:
            retention_s: how long a study is kept after it, s.
            every_s: how often to look, s.
        """
        while True:
            try:
                count = await asyncio.to_thread(self._studies.expire, self.clock() - retention_s)
                if count:
                    _log.info("studies_forgotten", count=count)
            except StorageError as error:
                _log.error("no_studies", reason=error.reason, message=str(error))
            await asyncio.sleep(every_s)

    def next_change(self, key: StudyKey) -> asyncio.Event:
        """Give what is set when the study changes next, in this process, or the desk is closed; hold on to it."""
        changed = self._changes.get(key)
        if changed is None:
            changed = self._changes[key] = asyncio.Event()
        return changed

    def close(self) -> None:
        """Have those who watch leave."""
        self.is_closed = True
        for changed in list(self._changes.values()):
            changed.set()

    def _review(self, study: Study) -> StudyReview:
        return review_study(self._protocol, study.cines, self.clock())

    def _wake(self, key: StudyKey) -> None:
        changed = self._changes.pop(key, None)
        if changed is not None:
            changed.set()

    def _record(self, key: StudyKey, filing: Filing, data: bytes | bytearray, assessment: Assessment) -> bool:
        prediction = assessment.prediction
        cine = StudyCine(
            sha256=hashlib.sha256(data).hexdigest(),
            view=None if prediction is None else prediction.view,
            confidence=0.0 if prediction is None else prediction.confidence,
            findings=assessment.intake.findings,
            received_s=self.clock(),
        )
        return self._studies.record(key, filing.name, cine, may_begin=bool(filing.study_id))

    def _check_name(self, name: StudyName) -> None:
        protocol = self._protocol
        self._check_trial(name)
        if not protocol.is_subject_code(name.subject_code):
            raise _invalid(
                "a subject_code of another shape", f"{protocol.subject_code} (# a digit, @ a capital letter)"
            )
        if name.visit not in protocol.visits:
            raise _invalid("an unknown visit", f"one of {', '.join(protocol.visits)}")

    def _check_trial(self, name: StudyName) -> None:
        if name.trial != self._protocol.trial or not self._is_of_this_trial():
            raise _invalid("another trial, or none", self._protocol.trial)

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


def _site() -> str:
    """Whose studies a caller meets; empty where sites are not told apart."""
    caller = current_caller()
    return "" if caller is None else caller.site


def _invalid(found: str, expected: str) -> RequestInvalidError:
    return RequestInvalidError(
        Reason.REQUEST_MALFORMED,
        found=found,
        expected=expected,
        advice="Send trial, subject_code and visit as the trial's protocol has them, never a person's own.",
    )
