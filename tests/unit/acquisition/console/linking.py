"""A gateway for the console's parts that answers without a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from echoplane.v1 import study_pb2, synthesis_pb2, view_pb2

from services.acquisition.console.link import GatewayState, Link
from services.acquisition.console.settings import ConsoleSettings
from services.client import CallError

PROTOCOL = study_pb2.TrialProtocol(
    trial="EXAMPLE-1",
    subject_code="S##-###",
    visits=["baseline", "month-6"],
    required_views=[
        study_pb2.RequiredView(view="VIEW_A4C", accepted_cines=2, least_confidence=0.7),
        study_pb2.RequiredView(view="VIEW_PLAX", accepted_cines=1, least_confidence=0.6),
    ],
)
THERE = GatewayState(is_there=True, words="", has_studies=True, protocol=PROTOCOL, has_generator=True)
A4C = view_pb2.PredictViewResponse(
    verdict="VERDICT_ACCEPTED",
    view="VIEW_A4C",
    confidence=0.9,
    model=view_pb2.Model(sha256="ab" * 32, trained_on="nothing"),
)
AWAY = CallError("UNAVAILABLE", "", "nobody there", None)
NOT_FOUND = CallError("NOT_FOUND", "STUDY_UNKNOWN", "nothing came", None)


class Answers:
    """Stands for the client: gives what it was told to, and keeps what it was asked."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.asked: list[Any] = []

    async def __aenter__(self) -> Answers:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def predict_view(
        self, data: bytes, header: view_pb2.CineHeader, timeout_s: float
    ) -> view_pb2.PredictViewResponse:
        self.asked.append((data, header))
        return self._give("answer", A4C)

    async def list_studies(self, **wanted: Any) -> study_pb2.ListStudiesResponse:
        self.asked.append(wanted)
        return self._give("studies", study_pb2.ListStudiesResponse())

    async def name_study(self, request: study_pb2.NameStudyRequest) -> study_pb2.StudySummary:
        self.asked.append(request)
        return self._give("named", study_pb2.StudySummary(study=request.study))

    async def get_trial_protocol(self, timeout_s: float) -> study_pb2.TrialProtocol:
        return self._give("protocol", PROTOCOL)

    async def watch_study_review(self, **key: Any) -> AsyncIterator[study_pb2.StudyReview]:
        self.asked.append(key)
        for review in self._give("reviews", []):
            yield review
        raise NOT_FOUND

    async def generate_batch(
        self, request: synthesis_pb2.GenerateBatchRequest
    ) -> AsyncIterator[synthesis_pb2.GenerateBatchResponse]:
        self.asked.append(request)
        for image in self._give("images", []):
            yield image

    def _give(self, name: str, otherwise: Any) -> Any:
        given = self.given.get(name, otherwise)
        if isinstance(given, CallError):
            raise given
        return given


class LinkedTo(Link):
    """A link to answers that are there already."""

    def __init__(self, answers: Answers, state: GatewayState = THERE) -> None:
        super().__init__(ConsoleSettings.load({}))
        self.answers, self.state = answers, state

    def client(self) -> Any:
        return self.answers
