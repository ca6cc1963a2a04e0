"""Asks a real gateway, and judges whether its answer is one that anybody may get."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
from echoplane.v1 import view_pb2
from google.rpc import error_details_pb2, status_pb2

from services.cine.errors import Reason

METHOD = "/echoplane.v1.ViewService/PredictView"
LONGEST_S = 60.0
_INPUT_REASONS = {
    reason for reason in Reason if reason.name.startswith(("LIMIT", "FORMAT", "HEADER", "PIXELS", "CODEC"))
} | {Reason.EMPTY, Reason.DECODER_CRASHED, Reason.REQUEST_MALFORMED}


@dataclass(frozen=True)
class Answer:
    """How one request ended.

    Attributes:
        code: gRPC status code, by name.
        reason: of google.rpc.ErrorInfo; of an answer its verdict.
        spent_s: from the first message to the answer, s.
        fault: what is wrong with it; empty where nothing is.
    """

    code: str
    reason: str
    spent_s: float
    fault: str


async def ask(channel: grpc.aio.Channel, messages: Iterable[bytes]) -> Answer:
    """Send messages as they are, whatever they are."""

    async def stream() -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    call: Any = channel.stream_unary(METHOD, None, view_pb2.PredictViewResponse.FromString)
    start = time.perf_counter()
    try:
        response = await call(stream(), timeout=LONGEST_S)
    except grpc.aio.AioRpcError as error:
        spent_s, reason = time.perf_counter() - start, reason_of(error)
        typed = error.code() is grpc.StatusCode.INVALID_ARGUMENT and reason in _INPUT_REASONS
        return Answer(error.code().name, reason, spent_s, "" if typed else f"no typed refusal: {error.details()}")
    verdict = view_pb2.Verdict.Name(response.verdict)
    return Answer("OK", verdict, time.perf_counter() - start, _fault(response))


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Give the reason of a refusal's google.rpc.ErrorInfo; empty where it has none."""
    for key, value in error.trailing_metadata() or ():
        details = status_pb2.Status.FromString(value).details if key == "grpc-status-details-bin" else ()
        for detail in details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return str(info.reason)
    return ""


def _fault(response: view_pb2.PredictViewResponse) -> str:
    """Say what is wrong with an answer that no cine, however damaged, may get."""
    cine, frames = response.cine, response.frames
    numbers = [response.confidence, cine.duration_ms, cine.row_spacing_mm, cine.column_spacing_mm]
    numbers += [frame.time_ms for frame in frames] + [entry.probability for entry in response.probabilities]
    rejects = any(finding.severity == view_pb2.SEVERITY_REJECT for finding in response.findings)
    expected = view_pb2.VERDICT_REJECTED if rejects else view_pb2.VERDICT_ACCEPTED
    faults = {
        "a number that is negative or not finite": not all(0 <= number < math.inf for number in numbers),
        "a size of nothing": not min(cine.rows, cine.columns, cine.frame_count),
        "a frame that the cine does not have": any(frame.index >= cine.frame_count for frame in frames),
        "times that go back": any(a.time_ms > b.time_ms for a, b in pairwise(frames)),
        "probabilities that are not one": bool(frames)
        and abs(sum(p.probability for p in response.probabilities) - 1) > 1e-3,
        "a verdict that its findings do not bear": response.verdict != expected,
        "an acceptance without a view to judge": expected == view_pb2.VERDICT_ACCEPTED and not frames,
    }
    return "; ".join(fault for fault, is_there in faults.items() if is_there)


def memory_mib(pid: int) -> float:
    """Give the resident memory of a process, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def warm_parent(pid: int) -> int:
    """Give the process id of a gateway's warm parent."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    (parent,) = {int(child) for task in tasks for child in task.read_text().split()}
    return parent


async def politely(channel: grpc.aio.Channel, messages: list[bytes], every_s: float, spent_s: list[float]) -> None:
    """Send a sound cine at regular times until cancelled, and keep how long each answer took."""
    while True:
        answer = await ask(channel, messages)
        if answer.code != "OK" or answer.fault:
            raise AssertionError(f"a sound cine was answered {answer}")
        spent_s.append(answer.spent_s)
        await asyncio.sleep(max(0.0, every_s - answer.spent_s))
