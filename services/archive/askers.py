"""Who is asked about a file: the model in this process, or a gateway."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from echoplane.v1 import view_pb2

from services.answers import Answer
from services.cine.errors import EchoplaneError, InputError, ModelUnavailableError, ReaderUnavailableError
from services.cine.intake import IntakeOptions
from services.client import CallError, Client
from services.gateway.assess import Assessor
from services.gateway.view_service import to_response

FILE_TIMEOUT_S = 300.0
"""How long a file waits for its answer, and for room in a gateway's queue: others may be sending their archives too."""

_READER_TRIES = 3
"""Its parent dies with every cine that is being read; a file that meets it three times is probably the reason."""


class Asker(Protocol):
    """Answers for files."""

    async def model(self) -> str:
        """Give the sha256 of the model that answers.

        Raises:
            EchoplaneError: there is none.
        """

    async def ask(self, path: Path, name: str, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too.

        Raises:
            EchoplaneError: nobody can answer, for this file or any other.
        """


@dataclass(frozen=True)
class AskHere:
    """Asks the model in this process.

    Attributes:
        assessor: reads, and runs the model.
        pause_s: time for a reader that was lost to be started again, s.
    """

    assessor: Assessor
    pause_s: float = 1.0

    async def model(self) -> str:
        """Give the sha256 of the model in the repository."""
        return self.assessor.backend.identity.sha256

    async def ask(self, path: Path, name: str, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too.

        Raises:
            ReaderUnavailableError: nothing can be read any more.
        """
        for _ in range(_READER_TRIES):
            try:
                assessment = await self.assessor.assess(data, options)
                return Answer(path, name, to_response("", assessment), intake=assessment.intake)
            except ReaderUnavailableError as error:
                lost = error
                await asyncio.sleep(self.pause_s)
            except EchoplaneError as error:
                return Answer(path, name, None, error.reason, str(error))
        with suppress(InputError):  # says that it is empty, if it says anything
            await self.assessor.assess(b"", options)
        return Answer(path, name, None, lost.reason, str(lost))


@dataclass(frozen=True)
class AskServer:
    """Asks a gateway, and waits where it has no room or is being started again, as its client does.

    Attributes:
        client: of the gateway.
        filing: of which study the cines are; empty for none.
    """

    client: Client
    filing: view_pb2.CineHeader = field(default_factory=view_pb2.CineHeader)

    async def model(self) -> str:
        """Give the sha256 of the gateway's model: it says so with every answer, here for a small black picture."""
        black = cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()
        try:
            return (await self.client.predict_view(black)).model.sha256
        except CallError as error:
            raise _gone(error) from error

    async def ask(self, path: Path, name: str, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too."""
        header = view_pb2.CineHeader(selection=f"SELECTION_{options.selection}", max_frames=options.max_frames)
        header.MergeFrom(self.filing)
        try:
            return Answer(path, name, await self.client.predict_view(data, header, FILE_TIMEOUT_S))
        except CallError as error:
            if error.code == "UNAVAILABLE":
                raise _gone(error) from error
            return Answer(path, name, None, error.reason or error.code, error.message)


def _gone(error: CallError) -> EchoplaneError:
    return ModelUnavailableError(
        found=f"a gateway that says {error.code}",
        expected="an answer",
        advice=f"{error.message} With --csv the same command then goes on where it stopped.",
    )
