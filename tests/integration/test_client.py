"""The Python client, against a server on loopback that answers as it is told to."""

from __future__ import annotations

import asyncio
import inspect
import io
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from echoplane.v1 import (
    study_pb2,
    study_pb2_grpc,
    synthesis_pb2,
    synthesis_pb2_grpc,
    view_pb2,
    view_pb2_grpc,
)

from deploy.demo.gateway import running_gateway
from services.cine.errors import CapacityError, EchoplaneError, ModelUnavailableError, Reason, RequestInvalidError
from services.client import CHUNK_BYTES, CallError, Client
from services.retries import Retry
from services.runtime.rpc import ErrorInterceptor
from services.sync_client import SyncClient
from tests.builders import dicom_bytes, fan_frames
from tests.integration.nodes import free_port

QUICK = Retry(away_s=20.0, first_pause_s=0.01, longest_pause_s=0.05)
SAID = {"found": "a", "expected": "b", "advice": "c"}
AWAY = ModelUnavailableError(**SAID)
FULL = CapacityError(**SAID, retry_after_s=0.2)
BAD = RequestInvalidError(Reason.REQUEST_MALFORMED, **SAID)
CINE = bytes(range(256)) * 4096
"""A mebibyte: four chunks."""


class Script(
    view_pb2_grpc.ViewServiceServicer, synthesis_pb2_grpc.SynthesisServiceServicer, study_pb2_grpc.StudyServiceServicer
):
    """Ends calls in the errors of a list, then answers; a watch gives one review a call and ends as a stop does."""

    def __init__(self, *errors: EchoplaneError | None) -> None:
        self.errors, self.received, self.calls = deque(errors), [], 0
        self.received: list[bytes] = []

    def fail(self) -> None:
        self.calls += 1
        if self.errors and (error := self.errors.popleft()):
            raise error

    async def PredictView(self, requests: Any, context: Any) -> view_pb2.PredictViewResponse:  # noqa: N802
        self.received.append(b"".join([request.chunk async for request in requests]))
        self.fail()
        return view_pb2.PredictViewResponse(verdict=view_pb2.VERDICT_ACCEPTED)

    async def GenerateBatch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.fail()
        for index in range(request.per_view):
            if index:
                self.fail()
            yield synthesis_pb2.GenerateBatchResponse(index=index, total=request.per_view)

    async def GetStudyReview(self, request: Any, context: Any) -> study_pb2.GetStudyReviewResponse:  # noqa: N802
        self.fail()
        return study_pb2.GetStudyReviewResponse(review=study_pb2.StudyReview(cines=1))

    async def WatchStudyReview(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.fail()
        yield study_pb2.WatchStudyReviewResponse(review=study_pb2.StudyReview(cines=self.calls // 3))


@contextmanager
def served(script: Script) -> Iterator[str]:
    """Serve a script on an event loop of its own; give its address."""
    loop, port = asyncio.new_event_loop(), 0
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        nonlocal port
        server = grpc.aio.server(interceptors=[ErrorInterceptor()])
        view_pb2_grpc.add_ViewServiceServicer_to_server(script, server)
        synthesis_pb2_grpc.add_SynthesisServiceServicer_to_server(script, server)
        study_pb2_grpc.add_StudyServiceServicer_to_server(script, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        started.set()
        await stop.wait()
        await server.stop(0)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(20)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def end_of(call: Callable[[], object]) -> CallError:
    with pytest.raises(CallError) as caught:
        call()
    return caught.value


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type) -> dict[str, list[str]]:
        public = {name: each for name, each in vars(kind).items() if inspect.isfunction(each) and name[0] != "_"}
        return {name: list(inspect.signature(each).parameters) for name, each in public.items() if name != "wait"}

    assert calls(SyncClient) == calls(Client)
    assert len(calls(Client)) >= 9


def test_a_client_needs_no_array_library() -> None:
    look = "import sys, services.sync_client; print([n for n in ('numpy', 'cv2', 'pydicom') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["bytes", "path", "name", "file", "memory"])
def test_a_cine_is_a_path_or_bytes_or_a_file(tmp_path: Path, kind: str) -> None:
    path, script = tmp_path / "cine", Script()
    path.write_bytes(CINE)
    with served(script) as address, SyncClient(address) as client, path.open("rb") as file:
        given: Any = {"bytes": CINE, "path": path, "name": str(path), "file": file, "memory": io.BytesIO(CINE)}[kind]
        assert client.predict_view(given).verdict == view_pb2.VERDICT_ACCEPTED
    assert script.received == [CINE]


def test_a_file_that_is_not_there_is_no_call(tmp_path: Path) -> None:
    with served(Script()) as address, SyncClient(address) as client, pytest.raises(FileNotFoundError):
        client.predict_view(tmp_path / "nothing")


def test_each_try_of_a_cine_sends_the_same_bytes_and_tells_how_far_it_is() -> None:
    script, told = Script(AWAY, FULL, AWAY), []
    with served(script) as address, SyncClient(address, retry=QUICK) as client:
        start_s = time.monotonic()
        client.predict_view(io.BytesIO(CINE), progress=lambda done, total: told.append((done, total)))
    assert script.received == [CINE] * 4
    assert time.monotonic() - start_s > FULL.retry_after_s
    assert told == [(done, len(CINE)) for done in range(0, len(CINE) + 1, CHUNK_BYTES)] * 4


def test_an_error_that_trying_again_cannot_change_is_told_at_once() -> None:
    script = Script(AWAY, BAD)
    with served(script) as address, SyncClient(address, retry=QUICK) as client:
        error = end_of(lambda: client.get_study_review("1.2"))
        assert client.get_study_review("1.2").cines == 1
    assert (error.code, error.reason, script.calls) == ("INVALID_ARGUMENT", "REQUEST_MALFORMED", 3)


def test_no_try_goes_past_the_deadline() -> None:
    script = Script(*[AWAY] * 10_000)
    with served(script) as address, SyncClient(address, retry=QUICK) as client:
        start_s = time.monotonic()
        assert end_of(lambda: client.predict_view(b"cine", timeout_s=1.0)).code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    assert time.monotonic() - start_s < 3.0
    assert script.calls > 3


def test_a_batch_is_asked_for_again_until_its_first_image() -> None:
    script, told, request = Script(FULL, AWAY), [], synthesis_pb2.GenerateBatchRequest(per_view=3)
    with served(script) as address, SyncClient(address, retry=QUICK) as client:
        images = client.generate_batch(request, progress=lambda done, total: told.append((done, total)))
        assert [image.index for image in images] == [0, 1, 2]
        assert told == [(1, 3), (2, 3), (3, 3)]
        script.errors.extend([None, AWAY])
        begun = client.generate_batch(request)
        assert next(begun).index == 0
        assert end_of(lambda: next(begun)).reason == "MODEL_UNAVAILABLE"


def test_a_watch_goes_on_by_itself_and_repeats_nothing() -> None:
    script = Script(None, None, AWAY, None, FULL)
    with served(script) as address, SyncClient(address, retry=QUICK) as client:
        reviews = client.watch_study_review("1.2")
        assert [next(reviews).cines for _ in range(4)] == [0, 1, 2, 3]
        reviews.close()  # type: ignore[attr-defined]
    assert script.calls >= 9


def test_a_watch_without_retries_ends_when_the_server_stops() -> None:
    with served(Script()) as address, SyncClient(address, retry=None) as client:
        assert len(list(client.watch_study_review("1.2"))) == 1


def test_a_gateway_that_was_never_there_is_told_at_once_unless_it_is_to_be_waited_for() -> None:
    address = f"127.0.0.1:{free_port()}"
    with SyncClient(address) as client:
        start_s = time.monotonic()
        assert "no gateway" in end_of(lambda: client.get_study_review("1.2")).message
        assert time.monotonic() - start_s < 5.0
    with SyncClient(address, retry=Retry(waits_for_start=True)) as client:
        start_s = time.monotonic()
        end_of(lambda: client.get_study_review("1.2", timeout_s=3.0))
        assert time.monotonic() - start_s > 1.0


def test_clients_in_many_threads_and_one_on_the_loop_do_not_meet() -> None:
    script, answered = Script(), []

    def ask(address: str) -> None:
        with SyncClient(address) as client:
            answered.extend(client.get_study_review("1.2").cines for _ in range(20))

    async def ask_too(address: str) -> None:
        async with Client(address) as client:
            answered.extend([(await client.get_study_review("1.2")).cines for _ in range(20)])

    with served(script) as address:
        threads = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        asyncio.run(ask_too(address))
        for thread in threads:
            thread.join(30)
    assert answered == [1] * 100


def test_a_cine_in_flight_outlives_a_killed_gateway(tmp_path: Path) -> None:
    port, whole = str(free_port()), dicom_bytes(fan_frames(count=200))
    answers: list[object] = []
    with running_gateway(tmp_path / "first", {"PORT": port}) as mortal, SyncClient(mortal.address) as client:

        def kill_half_way(done: int, total: int) -> None:
            if done > total // 2 and mortal.process.poll() is None:
                mortal.process.kill()
                mortal.process.wait()

        client.predict_view(dicom_bytes(fan_frames()))
        asking = threading.Thread(target=lambda: answers.append(client.predict_view(whole, progress=kill_half_way)))
        asking.start()
        mortal.process.wait(30)
        with running_gateway(tmp_path / "second", {"PORT": port}):
            asking.join(60)
    assert [answer.cine.frame_count for answer in answers] == [200]  # type: ignore[attr-defined]
