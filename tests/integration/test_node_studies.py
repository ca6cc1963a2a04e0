"""What a scanner sends is in its study, named by the scanner or by a person, and answered whatever the name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from echoplane.v1 import study_pb2, view_pb2, view_pb2_grpc

from deploy.demo.gateway import Gateway as Running
from deploy.demo.gateway import running_gateway
from services.acquisition.study_naming import Gateway, Naming
from services.cine.budget import ReadLimits
from services.client import CallError, Client
from services.runtime.rpc import ErrorInterceptor
from tests.builders import dicom_bytes, fan_frames, tiny_repository
from tests.integration.nodes import running_node, storescu, wait_for
from tests.integration.test_study_review import EXAMPLE, serving
from tests.unit.acquisition.cases import PATIENT, UIDS
from tests.unit.acquisition.studying import KEY, NAME
from tests.unit.gateway import test_view_service as views
from tests.unit.gateway.test_study_service import Desk

TOLD: dict[str, Any] = {"ClinicalTrialSubjectID": NAME.subject_code, "ClinicalTrialTimePointID": NAME.visit}
TYPED = study_pb2.StudyName(trial=NAME.trial, subject_code="S01-002", visit="month-6")


def cine(number: int = 0, **attributes: Any) -> bytes:
    """Write an object that is read."""
    uid = {"SOPInstanceUID": f"1.2.826.7.{number + 1}"}
    return dicom_bytes(fan_frames(seed=number), **UIDS | PATIENT | uid | attributes)


def asking(address: str, trial: str = "") -> Gateway:
    return Gateway(partial(Client, address), Naming(trial), ReadLimits(), 60.0)


async def only_study(client: Client) -> study_pb2.StudySummary:
    (study,) = (await client.list_studies()).studies
    return study


# ---- asking a server in this process ---------------------------------------------------------------------------------


async def test_a_name_that_a_person_has_corrected_stands_against_the_scanners(tmp_path: Path) -> None:
    async with serving(Desk(tmp_path)) as address, Client(address) as client:
        await asking(address).ask(cine(1, **TOLD))
        study = await only_study(client)
        assert study.name.subject_code == NAME.subject_code
        await client.name_study(study_pb2.NameStudyRequest(study=study.study, name=TYPED, replaces=study.name))
        answer = await asking(address).ask(cine(2, **TOLD))
        assert answer.verdict == view_pb2.VERDICT_ACCEPTED
        study = await only_study(client)
    assert (study.name, study.cines) == (TYPED, 2)


async def test_a_study_of_a_trial_before_is_left_alone_and_the_cine_answered(tmp_path: Path) -> None:
    before = Desk(tmp_path)
    async with serving(before) as address:
        await asking(address).ask(cine(1, **TOLD))
    after = Desk(tmp_path, protocol=before.desk.protocol().model_copy(update={"trial": "EXAMPLE-2"}))
    async with serving(after) as address, Client(address) as client:
        assert (await asking(address).ask(cine(2, **TOLD))).verdict == view_pb2.VERDICT_ACCEPTED
        assert not (await client.list_studies()).studies


async def test_a_node_of_another_trial_is_answered_and_files_nothing(tmp_path: Path) -> None:
    async with serving(Desk(tmp_path)) as address, Client(address) as client:
        assert (await asking(address, "EXAMPLE-2").ask(cine(**TOLD))).verdict == view_pb2.VERDICT_ACCEPTED
        assert not (await client.list_studies()).studies


@asynccontextmanager
async def without_studies() -> AsyncIterator[str]:
    """Serve views alone in this process; give the address."""
    server = grpc.aio.server(interceptors=[ErrorInterceptor()])
    view_pb2_grpc.add_ViewServiceServicer_to_server(views.Desk().service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(5)


async def test_a_gateway_that_reviews_no_studies_answers_as_ever() -> None:
    async with without_studies() as address:
        assert (await asking(address).ask(cine(**TOLD))).verdict == view_pb2.VERDICT_ACCEPTED


async def test_what_the_gateway_refuses_for_another_reason_is_told(tmp_path: Path) -> None:
    async with serving(Desk(tmp_path)) as address:
        with pytest.raises(CallError) as caught:
            await asking(address).ask(b"no cine")
    assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", "FORMAT_UNKNOWN")
    with pytest.raises(CallError) as caught:
        await asking(address).ask(cine())
    assert caught.value.code == "UNAVAILABLE"


# ---- a node and a gateway that are processes of their own ------------------------------------------------------------


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "key").write_bytes(KEY)
    settings = {
        "MODEL_REPOSITORY": str(tiny_repository(tmp_path / "models")),
        "TRIAL_PROTOCOL": str(EXAMPLE),
        "STUDY_KEY_FILE": str(tmp_path / "key"),
        "STUDY_DATABASE": str(tmp_path / "record" / "studies.sqlite"),
    }
    with running_gateway(tmp_path / "gateway.log", settings) as running:
        yield running


async def test_a_scanner_names_one_study_and_a_person_another(gateway: Running, tmp_path: Path) -> None:
    other = {"StudyInstanceUID": "1.2.826.7.77", "ClinicalTrialSubjectID": "Planted^Name"}
    sent = [cine(1, **TOLD), cine(2, **TOLD), cine(3, **TOLD | other)]
    with running_node(tmp_path, {"GATEWAY_ADDRESS": gateway.address}) as node:
        for number, data in enumerate(sent):
            (tmp_path / f"{number}.dcm").write_bytes(data)
            assert "0x0000: Success" in storescu(node, tmp_path / f"{number}.dcm").stderr
        reports = node.inbox / "objects"
        await asyncio.to_thread(wait_for, lambda: len(list(reports.glob("*.sr.dcm"))) == len(sent) or None, 60.0)
        logged = node.log.read_text()
    async with Client(gateway.address) as client:
        unnamed, named = (await client.list_studies()).studies
        assert (named.name.subject_code, named.name.visit, named.cines) == (NAME.subject_code, NAME.visit, 2)
        assert (unnamed.name, unnamed.cines) == (study_pb2.StudyName(trial=NAME.trial), 1)
        await client.name_study(study_pb2.NameStudyRequest(study=unnamed.study, name=TYPED))
        assert (await client.get_study_review(study=unnamed.study)).subject_code == TYPED.subject_code
    kept = b"".join(path.read_bytes() for path in (tmp_path / "record").iterdir())
    for secret in (UIDS["StudyInstanceUID"], other["StudyInstanceUID"], "Planted", "PLANTED"):
        assert secret.encode() not in kept
        assert secret not in gateway.log.read_text() + logged
