"""StudyService on the wire: which views a study has, and which it still misses."""

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
from services.gateway.study_desk import StudyDesk
from services.gateway.study_messages import checked_study_id, to_review
from services.runtime.rpc import Admission

METHOD = "WatchStudyReview"
POLL_S = 5.0
"""How often a watched study is looked at without being told of a change: other processes tell nobody."""


@dataclass(frozen=True)
class StudyService(study_pb2_grpc.StudyServiceServicer):
    """Reviews studies.

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

    async def GetStudyReview(  # noqa: N802 - the name on the wire
        self, request: study_pb2.GetStudyReviewRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> study_pb2.GetStudyReviewResponse:
        """Give the review as it stands."""
        with counted(self.metrics, "study", "GetStudyReview"):
            review = await self.desk.review(checked_study_id(request.study_id))
            return study_pb2.GetStudyReviewResponse(review=to_review(*review))

    async def WatchStudyReview(  # noqa: N802
        self, request: study_pb2.WatchStudyReviewRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[study_pb2.WatchStudyReviewResponse]:
        """Give the review as it stands, then each change of it."""
        with counted(self.metrics, "study", METHOD) as asked:
            study_id, shown = checked_study_id(request.study_id), None
            async with self.admission.admitted(), self.admission.working():
                while not self.desk.is_closed:
                    changed = self.desk.next_change(study_id)  # before looking: what comes meanwhile sets it
                    name, review = await self.desk.review(study_id)
                    message = to_review(name, review)
                    if message != shown:
                        yield study_pb2.WatchStudyReviewResponse(review=message)
                        shown, asked.is_served = message, True
                    is_open = review.state is ReviewState.OPEN
                    until_final_s = review.final_s - self.desk.clock() if is_open else self.poll_s
                    with suppress(TimeoutError):
                        async with asyncio.timeout(min(self.poll_s, until_final_s)):
                            await changed.wait()
