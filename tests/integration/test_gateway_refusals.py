"""A hostile client at a real gateway: every refusal is typed, nothing grows, the log repeats nothing it was sent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from echoplane.v1 import view_pb2
from google.rpc import error_details_pb2, status_pb2

from deploy.demo.gateway import Gateway, running_gateway
from tests.builders import dicom_bytes, fan_frames, gif_bomb, tiny_repository

METHOD = "/echoplane.v1.ViewService/PredictView"
GOOD = dicom_bytes(fan_frames(12, 64, 80))
SECRET = "Lundqvist^Astrid"
RECEIVE_TIMEOUT_S = 2
MAX_REQUEST_BYTES = 6 * 2**20
SETTINGS = {
    "RECEIVE_TIMEOUT_S": str(RECEIVE_TIMEOUT_S),
    "MAX_REQUEST_BYTES": str(MAX_REQUEST_BYTES),
    "SANDBOX_CPU_S": "1",
}


@dataclass(frozen=True)
class End:
    """How a call ended."""

    code: str
    reason: str = ""
    message: str = ""
    retry_s: float | None = None


OK = End("OK")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("refusals")
    repository = {"MODEL_REPOSITORY": str(tiny_repository(folder / "repository"))}
    with running_gateway(folder / "log", SETTINGS | repository) as gateway:
        yield gateway


@pytest.fixture
async def channel(gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(gateway.address, options=options) as channel:
        yield channel


def header(**fields: Any) -> bytes:
    return view_pb2.PredictViewRequest(header=view_pb2.CineHeader(**fields)).SerializeToString()


def chunk(data: bytes) -> bytes:
    return view_pb2.PredictViewRequest(chunk=data).SerializeToString()


def upload(data: bytes, **fields: Any) -> list[bytes]:
    return [header(**fields), *(chunk(data[start : start + 2**20]) for start in range(0, len(data), 2**20))]


def open_call(channel: grpc.aio.Channel, messages: Iterable[bytes], pause_s: float = 0.0) -> Any:
    """Send messages as they are, with a pause after each; give the call."""

    async def stream() -> AsyncIterator[bytes]:
        for message in messages:
            yield message
            if pause_s:
                await asyncio.sleep(pause_s)

    call: Any = channel.stream_unary(METHOD, None, view_pb2.PredictViewResponse.FromString)
    return call(stream(), timeout=60)


async def ask(channel: grpc.aio.Channel, messages: Iterable[bytes], pause_s: float = 0.0) -> End:
    try:
        await open_call(channel, messages, pause_s)
    except grpc.aio.AioRpcError as error:
        return told(error)
    return OK


def told(error: grpc.aio.AioRpcError) -> End:
    reason, retry_s = "", None
    for key, value in error.trailing_metadata() or ():
        details = status_pb2.Status.FromString(value).details if key == "grpc-status-details-bin" else ()
        for detail in details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                assert info.domain == "echoplane"
                reason = info.reason
            elif detail.Unpack(retry):
                retry_s = retry.retry_delay.ToTimedelta().total_seconds()
    return End(error.code().name, reason, error.details() or "", retry_s)


def memory_mib(gateway: Gateway) -> float:
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


MALFORMED = {
    "no message": [],
    "empty message": [b""],
    "chunk first": [chunk(GOOD), header()],
    "header twice": [header(), header(), chunk(GOOD)],
    "header after a chunk": [header(), chunk(GOOD), header()],
    "chunk of 2 MiB": [header(), chunk(bytes(2 * 2**20))],
    "noise": [b"\xff\xff\xff\xff"],
    "cut message": [header(request_id="abc")[:-1]],
    "file name in Latin-1": [b"\x0a\x06\x1a\x04" + "Åsa!".encode("latin-1"), chunk(GOOD)],
    "unknown format": upload(GOOD, format=99),
    "unknown selection": upload(GOOD, selection=-1),
    "1000 frames": upload(GOOD, max_frames=1_000),
    "request id of two lines": upload(GOOD, request_id=f"a\n{SECRET}"),
    "study id that is a name": upload(GOOD, study_id=SECRET),
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_a_malformed_request_is_an_invalid_argument(channel: grpc.aio.Channel, kind: str) -> None:
    end = await ask(channel, MALFORMED[kind])
    assert (end.code, end.reason) == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")
    assert "Lundqvist" not in end.message


UNREADABLE = {
    "EMPTY": [header(filename=SECRET)],
    "FORMAT_UNKNOWN": upload(SECRET.encode() * 99, filename=f"{SECRET}.dcm"),
    "FORMAT_MISMATCH": upload(GOOD, format=view_pb2.CINE_FORMAT_AVI),
    "HEADER_DAMAGED": upload(bytes(128) + b"DICM" + b"\xff" * 400),
    "PIXELS_DAMAGED": upload(GOOD[:4_000]),
    "LIMIT_FRAME_SIZE": upload(dicom_bytes(fan_frames(2), Rows=65_535, Columns=65_535, NumberOfFrames=100)),
    "LIMIT_BYTES": upload(bytes(MAX_REQUEST_BYTES + 1)),
    "LIMIT_TIME": upload(gif_bomb(1_500, 640)),
    "CODEC_UNSUPPORTED": upload(dicom_bytes(fan_frames(2), "1.2.3.19520229", PatientName=SECRET)),
}


@pytest.mark.parametrize("reason", UNREADABLE)
async def test_a_cine_that_cannot_be_read_is_an_invalid_argument_with_its_reason(
    channel: grpc.aio.Channel, reason: str
) -> None:
    end = await ask(channel, UNREADABLE[reason])
    assert (end.code, end.reason) == ("INVALID_ARGUMENT", reason)
    assert "19520229" not in end.message
    assert "Lundqvist" not in end.message


async def test_identity_in_a_sound_request_is_accepted_and_not_repeated(channel: grpc.aio.Channel) -> None:
    data = dicom_bytes(fan_frames(12, 64, 80), PatientName=SECRET, PatientID="19520229-1234")
    response = await open_call(channel, upload(data, filename=f"{SECRET}\n.dcm"))
    assert response.verdict == view_pb2.VERDICT_ACCEPTED
    assert "Lundqvist" not in str(response)


async def test_fields_of_a_later_version_are_no_obstacle(channel: grpc.aio.Channel) -> None:
    later = header() + b"\x9a\x3f\x03abc"
    assert await ask(channel, [later, chunk(GOOD)]) == OK


async def test_a_slow_upload_is_ended_at_its_deadline(channel: grpc.aio.Channel) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    end = await ask(channel, upload(GOOD) + [chunk(b"x")] * 200, pause_s=0.1)
    assert (end.code, end.reason) == ("DEADLINE_EXCEEDED", "DEADLINE")
    assert RECEIVE_TIMEOUT_S - 0.1 < loop.time() - before < RECEIVE_TIMEOUT_S + 5


async def test_many_at_once_are_answered_or_told_when_to_come_again(channel: grpc.aio.Channel) -> None:
    ends = await asyncio.gather(*(ask(channel, upload(GOOD)) for _ in range(300)))
    count = Counter((end.code, end.reason) for end in ends)
    assert set(count) == {("OK", ""), ("RESOURCE_EXHAUSTED", "QUEUE_FULL")}
    assert count["OK", ""] >= 18  # two at work and sixteen in the queue
    assert all(end.retry_s for end in ends if end is not OK and end.code != "OK")
    assert await ask(channel, upload(GOOD)) == OK


async def test_calls_that_are_cancelled_give_their_places_back(channel: grpc.aio.Channel) -> None:
    for wait_s in (0.0, 0.02, 0.1):
        calls = [open_call(channel, upload(GOOD) + [chunk(b"x")] * 20, pause_s=0.02) for _ in range(18)]
        await asyncio.sleep(wait_s)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    ends = [await ask(channel, upload(GOOD)) for _ in range(5)]
    assert ends == [OK] * 5


async def test_slow_uploads_hold_the_queue_no_longer_than_their_deadline(channel: grpc.aio.Channel) -> None:
    slow = [asyncio.create_task(ask(channel, [header()] + [chunk(b"x")] * 99, pause_s=0.2)) for _ in range(18)]
    await asyncio.sleep(0.5)
    assert (await ask(channel, upload(GOOD))).code == "RESOURCE_EXHAUSTED"
    assert {end.reason for end in await asyncio.gather(*slow)} == {"DEADLINE"}
    assert await ask(channel, upload(GOOD)) == OK


async def test_a_reader_that_dies_is_unavailable_once(gateway: Gateway, channel: grpc.aio.Channel) -> None:
    tasks = Path(f"/proc/{gateway.process.pid}/task").glob("*/children")
    (reader,) = {int(child) for task in tasks for child in task.read_text().split()}
    os.kill(reader, signal.SIGKILL)
    end = await ask(channel, upload(GOOD))
    assert (end.code, end.reason) == ("UNAVAILABLE", "READER_UNAVAILABLE")
    assert await ask(channel, upload(GOOD)) == OK


async def test_memory_does_not_grow_with_what_was_refused(gateway: Gateway, channel: grpc.aio.Channel) -> None:
    too_large, unknown = upload(bytes(MAX_REQUEST_BYTES + 1)), upload(SECRET.encode() + bytes(MAX_REQUEST_BYTES // 2))

    async def rounds(number: int) -> None:
        for _ in range(number):
            await asyncio.gather(*(ask(channel, messages) for messages in [too_large, unknown] * 8))

    await rounds(4)
    before = memory_mib(gateway)
    await rounds(24)
    sent_mib = 24 * 8 * 1.5 * MAX_REQUEST_BYTES / 2**20
    assert memory_mib(gateway) - before < 0.15 * sent_mib  # what the allocator keeps for the next one


async def test_the_log_is_json_and_repeats_nothing_that_was_sent(gateway: Gateway, channel: grpc.aio.Channel) -> None:
    for messages in [*MALFORMED.values(), *UNREADABLE.values()]:
        end = await ask(channel, messages)
        assert end.code not in ("UNKNOWN", "INTERNAL", "OK")
    text = gateway.log.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert len(events) > len(MALFORMED) + len(UNREADABLE)
    assert all(event["level"] in ("info", "warning") for event in events)
    for secret in ("Lundqvist", "19520229", "Åsa", "\\u00c5sa"):
        assert secret not in text
