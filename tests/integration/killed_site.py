"""A site whose node and gateway are there to be killed: two scanners (dcmtk), somebody who asks by himself, an archive.

All of them tell what they see, so that a kill is known by what had happened last before it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from echoplane.v1 import view_pb2

from services.client import CallError, Client
from tests.builders import dicom_bytes, fan_frames
from tests.integration.nodes import free_port, wait_for
from tests.unit.acquisition.cases import PATIENT, UIDS

START_TIMEOUT_S = 180.0
A_FILE, AGAIN_EVERY = 3, 7
"""Objects of an association; which of those acknowledged are sent once more, as by a scanner that heard nothing."""

FIRST_ASKED = 5_000_000
"""Number of the first cine that is sent to the gateway alone."""

STUDY = "1.2.752.19520229.6.6"
_STUDY: Any = {"study_id": STUDY, "trial": "EXAMPLE-1", "subject_code": "S01-001", "visit": "baseline"}
_PLACE = b"1.2.826.7.9999999"
_REST_S, _POLL_S = 0.2, 0.05
_COPY_BYTES = 64 * 1024


class Moment(StrEnum):
    """What had happened last."""

    STARTING = "starting again"
    RECEIVING = "an object arrives"
    ACKNOWLEDGED = "an object was acknowledged"
    ASKING = "the node asks the gateway"
    ANSWERED = "the node has its answer"
    REPORTING = "a report is on its way"
    REPORTED = "a report was taken"
    RECORDING = "somebody else asks the gateway"
    RECORDED = "somebody else has his answer"


@dataclass
class Tape:
    """The last of what happened."""

    last: Moment = Moment.STARTING
    turns: int = 0
    _heard: dict[Moment, threading.Event] = field(default_factory=lambda: {each: threading.Event() for each in Moment})

    def tell(self, moment: Moment) -> None:
        """Say what happens now."""
        self.last, self.turns = moment, self.turns + 1
        self._heard[moment].set()

    def wait_for_next(self, moment: Moment, timeout_s: float) -> None:
        """Wait until that happens the next time, or until the time is over."""
        self._heard[moment].clear()
        self._heard[moment].wait(timeout_s)


@dataclass
class Victim:
    """A process that is started again after each kill.

    Attributes:
        module: what it runs.
        settings: environment variables.
        log: of its last life.
        mark: the log line of one that serves has it.
    """

    module: str
    settings: Mapping[str, str]
    log: Path
    mark: str
    _maker: subprocess.Popen[str] | None = None
    _process: int = 0

    def start(self) -> None:
        """Start it; it serves some moments later."""
        if self._maker is None:
            command = [sys.executable, "-m", "tests.integration.prefork", self.module, str(self.log)]
            environment, pipe = dict(os.environ) | dict(self.settings), subprocess.PIPE
            self._maker = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self.log.write_bytes(b"")
        print(file=self._maker.stdin, flush=True)
        self._process = int(self._maker.stdout.readline())

    def is_serving(self) -> bool:
        """Tell whether it has said so."""
        assert self._is_there(), self.log.read_text()
        return self.mark in self.log.read_text()

    def wait(self) -> None:
        """Wait until it serves."""
        try:
            wait_for(self.is_serving, START_TIMEOUT_S)
        except AssertionError as error:
            raise AssertionError(f"{self.module} does not serve: {self.log.read_text()}") from error

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        os.kill(self._process, signal.SIGKILL)
        wait_for(lambda: not self._is_there(), START_TIMEOUT_S)

    def end(self) -> None:
        """Kill it for good."""
        if self._maker is not None:
            with self._maker:
                if self._process and self._is_there():
                    self.kill()

    def _is_there(self) -> bool:
        return Path(f"/proc/{self._process}").exists()


def uid_of(number: int) -> str:
    """Give an object its UID."""
    return f"1.2.826.7.{1_000_000 + number}"


@dataclass
class Cines:
    """Objects that differ in their UID alone, as many as one likes.

    Attributes:
        folder: of their files.
        template: the bytes of one, with a UID that is replaced.
    """

    folder: Path
    template: bytes = field(
        default_factory=lambda: dicom_bytes(
            fan_frames(12, 90, 120),
            **(UIDS | PATIENT | {"SOPInstanceUID": _PLACE.decode()}),
        ),
        repr=False,
    )

    def data(self, number: int) -> bytes:
        """Give the bytes of an object."""
        return self.template.replace(_PLACE, uid_of(number).encode())

    def write(self, number: int) -> Path:
        """Write an object to send."""
        path = self.folder / f"{number}.dcm"
        if not path.exists():
            path.write_bytes(self.data(number))
        return path


@dataclass
class Scanner:
    """Sends objects to the node by dcmtk's storescu, a few in an association, some of them twice.

    Attributes:
        cines: what to send.
        numbers: of what to send next; shared with others who send to the node.
        port: of the node.
        tape: hears what happens.
        has_room: whether to send more now.
        is_over: set to have it send nothing new; it ends when all that it sent was acknowledged.
        told: numbers that were acknowledged.
        sent_again: how many of them were sent once more.
    """

    cines: Cines
    numbers: Iterator[int]
    port: int
    tape: Tape
    has_room: Callable[[], bool]
    is_over: threading.Event
    told: list[int] = field(default_factory=list)
    sent_again: int = 0

    def run(self) -> None:
        """Send."""
        unsaid: list[int] = []
        while unsaid or not self.is_over.is_set():
            if not self.is_over.is_set() and not unsaid:
                if not self.has_room():
                    time.sleep(_POLL_S)
                    continue
                unsaid += itertools.islice(self.numbers, A_FILE)
            again = [number for number in self.told[-1:] if number % AGAIN_EVERY == 0]
            told = self._send([*again, *unsaid])
            self.sent_again += len(again)
            self.told += [number for number in told if number not in again]
            unsaid = [number for number in unsaid if number not in told]
            time.sleep(_REST_S)

    def _send(self, numbers: list[int]) -> list[int]:
        """Send objects in one association, and give those that were acknowledged."""
        command = ["storescu", "-v", "-aec", "ECHOPLANE", "127.0.0.1", str(self.port)]
        command += [str(self.cines.write(number)) for number in numbers]
        acknowledged = 0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if "Sending Store Request" in line:
                    self.tape.tell(Moment.RECEIVING)
                elif "Received Store Response (Success)" in line:
                    self.tape.tell(Moment.ACKNOWLEDGED)
                    acknowledged += 1
        return numbers[:acknowledged]  # it stops at the first that is not


@dataclass
class Asker:
    """Sends cines of a study straight to the gateway, which records each before it answers.

    Attributes:
        cines: what to send.
        address: of the gateway.
        tape: hears what happens.
        is_over: set to have it stop.
        told: numbers that were answered; theirs are others than those of the scanners.
    """

    cines: Cines
    address: str
    tape: Tape
    is_over: threading.Event
    told: list[int] = field(default_factory=list)

    def run(self) -> None:
        """Send."""
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        for number in itertools.count(FIRST_ASKED):
            while not await self._is_answered(number):
                await asyncio.sleep(_REST_S)
            self.told.append(number)
            if self.is_over.is_set():
                return
            await asyncio.sleep(_REST_S)

    async def _is_answered(self, number: int) -> bool:
        self.tape.tell(Moment.RECORDING)
        async with Client(self.address) as client:
            try:
                await client.predict_view(self.cines.data(number), view_pb2.CineHeader(**_STUDY))
            except CallError:
                return False
        self.tape.tell(Moment.RECORDED)
        return True


@dataclass
class Relay:
    """Stands between node and gateway, and sees calls begin and end.

    Attributes:
        target: the gateway's port.
        tape: hears what happens.
        port: its own.
    """

    target: int
    tape: Tape
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        """Listen, until this process ends."""
        listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            node, _ = listener.accept()
            threading.Thread(target=self._attend, args=(node,), daemon=True).start()

    def _attend(self, node: socket.socket) -> None:
        with node:
            try:
                gateway = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return  # it has just been killed
            self.tape.tell(Moment.ASKING)
            ended: list[socket.socket] = []
            with gateway:
                down = threading.Thread(target=_copy, args=(gateway, node, ended), daemon=True)
                down.start()
                _copy(node, gateway, ended)
                if ended[0] is node:  # which hangs up when it has its answer
                    self.tape.tell(Moment.ANSWERED)
                down.join()


def _copy(source: socket.socket, sink: socket.socket, ended: list[socket.socket]) -> None:
    """Pass on bytes until there are no more, and say which end was the first to have none."""
    with suppress(OSError):
        while data := source.recv(_COPY_BYTES):
            sink.sendall(data)
    ended.append(source)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
