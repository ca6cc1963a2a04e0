"""Which study a person at the console means: one that the gateway has, or the one that a name stands for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from echoplane.v1 import study_pb2, view_pb2

_SPACE = uuid.UUID("a7c3f0e2-52c5-4d0a-9d7e-6b2f54b6d7a1")
"""Names of studies live in here (RFC 9562 section 5.5); another value would be another study for each name."""


@dataclass(frozen=True)
class Subject:
    """A study as the page names it; of a cine that belongs to no study all is empty.

    Attributes:
        trial: its name.
        study: as the gateway's list calls it, or empty.
        subject_code, visit: as typed, or empty.
    """

    trial: str = ""
    study: str = ""
    subject_code: str = ""
    visit: str = ""

    @property
    def study_id(self) -> str:
        """Give the UID of a study that was typed: a UUID under 2.25 (PS3.5 annex B.2) made of its name.

        So what is typed twice, here or at another console of the trial, is one study.
        """
        name = f"{self.trial}/{self.subject_code}/{self.visit}"  # no mark between can stand in one of the three
        return f"2.25.{uuid.uuid5(_SPACE, name).int}"

    @property
    def key(self) -> dict[str, str]:
        """Say which study it is, as the client's calls take it."""
        return {"study": self.study} if self.study else {"study_id": self.study_id}

    def header(self, request_id: str) -> view_pb2.CineHeader:
        """Give the header of a cine of it."""
        if self.study:
            return view_pb2.CineHeader(request_id=request_id, trial=self.trial, study=self.study)
        if not self.subject_code:
            return view_pb2.CineHeader(request_id=request_id)
        return view_pb2.CineHeader(
            request_id=request_id,
            study_id=self.study_id,
            trial=self.trial,
            subject_code=self.subject_code,
            visit=self.visit,
        )

    @property
    def name(self) -> study_pb2.StudyName:
        """Give its name on the wire."""
        return study_pb2.StudyName(trial=self.trial, subject_code=self.subject_code, visit=self.visit)
