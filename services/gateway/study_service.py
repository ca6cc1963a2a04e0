"""StudyService on the wire: which studies there are, which views they have, and which they still miss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from echoplane.v1 import study_pb2, study_pb2_grpc

from services.acquisition.study_review import ReviewState
from services.gateway.counting import counted
from services.gateway.metrics import GatewayMetrics
from services.gateway.paging import next_token, read_page
from services.gateway.study_desk import StudyDesk
from services.gateway.study_messages import read_key, read_names, to_protocol, to_review, to_summary
from services.runtime.rpc import Admission

METHOD = "WatchStudyReview"
POLL_S = 5.0
"""How often a watched study is looked at without being told of a change: other processes tell nobody."""


@dataclass(frozen=True)
class StudyService(study_pb2_grpc.StudyServiceServicer):
    """Lists, names and reviews studies.

    Attributes:
        desk: where their cines are recorded.
        admission: who may watch.
        metrics: counts.
        poll_s: how often a watched study is looked at without being told of a change, s.
    """

    desk: StudyDesk
    admission: Admission
    metrics: GatewayMetrics
    poll_s: float = POLL_S

    async def GetTrialProtocol(  # noqa: N802 - the name on the wire
        self, request: study_pb2.GetTrialProtocolRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> study_pb2.GetTrialProtocolResponse:
        """Give what the trial asks for."""
        with counted(self.metrics, "study", "GetTrialProtocol"):
            return study_pb2.GetTrialProtocolResponse(protocol=to_protocol(self.desk.protocol()))

    async def ListStudies(  # noqa: N802
        self, request: study_pb2.ListStudiesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> study_pb2.ListStudiesResponse:
        """List studies, the one with the newest cine first."""
        with counted(self.metrics, "study", "ListStudies"):
            size, before = read_page(request)
            found = await self.desk.newest(request.subject_code, request.visit, size, before)
            token = next_token([study.number for study, _ in found], size)
            return study_pb2.ListStudiesResponse(studies=[to_summary(*each) for each in found], next_page_token=token)

    async def NameStudy(  # noqa: N802
        self, request: study_pb2.NameStudyRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> study_pb2.NameStudyResponse:
        """Name a study, or correct its name."""
        with counted(self.metrics, "study", "NameStudy"):
            key = self.desk.key(*read_key(request))
            named = await self.desk.name(key, *read_names(request))
            return study_pb2.NameStudyResponse(study=to_summary(*named))

    async def GetStudyReview(  # noqa: N802
        self, request: study_pb2.GetStudyReviewRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> study_pb2.GetStudyReviewResponse:
        """Give the review as it stands."""
        with counted(self.metrics, "study", "GetStudyReview"):
            review = await self.desk.review(self.desk.key(*read_key(request)))
            return study_pb2.GetStudyReviewResponse(review=to_review(*review))

    async def WatchStudyReview(  # noqa: N802
        self, request: study_pb2.WatchStudyReviewRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[study_pb2.WatchStudyReviewResponse]:
        """Give the review as it stands, then each change of it."""
        with counted(self.metrics, "study", METHOD) as asked:
            key, shown = self.desk.key(*read_key(request)), None
            async with self.admission.admitted(), self.admission.working():
                while not self.desk.is_closed:
                    changed = self.desk.next_change(key)  # before looking: what comes meanwhile sets it
                    study, review = await self.desk.review(key)
                    message = to_review(study, review)
                    if message != shown:
                        yield study_pb2.WatchStudyReviewResponse(review=message)
                        shown, asked.is_served = message, True
                    is_open = review.state is ReviewState.OPEN
                    until_final_s = review.final_s - self.desk.clock() if is_open else self.poll_s
                    with suppress(TimeoutError):
                        async with asyncio.timeout(min(self.poll_s, until_final_s)):
                            await changed.wait()
