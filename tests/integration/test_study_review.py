"""StudyService over gRPC: of a server in this process, and of a gateway that is a process of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from echoplane.v1 import study_pb2_grpc, view_pb2, view_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.demo.gateway import Gateway, GatewayDidNotStartError, running_gateway
from services.acquisition.studies import Studies
from services.client import CallError, Client
from services.runtime.rpc import ErrorInterceptor
from tests.builders import dicom_bytes, fan_frames, still_frames, tiny_repository
from tests.integration.test_gateway import metrics
from tests.unit.acquisition.studying import KEY, NAME, cine
from tests.unit.gateway.test_study_service import Desk
from tests.unit.gateway.test_view_service import GOOD

UID = "1.2.752.19520229.1234.5"
EXAMPLE = Path(__file__).parents[2] / "deploy" / "trials" / "example.yaml"
STILL = dicom_bytes(still_frames())


def header(**changed: str) -> view_pb2.CineHeader:
    fields = {"study_id": UID, "trial": "EXAMPLE-1", "subject_code": "S01-001", "visit": "baseline"} | changed
    return view_pb2.CineHeader(**fields)  # type: ignore[arg-type]


@asynccontextmanager
async def serving(desk: Desk) -> AsyncIterator[str]:
    """Serve a desk in this process; give its address."""
    server = grpc.aio.server(interceptors=[ErrorInterceptor()])
    view_pb2_grpc.add_ViewServiceServicer_to_server(desk.views.service, server)
    study_pb2_grpc.add_StudyServiceServicer_to_server(desk.service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        desk.desk.close()
        await server.stop(5)


# ---- a server in this process ----------------------------------------------------------------------------------------


async def test_two_who_watch_are_told_of_each_cine_that_a_third_sends(tmp_path: Path) -> None:
    async with serving(Desk(tmp_path)) as address, Client(address) as sender, Client(address) as watcher:
        await sender.predict_view(GOOD, header())
        async with aclosing(watcher.watch_study_review(UID)) as one, aclosing(watcher.watch_study_review(UID)) as two:
            for data, cines in ((None, 1), (STILL, 2), (dicom_bytes(fan_frames(seed=1)), 3)):
                if data:
                    await sender.predict_view(data, header())
                async with asyncio.timeout(20):
                    assert [(await anext(each)).cines for each in (one, two)] == [cines, cines]
        assert (await watcher.get_study_review(UID)).views[0].accepted == 2


async def test_a_watch_ends_at_its_deadline_and_gives_its_place_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(desk) as address, Client(address) as client:
        await client.predict_view(GOOD, header())
        for _ in range(3):  # of two places
            with pytest.raises(CallError) as caught:
                [review async for review in client.watch_study_review(UID, timeout_s=0.5)]
            assert caught.value.code == "DEADLINE_EXCEEDED"
        await until_left(desk, 3)


async def test_one_who_leaves_a_watch_gives_its_place_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(desk) as address, Client(address) as client:
        await client.predict_view(GOOD, header())
        for count in range(1, 5):
            async with aclosing(client.watch_study_review(UID)) as watching:
                await anext(watching)
            await until_left(desk, count)


async def until_left(desk: Desk, count: int) -> None:
    async with asyncio.timeout(20):
        while desk.counted("WatchStudyReview", "accepted") < count:
            await asyncio.sleep(0.01)


async def test_a_full_house_says_when_to_come_again(tmp_path: Path) -> None:
    async with serving(Desk(tmp_path)) as address, Client(address, retry=None) as client:
        await client.predict_view(GOOD, header())
        async with aclosing(client.watch_study_review(UID)) as one, aclosing(client.watch_study_review(UID)) as two:
            await anext(one)
            await anext(two)
            with pytest.raises(CallError) as caught:
                await anext(client.watch_study_review(UID))
    assert (caught.value.code, caught.value.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert caught.value.retry_after_s is not None


async def test_every_refusal_is_typed_and_repeats_nothing(tmp_path: Path) -> None:
    async with serving(Desk(tmp_path)) as address, Client(address) as client:
        await client.predict_view(GOOD, header())
        ended = [
            await end_of(client.get_study_review("1.2.3.19520229")),
            await end_of(anext(client.watch_study_review("1.2.3.19520229"))),
            await end_of(client.get_study_review("Lundqvist^Astrid")),
            await end_of(client.predict_view(GOOD, header(subject_code="Lundqvist"))),
            await end_of(client.predict_view(STILL, header(subject_code="S95-202"))),
        ]
    assert [(error.code, error.reason) for error in ended] == [
        ("NOT_FOUND", "STUDY_UNKNOWN"),
        ("NOT_FOUND", "STUDY_UNKNOWN"),
        ("INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        ("INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        ("INVALID_ARGUMENT", "STUDY_MISMATCH"),
    ]
    assert not any(text in str(error) for error in ended for text in ("19520229", "Lundqvist", "S95", "S01-001"))


async def end_of(call: object) -> CallError:
    with pytest.raises(CallError) as caught:
        await call  # type: ignore[misc]
    return caught.value


# ---- a gateway that is a process of its own --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("studies")
    (folder / "key").write_bytes(KEY)
    return {
        "MODEL_REPOSITORY": str(tiny_repository(folder / "models")),
        "TRIAL_PROTOCOL": str(EXAMPLE),
        "STUDY_KEY_FILE": str(folder / "key"),
        "STUDY_DATABASE": str(folder / "record" / "studies.sqlite"),
    }


@pytest.fixture(scope="module")
def gateway(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway") / "log", settings) as running:
        yield running


async def test_a_gateway_reviews_studies_and_keeps_no_identity(gateway: Gateway, settings: dict[str, str]) -> None:
    data = dicom_bytes(fan_frames(), PatientName="Lundqvist^Astrid", StudyInstanceUID=UID)
    async with Client(gateway.address) as client:
        await client.predict_view(data, header())
        await client.predict_view(STILL, header())
        review = await client.get_study_review(UID)
        for wrong in ("19520229-1234", "Lundqvist"):
            await end_of(client.predict_view(data, header(subject_code=wrong)))
    assert (review.subject_code, review.visit, review.cines) == ("S01-001", "baseline", 2)
    kept = b"".join(path.read_bytes() for path in Path(settings["STUDY_DATABASE"]).parent.iterdir())
    assert b"S01-001" in kept
    for secret in (UID, "Lundqvist", "19520229", KEY.decode()):
        assert secret.encode() not in kept
        assert secret not in gateway.log.read_text() + metrics(gateway) + str(review)
    assert {json.loads(line)["level"] for line in gateway.log.read_text().splitlines()} <= {"info", "warning"}


async def test_the_study_service_has_its_own_health(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        request = health_pb2.HealthCheckRequest(service="echoplane.v1.StudyService")
        answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_what_was_answered_outlives_a_killed_gateway(settings: dict[str, str], tmp_path: Path) -> None:
    own = settings | {"STUDY_DATABASE": str(tmp_path / "studies.sqlite")}
    for count in (1, 2):
        with running_gateway(tmp_path / "log", own) as mortal:
            async with Client(mortal.address) as client:
                await client.predict_view(dicom_bytes(fan_frames(seed=count)), header())
                mortal.process.kill()
                mortal.process.wait()
    with running_gateway(tmp_path / "log", own) as mortal:
        async with Client(mortal.address) as client:
            assert (await client.get_study_review(UID)).cines == 2


async def test_a_gateway_forgets_studies_that_are_older_than_its_setting(
    settings: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "studies.sqlite"
    studies, day_s = Studies(path, KEY), 86_400.0
    for uid, age_days in (("1.1", 3.1), ("1.2", 2.9)):
        studies.record(studies.key("", uid), NAME, cine(received_s=time.time() - age_days * day_s))
    own = settings | {"STUDY_DATABASE": str(path), "STUDY_RETENTION_DAYS": "3"}
    with running_gateway(tmp_path / "log", own) as forgetful:
        async with asyncio.timeout(30):
            while "studies_forgotten" not in forgetful.log.read_text():
                await asyncio.sleep(0.05)
        async with Client(forgetful.address) as client:
            kept = [study.study for study in (await client.list_studies()).studies]
    assert kept == [studies.key("", "1.2").study]


async def test_a_gateway_that_stops_sends_those_who_watch_away(settings: dict[str, str], tmp_path: Path) -> None:
    own = settings | {"STUDY_DATABASE": str(tmp_path / "studies.sqlite"), "DRAIN_TIMEOUT_S": "60"}
    with running_gateway(tmp_path / "log", own) as stopping:
        async with Client(stopping.address, retry=None) as client:
            await client.predict_view(GOOD, header())
            async with aclosing(client.watch_study_review(UID)) as watching:
                await anext(watching)
                stopping.process.terminate()
                async with asyncio.timeout(30):
                    assert [review async for review in watching] == []
        assert await asyncio.to_thread(stopping.process.wait, 30) == 0


async def test_without_a_protocol_no_studies_are_served_and_a_study_id_is_ignored(
    settings: dict[str, str], tmp_path: Path
) -> None:
    plain = {"MODEL_REPOSITORY": settings["MODEL_REPOSITORY"], "STUDY_DATABASE": str(tmp_path / "studies.sqlite")}
    with running_gateway(tmp_path / "log", plain) as alone:
        async with Client(alone.address) as client:
            assert (await client.predict_view(GOOD, header())).verdict == view_pb2.VERDICT_ACCEPTED
            assert (await end_of(client.get_study_review(UID))).code == "UNIMPLEMENTED"
    assert not (tmp_path / "studies.sqlite").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"STUDY_KEY_FILE": "nowhere"}, "ECHOPLANE_GATEWAY_STUDY_KEY_FILE"),
        ({"STUDY_KEY_FILE": "pyproject.toml"}, "another key"),
        ({"TRIAL_PROTOCOL": "pyproject.toml"}, "trial's protocol"),
        ({"STUDY_DATABASE": "pyproject.toml"}, "record of studies"),
    ],
)
def test_a_gateway_that_cannot_keep_studies_says_why_and_does_not_start(
    gateway: Gateway, settings: dict[str, str], tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    with pytest.raises(GatewayDidNotStartError, match=message), running_gateway(tmp_path / "log", settings | changed):
        pass
