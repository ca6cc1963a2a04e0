"""Files that are dropped on the page: counted as they come, sent to the gateway, and their film begun."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from echoplane.v1 import study_pb2

from services.acquisition.console.films import Films
from services.acquisition.console.link import Link
from services.acquisition.console.shown import show_answer, show_trouble
from services.acquisition.console.subject import Subject
from services.acquisition.console.words import refusal, trouble
from services.cine.budget import ReadLimits
from services.cine.errors import CapacityError, LimitExceededError
from services.client import CallError
from services.runtime.rpc import Admission


@dataclass(frozen=True)
class Uploads:
    """Takes files in.

    Attributes:
        link: to the gateway.
        films: where their films are kept.
        admission: how many, and how many bytes, at a time.
        limits: how large a file may be.
        timeout_s: how long the gateway may take for one, s.
    """

    link: Link
    films: Films
    admission: Admission
    limits: ReadLimits
    timeout_s: float

    async def take(
        self, chunks: AsyncIterator[bytes], subject: Subject, required: Iterable[study_pb2.RequiredView]
    ) -> dict[str, Any]:
        """Send one file to the gateway, and give what it got: `answer` and `film`, or `trouble`.

        Args:
            chunks: of the file, as they arrive.
            subject: whose it is.
            required: what the trial asks for.
        """
        data = bytearray()
        try:
            async with self.admission.admitted():
                try:
                    await self._receive(chunks, data)
                    async with self.admission.working():
                        return await self._send(bytes(data), subject, required)
                finally:
                    self.admission.take_bytes(-len(data))
        except LimitExceededError as error:
            return {"trouble": show_trouble(refusal(error.reason))}
        except CapacityError as error:
            return {"trouble": show_trouble(refusal(error.reason, error.retry_after_s))}

    async def _receive(self, chunks: AsyncIterator[bytes], data: bytearray) -> None:
        """Gather a file.

        Raises:
            LimitExceededError: it is too large.
            CapacityError: all files together are.
        """
        async for chunk in chunks:
            self.limits.check_bytes(len(data) + len(chunk))
            self.admission.take_bytes(len(chunk))
            data += chunk

    async def _send(self, data: bytes, subject: Subject, required: Iterable[study_pb2.RequiredView]) -> dict[str, Any]:
        film = self.films.begin(data)
        try:
            async with self.link.client() as client:
                answer = await client.predict_view(data, subject.header(uuid.uuid4().hex), timeout_s=self.timeout_s)
        except CallError as error:
            self.films.drop(film)
            return {"trouble": show_trouble(trouble(error))}
        self.link.answered(answer.model)
        return {"answer": show_answer(answer, required), "film": film}
