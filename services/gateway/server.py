"""Puts the gateway together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
import structlog
from echoplane.v1 import study_pb2, study_pb2_grpc, synthesis_pb2, synthesis_pb2_grpc, view_pb2, view_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from services.cine.errors import ConfigError
from services.gateway.assess import Assessor
from services.gateway.metrics import GatewayMetrics
from services.gateway.settings import BackendKind, GatewaySettings
from services.gateway.study_desk import check_studies, open_study_desk
from services.gateway.study_service import METHOD as WATCH_METHOD
from services.gateway.study_service import StudyService
from services.gateway.synthesis import Synthesis, open_synthesis
from services.gateway.view_service import METHOD, ViewService
from services.models.backend import Backend
from services.models.onnx_backend import OnnxBackend
from services.models.priority import Gate, InteractiveBackend
from services.models.recalibration import recalibrated
from services.models.spec import VIEW_CLASSIFIER
from services.models.triton_backend import connect_triton
from services.runtime.access import METHODS, AccessInterceptor
from services.runtime.process import start_metrics, told_to_stop
from services.runtime.rpc import Admission, ErrorInterceptor
from services.runtime.sandbox import Sandbox, SandboxLimits
from services.runtime.settings import Profile
from services.runtime.sites import Sites
from services.runtime.tls import read_pem, server_tls

SERVICE = view_pb2.DESCRIPTOR.services_by_name["ViewService"].full_name
SYNTHESIS_SERVICE = synthesis_pb2.DESCRIPTOR.services_by_name["SynthesisService"].full_name
STUDY_SERVICE = study_pb2.DESCRIPTOR.services_by_name["StudyService"].full_name

_READINESS_PERIOD_S = 2.0
_DAY_S = 86_400.0
_MAX_MESSAGE_BYTES = 64 * 2**20
"""gRPC refuses larger ones by itself, with no reason; up to here a chunk that is too large hears what is allowed."""
_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
]
"""A caller who is gone without a word is found within 30 s and loses its place in the queue; callers may ask too."""

_log = structlog.get_logger()


async def serve(settings: GatewaySettings) -> None:
    """Run the gateway until SIGTERM or SIGINT, then let running requests finish.

    Raises:
        ConfigError: a setting cannot be met.
        ModelError: the model is not there, or not the one this code was built for.
        StorageError: the record of studies cannot be used.
    """
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    gate = Gate()
    backend = InteractiveBackend(await open_backend(settings), gate)
    synthesis: Synthesis | None = None
    forgetting: asyncio.Task[None] | None = None
    sandbox = Sandbox(_sandbox_limits(settings), lambda outcome: metrics.sandbox_exits.labels(outcome).inc())
    threads = ThreadPoolExecutor(settings.max_running_requests, thread_name_prefix="assess")
    try:
        synthesis = await open_synthesis(settings, metrics, gate)
        desk = open_study_desk(settings)
        service = ViewService(
            assessor=Assessor(sandbox, backend, threads, settings.infer_timeout_s),
            admission=_admission(settings, metrics),
            metrics=metrics,
            limits=settings.read_limits,
            receive_timeout_s=settings.receive_timeout_s,
            studies=desk,
        )
        studies = None if desk is None else StudyService(desk, _watching(settings, metrics), metrics)
        if desk is not None:
            forgetting = asyncio.create_task(desk.forget(settings.study_retention_days * _DAY_S))
        await _run(settings, service, synthesis, studies, registry)
    finally:
        if forgetting is not None:
            forgetting.cancel()
        if synthesis is not None:
            await synthesis.close()
        threads.shutdown(cancel_futures=True)
        sandbox.close()
        await backend.close()


async def check(settings: GatewaySettings) -> str:
    """Open what the settings name, without serving; give the model's identity.

    Raises:
        ConfigError: a setting cannot be met.
        ModelError: the model is not there, or not the one this code was built for.
    """
    _check_tls(settings)
    _interceptors(settings)
    check_studies(settings)
    backend = await open_backend(settings)
    await backend.close()
    return str(backend.identity)


async def open_backend(settings: GatewaySettings) -> Backend:
    """Open the backend that the settings name, under the site's own recalibration where there is one."""
    backend = await _open_model(settings)
    try:
        return recalibrated(backend, settings.recalibration_file)
    except ConfigError:
        await backend.close()
        raise


async def _open_model(settings: GatewaySettings) -> Backend:
    if settings.backend is BackendKind.TRITON:
        return await connect_triton(settings.triton_address, VIEW_CLASSIFIER)
    return OnnxBackend(
        settings.model_repository,
        VIEW_CLASSIFIER,
        settings.onnx_provider,
        settings.onnx_threads,
        settings.max_running_requests,
    )


async def _run(
    settings: GatewaySettings,
    service: ViewService,
    synthesis: Synthesis | None,
    studies: StudyService | None,
    registry: CollectorRegistry,
) -> None:
    server = grpc.aio.server(
        interceptors=_interceptors(settings),
        options=_OPTIONS,
    )
    healthy = health.aio.HealthServicer()
    view_pb2_grpc.add_ViewServiceServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    names = [SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME]
    if synthesis is not None:
        synthesis_pb2_grpc.add_SynthesisServiceServicer_to_server(synthesis.service, server)
        names.append(SYNTHESIS_SERVICE)
    if studies is not None:
        study_pb2_grpc.add_StudyServiceServicer_to_server(studies, server)
        await healthy.set(STUDY_SERVICE, health_pb2.HealthCheckResponse.SERVING)
        names.append(STUDY_SERVICE)
    if settings.profile is Profile.DEMO:
        reflection.enable_server_reflection(names, server)
    port = _bind(server, settings)
    exporter = start_metrics(settings.host, settings.metrics_port, registry, f"{settings.prefix}METRICS_PORT")
    await _tell_readiness(service, synthesis, healthy)
    await server.start()
    if synthesis is not None:
        await synthesis.start()
    readiness = asyncio.create_task(_follow_readiness(service, synthesis, healthy))
    identity = service.assessor.backend.identity
    _log.info("serving", port=port, metrics_port=exporter.server_port, model=identity.name, sha256=identity.sha256)
    try:
        await told_to_stop()
        _log.info("draining", timeout_s=settings.drain_timeout_s)
    finally:
        readiness.cancel()
        if synthesis is not None:
            await synthesis.stop()
        if studies is not None:
            studies.desk.close()
        await healthy.enter_graceful_shutdown()
        await server.stop(settings.drain_timeout_s)
        exporter.shutdown()
    _log.info("stopped")


def _interceptors(settings: GatewaySettings) -> list[grpc.aio.ServerInterceptor]:
    """Give what every call goes through; in the demo profile nobody is asked who they are, and the log says so."""
    if settings.sites_file is None:
        _log.warning("demo_profile", message="Anybody on this machine may do anything. For sites set PROFILE=site.")
        return [ErrorInterceptor()]
    return [ErrorInterceptor(), AccessInterceptor(Sites.load(settings.sites_file, METHODS))]


def _bind(server: grpc.aio.Server, settings: GatewaySettings) -> int:
    address = f"{settings.host}:{settings.port}"
    try:
        if settings.tls_certificate_file is None or settings.tls_key_file is None:
            return server.add_insecure_port(address)
        _check_tls(settings)
        pair = read_pem(settings.tls_key_file), read_pem(settings.tls_certificate_file)
        authority = None if settings.tls_client_ca_file is None else read_pem(settings.tls_client_ca_file)
        credentials = grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ConfigError(
            found=f"{address} taken", expected="a free port", advice="Set ECHOPLANE_GATEWAY_PORT to another."
        ) from error


def _check_tls(settings: GatewaySettings) -> None:
    """Hold the PEM files to one another; gRPC itself only fails to bind."""
    if settings.tls_certificate_file is not None:
        server_tls(settings.prefix, settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file)


async def _follow_readiness(
    service: ViewService, synthesis: Synthesis | None, healthy: health.aio.HealthServicer
) -> None:
    """Keep the health service telling the truth about the backends and the sandbox."""
    while True:
        await asyncio.sleep(_READINESS_PERIOD_S)
        await _tell_readiness(service, synthesis, healthy)


async def _tell_readiness(
    service: ViewService, synthesis: Synthesis | None, healthy: health.aio.HealthServicer
) -> None:
    backend = service.assessor.backend
    identities = [backend.identity]
    is_ready = {"": await backend.is_ready() and service.assessor.sandbox.is_alive()}
    is_ready[SERVICE] = is_ready[""]
    if synthesis is not None:
        is_ready[SYNTHESIS_SERVICE] = await synthesis.studio.backend.is_ready()
        identities.append(synthesis.studio.identity)
    service.metrics.name_models(*identities)
    for name, is_it in is_ready.items():
        status = health_pb2.HealthCheckResponse.SERVING if is_it else health_pb2.HealthCheckResponse.NOT_SERVING
        await healthy.set(name, status)


def _sandbox_limits(settings: GatewaySettings) -> SandboxLimits:
    return SandboxLimits(
        memory_mib=settings.sandbox_memory_mib, cpu_s=settings.sandbox_cpu_s, wall_s=settings.sandbox_wall_s
    )


def _admission(settings: GatewaySettings, metrics: GatewayMetrics) -> Admission:
    return Admission(
        running=settings.max_running_requests,
        queued=settings.max_queued_requests,
        max_bytes=settings.max_held_bytes,
        on_change=metrics.queue_depth.labels(METHOD).set,
    )


def _watching(settings: GatewaySettings, metrics: GatewayMetrics) -> Admission:
    return Admission(
        running=settings.study_max_watching,
        queued=0,
        max_bytes=0,
        on_change=metrics.queue_depth.labels(WATCH_METHOD).set,
    )
