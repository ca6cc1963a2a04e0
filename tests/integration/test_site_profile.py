"""The gateway in the profile site: listed sites with their certificates, and nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme
import yaml
from echoplane.v1 import study_pb2, view_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydicom.data import get_testdata_file

from deploy.demo.gateway import Gateway, GatewayDidNotStartError, running_gateway
from services.client import CallError, Client, Tls
from tests.certificates import DAY, Identity, issue

STUDY_METHODS = ["GetTrialProtocol", "ListStudies", "NameStudy", "GetStudyReview"]
METHODS = ["PredictView", "GenerateBatch", *STUDY_METHODS]
PROTOCOL = "deploy/trials/example.yaml"
TRIAL = "EXAMPLE-1"
SITES = {
    "sites": {
        "north": {"trials": {TRIAL: METHODS, "other": ["PredictView", *STUDY_METHODS]}},
        "south": {"trials": {TRIAL: METHODS}},
        "small": {"trials": {TRIAL: METHODS}, "quota": {"megabytes_per_hour": 1, "images_per_day": 3}},
    }
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def settings_in(folder: Path, authority: trustme.CA, sites: object) -> dict[str, str]:
    """Write certificate, key, authority and sites into a folder; give the settings that name them."""
    own = authority.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(folder / "certificate")
    own.private_key_pem.write_to_path(folder / "key")
    authority.cert_pem.write_to_path(folder / "authority")
    (folder / "sites.yaml").write_text(yaml.safe_dump(sites))
    names = ("TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE", "SITES_FILE")
    files = ("certificate", "key", "authority", "sites.yaml")
    return {"PROFILE": "site"} | {name: str(folder / file) for name, file in zip(names, files, strict=True)}


@pytest.fixture(scope="module")
def gateway(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "study.key").write_text("k" * 64)
    studies = {"TRIAL_PROTOCOL": PROTOCOL, "STUDY_KEY_FILE": str(folder / "study.key")}
    studies["STUDY_DATABASE"] = str(folder / "studies.sqlite")
    with running_gateway(folder / "log", settings_in(folder, authority, SITES) | studies) as running:
        yield running


def tls_of(authority: trustme.CA, identity: Identity | None) -> Tls:
    root = authority.cert_pem.bytes()
    return Tls(root) if identity is None else Tls(root, identity.pem, identity.key_pem)


async def ask(gateway: Gateway, tls: Tls, trial: str, data: bytes = b"") -> str:
    """Send something that is no cine; give the reason that it was refused with."""
    async with Client(gateway.address, tls, trial) as client:
        with pytest.raises(CallError) as caught:
            await client.predict_view(data, timeout_s=10)
    return caught.value.reason or caught.value.code


async def test_a_listed_site_is_answered_and_everybody_else_refused(gateway: Gateway, authority: trustme.CA) -> None:
    north = tls_of(authority, issue(authority, "north"))
    assert await ask(gateway, north, TRIAL) == "EMPTY"  # it was let in and its file looked at
    assert await ask(gateway, north, "other") == "EMPTY"
    assert await ask(gateway, north, "") == "TRIAL_DENIED"  # which of the two?
    assert await ask(gateway, north, "third") == "TRIAL_DENIED"
    assert await ask(gateway, tls_of(authority, issue(authority, "west")), TRIAL) == "SITE_DENIED"
    for stranger in (None, issue(authority, "north", ends=-DAY), issue(trustme.CA(), "north")):
        assert await ask(gateway, tls_of(authority, stranger), TRIAL) == "UNAVAILABLE"


async def test_a_method_that_is_not_listed_is_denied(gateway: Gateway, authority: trustme.CA) -> None:
    async with Client(gateway.address, tls_of(authority, issue(authority, "north")), TRIAL) as client:
        with pytest.raises(CallError) as caught:
            await anext(client.watch_study_review("1.2.3"))
    assert (caught.value.code, caught.value.reason) == ("PERMISSION_DENIED", "METHOD_DENIED")


async def test_bytes_are_counted_against_the_site(gateway: Gateway, authority: trustme.CA) -> None:
    small = tls_of(authority, issue(authority, "small"))
    assert await ask(gateway, small, TRIAL, b"x" * 600_000) == "FORMAT_UNKNOWN"
    assert await ask(gateway, small, TRIAL, b"x" * 600_000) == "QUOTA"
    assert await ask(gateway, tls_of(authority, issue(authority, "north")), TRIAL, b"x" * 600_000) == ("FORMAT_UNKNOWN")


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(CallError) as caught:
        await call
    return caught.value.reason or caught.value.code


async def test_a_site_lists_and_names_its_own_studies_in_their_trial_only(
    gateway: Gateway, authority: trustme.CA
) -> None:
    cine = Path(str(get_testdata_file("examples_ybr_color.dcm", download=False))).read_bytes()
    unnamed = view_pb2.CineHeader(study_id="7.8.9", trial=TRIAL)
    north, south = (tls_of(authority, issue(authority, name)) for name in ("north", "south"))
    async with Client(gateway.address, north, TRIAL) as client:
        assert (await client.get_trial_protocol()).trial == TRIAL
        await client.predict_view(cine, unnamed)
        study = (await client.list_studies()).studies[0].study
    name = study_pb2.StudyName(trial=TRIAL, subject_code="S07-001", visit="baseline")
    naming = study_pb2.NameStudyRequest(study=study, name=name)
    async with Client(gateway.address, south, TRIAL) as client:
        assert study not in {each.study for each in (await client.list_studies()).studies}
        for call in (client.name_study(naming), client.get_study_review(study=study)):
            assert await refused(call) == "STUDY_UNKNOWN"
        assert (
            await refused(client.predict_view(cine, view_pb2.CineHeader(study=study, trial=TRIAL))) == "STUDY_UNKNOWN"
        )
    async with Client(gateway.address, north, "other") as client:
        assert not (await client.list_studies()).studies
        assert await refused(client.name_study(naming)) == "REQUEST_MALFORMED"
        assert await refused(client.get_trial_protocol()) == "TRIAL_UNKNOWN"
    async with Client(gateway.address, north, TRIAL) as client:
        assert (await client.name_study(naming)).name == name


async def test_a_site_sees_its_own_studies_in_their_trial_only(gateway: Gateway, authority: trustme.CA) -> None:
    cine = Path(str(get_testdata_file("examples_ybr_color.dcm", download=False))).read_bytes()
    named = view_pb2.CineHeader(study_id="1.2.3", trial=TRIAL, subject_code="S01-001", visit="baseline")
    north, south = (tls_of(authority, issue(authority, name)) for name in ("north", "south"))
    async with Client(gateway.address, north, TRIAL) as client:
        await client.predict_view(cine, named)
        assert (await client.get_study_review("1.2.3")).cines == 1
    for tls, trial in ((south, TRIAL), (north, "other")):
        async with Client(gateway.address, tls, trial) as client:
            with pytest.raises(CallError) as caught:
                await client.get_study_review("1.2.3")
            assert caught.value.reason == "STUDY_UNKNOWN"
    async with Client(gateway.address, north, "other") as client:
        with pytest.raises(CallError, match="another trial"):  # it may predict there, not for this protocol
            await client.predict_view(cine, named)
    async with Client(gateway.address, south, TRIAL) as client:  # the same UID is another study there
        named.subject_code = "S02-001"
        await client.predict_view(cine, named)
        assert (await client.get_study_review("1.2.3")).subject_code == "S02-001"


def test_its_methods_are_not_told_to_whoever_asks(gateway: Gateway, authority: trustme.CA) -> None:
    identity = issue(authority, "north")
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes(), identity.key_pem, identity.pem)
    with grpc.secure_channel(gateway.address, credentials) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.RpcError) as caught:
            next(iter(stub.ServerReflectionInfo(iter([asked]), timeout=10)))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_sites_file_with_a_method_that_does_not_exist_stops_the_start(authority: trustme.CA, tmp_path: Path) -> None:
    wrong = {"sites": {"north": {"trials": {TRIAL: ["PredictVeiw"]}}}}
    settings = settings_in(tmp_path, authority, wrong)
    with pytest.raises(GatewayDidNotStartError, match="PredictVeiw"), running_gateway(tmp_path / "log", settings):
        pass


def test_the_demo_says_loudly_that_it_asks_nobody(tmp_path: Path) -> None:
    with running_gateway(tmp_path / "log"):
        pass
    lines = (tmp_path / "log").read_text()
    assert '"demo_profile"' in lines
    assert '"warning"' in lines
