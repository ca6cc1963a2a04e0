"""The gateway as a process of its own, asked over gRPC."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from echoplane.v1 import view_pb2, view_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydicom.data import get_testdata_file

from deploy.demo.gateway import Gateway, GatewayDidNotStartError, running_gateway
from services.cine.intake import IntakeOptions, take_in
from services.client import CallError, Client, Tls
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.models.view_classifier import predict_view
from tests.builders import dicom_bytes, fan_frames

REPOSITORY = Path("model_repository")


def example(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert path is not None, f"pydicom's example {name} is missing"
    return Path(str(path)).read_bytes()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway") / "log") as running:
        yield running


async def test_a_real_four_chamber_cine_is_accepted_and_named_if_anything(gateway: Gateway) -> None:
    async with Client(gateway.address) as client:
        answer = await client.predict_view(example("examples_ybr_color.dcm"))
    assert answer.verdict == view_pb2.VERDICT_ACCEPTED
    assert answer.view in (view_pb2.VIEW_A4C, view_pb2.VIEW_UNSPECIFIED)
    told = {each.view: each.probability for each in answer.probabilities if each.view != view_pb2.VIEW_OTHER}
    assert max(told, key=told.__getitem__) == view_pb2.VIEW_A4C  # of the four: the weights are not sure of it
    assert sum(p.probability for p in answer.probabilities) == pytest.approx(1.0, abs=1e-5)
    assert [frame.index for frame in answer.frames] == sorted({frame.index for frame in answer.frames})
    assert answer.model.trained_on == "simulated"


async def test_the_wire_gives_what_the_same_work_gives_in_process(gateway: Gateway) -> None:
    data = example("examples_ybr_color.dcm")
    backend = OnnxBackend(REPOSITORY, VIEW_CLASSIFIER)
    intake = take_in(data, IntakeOptions())
    expected = await predict_view(backend, intake.model_input, 10.0)
    async with Client(gateway.address) as client:
        answer = await client.predict_view(data)
    assert [p.probability for p in answer.probabilities] == pytest.approx(expected.probabilities, abs=1e-6)
    assert [f.index for f in answer.frames] == list(intake.frame_indices)


async def test_another_modality_is_an_answer_without_a_view(gateway: Gateway) -> None:
    async with Client(gateway.address) as client:
        answer = await client.predict_view(example("CT_small.dcm"))
    assert answer.verdict == view_pb2.VERDICT_REJECTED
    assert [f.code for f in answer.findings] == [view_pb2.FINDING_CODE_NOT_ULTRASOUND]
    assert not answer.probabilities


JPIP_REFERENCED = dicom_bytes(fan_frames(), "1.2.840.10008.1.2.4.94", fragments=[b"\0\0"])
"""Its pixels lie on another server (PS3.5 section A.6)."""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "EMPTY"),
        (b"neither a cine nor anything else " * 40, "FORMAT_UNKNOWN"),
        (example("rtplan.dcm"), "PIXELS_MISSING"),
        (example("examples_ybr_color.dcm")[:100_000], "PIXELS_DAMAGED"),
        (JPIP_REFERENCED, "CODEC_UNSUPPORTED"),
    ],
)
async def test_what_cannot_be_read_is_a_typed_error(gateway: Gateway, data: bytes, reason: str) -> None:
    async with Client(gateway.address) as client:
        with pytest.raises(CallError) as caught:
            await client.predict_view(data)
    assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", reason)


async def test_health_and_reflection_are_served(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "echoplane.v1.ViewService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        listed = [reply async for reply in stub.ServerReflectionInfo(iter([asked]))]
    assert "echoplane.v1.ViewService" in {s.name for s in listed[0].list_services_response.service}


async def test_metrics_count_answers_errors_stages_and_name_the_model(gateway: Gateway) -> None:
    async with Client(gateway.address) as client:
        answer = await client.predict_view(example("examples_ybr_color.dcm"))
        with pytest.raises(CallError):
            await client.predict_view(b"")
    view = view_pb2.View.Name(answer.view).removeprefix("VIEW_") if answer.view else "NONE"
    text = metrics(gateway)
    for line in (
        'echoplane_requests_total{method="PredictView",outcome="accepted",reason=""}',
        'echoplane_requests_total{method="PredictView",outcome="error",reason="EMPTY"}',
        'echoplane_stage_duration_seconds_count{stage="infer"}',
        f'echoplane_predictions_total{{verdict="ACCEPTED",view="{view}"}}',
        f'echoplane_confidence_ratio_count{{view="{view}"}}',
        'echoplane_sandbox_exits_total{outcome="answered"}',
        'echoplane_queue_depth_requests{method="PredictView"} 0.0',
        f'sha256="{OnnxBackend(REPOSITORY, VIEW_CLASSIFIER).identity.sha256}"',
    ):
        assert line in text


async def test_a_full_queue_is_refused_with_a_time_to_retry(tmp_path: Path) -> None:
    settings = {"MAX_RUNNING_REQUESTS": "1", "MAX_QUEUED_REQUESTS": "0"}
    with running_gateway(tmp_path / "log", settings) as full:
        async with grpc.aio.insecure_channel(full.address) as channel, Client(full.address, retry=None) as client:
            slow = view_pb2_grpc.ViewServiceStub(channel).PredictView()
            await slow.write(view_pb2.PredictViewRequest(header=view_pb2.CineHeader()))
            await _until(lambda: 'queue_depth_requests{method="PredictView"} 1.0' in metrics(full))
            with pytest.raises(CallError) as caught:
                await client.predict_view(b"")
            slow.cancel()
    assert (caught.value.code, caught.value.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert caught.value.retry_after_s is not None


async def test_sigterm_lets_a_running_request_finish_and_exits_clean(tmp_path: Path) -> None:
    data = example("examples_ybr_color.dcm")
    with running_gateway(tmp_path / "log") as stopping:
        async with grpc.aio.insecure_channel(stopping.address) as channel:
            call = view_pb2_grpc.ViewServiceStub(channel).PredictView()
            await call.write(view_pb2.PredictViewRequest(header=view_pb2.CineHeader()))
            await call.write(view_pb2.PredictViewRequest(chunk=data[: 2**20]))
            await _until(lambda: 'queue_depth_requests{method="PredictView"} 1.0' in metrics(stopping))
            stopping.process.terminate()
            await _until(lambda: '"draining"' in stopping.log.read_text())
            for start in range(2**20, len(data), 2**20):
                await call.write(view_pb2.PredictViewRequest(chunk=data[start : start + 2**20]))
            await call.done_writing()
            answer = await call
        assert answer.verdict == view_pb2.VERDICT_ACCEPTED
        assert await asyncio.to_thread(stopping.process.wait, 30) == 0


async def test_a_file_sent_in_one_chunk_hears_how_large_a_chunk_may_be(gateway: Gateway) -> None:
    requests = [
        view_pb2.PredictViewRequest(header=view_pb2.CineHeader()),
        view_pb2.PredictViewRequest(chunk=bytes(9 * 2**20)),
    ]
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await view_pb2_grpc.ViewServiceStub(channel).PredictView(iter(requests))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "at most 1048576" in str(caught.value.details())


def metrics(gateway: Gateway) -> str:
    with urllib.request.urlopen(gateway.metrics_url) as page:
        return str(page.read().decode())


async def _until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_true():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_settings(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    server = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / name for name in ("certificate", "key", "authority")}
    server.cert_chain_pems[0].write_to_path(files["certificate"])
    server.private_key_pem.write_to_path(files["key"])
    authority.cert_pem.write_to_path(files["authority"])
    return {"TLS_CERTIFICATE_FILE": str(files["certificate"]), "TLS_KEY_FILE": str(files["key"])} | {
        "TLS_CLIENT_CA_FILE": str(files["authority"])
    }


async def test_mutual_tls_answers_a_known_client_only(
    authority: trustme.CA, tls_settings: dict[str, str], tmp_path: Path
) -> None:
    known = authority.issue_cert("site.example")
    root = authority.cert_pem.bytes()
    with running_gateway(tmp_path / "log", tls_settings) as secured:
        pair = known.cert_chain_pems[0].bytes(), known.private_key_pem.bytes()
        async with Client(secured.address, Tls(root, *pair)) as client:
            with pytest.raises(CallError, match="EMPTY"):
                await client.predict_view(b"")
        for tls in (None, Tls(root)):
            async with Client(secured.address, tls) as stranger:
                with pytest.raises(CallError) as caught:
                    await stranger.predict_view(b"", timeout_s=5)
                assert caught.value.code == "UNAVAILABLE"


async def test_tls_alone_answers_whoever_trusts_the_server(
    authority: trustme.CA, tls_settings: dict[str, str], tmp_path: Path
) -> None:
    del tls_settings["TLS_CLIENT_CA_FILE"]
    with running_gateway(tmp_path / "log", tls_settings) as secured:
        async with Client(secured.address, Tls(authority.cert_pem.bytes())) as client:
            with pytest.raises(CallError, match="EMPTY"):
                await client.predict_view(b"")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"PROT": "1"}, "ECHOPLANE_GATEWAY_PROT"),
        ({"PORT": "70000"}, "ECHOPLANE_GATEWAY_PORT"),
        ({"TLS_KEY_FILE": "key.pem"}, "certificate"),
        ({"TLS_CERTIFICATE_FILE": "README.md", "TLS_KEY_FILE": "README.md"}, "do not fit"),
        ({"PROVIDER": "CUDA"}, "CUDAExecutionProvider"),
        ({"MODEL_REPOSITORY": "nowhere"}, "model repository"),
        ({"BACKEND": "triton", "TRITON_ADDRESS": "127.0.0.1:1"}, "Triton"),
    ],
)
def test_a_gateway_that_cannot_serve_says_why_and_does_not_start(
    tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(GatewayDidNotStartError, match=message), running_gateway(tmp_path / "log", settings):
        pass
