"""Puts the DICOM node together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from services.acquisition.deidentification.job import WARM_PARENT, Deidentify
from services.acquisition.forward import Clean, Forwarder, Send
from services.acquisition.gateway_tls import gateway_tls
from services.acquisition.guard import Admit, Guard
from services.acquisition.inbox import Inbox
from services.acquisition.metrics import InboxCollector, NodeMetrics
from services.acquisition.report_scu import Archive
from services.acquisition.settings import Identity, NodeSettings
from services.acquisition.store_scp import StoreScp, prepare_pynetdicom
from services.acquisition.studies import read_key
from services.acquisition.study_naming import Gateway, Naming
from services.cine.budget import ReadLimits
from services.cine.errors import UnauthenticatedError
from services.client import Client
from services.runtime.access import METHODS
from services.runtime.process import start_metrics, told_to_stop
from services.runtime.sandbox import Sandbox, SandboxLimits
from services.runtime.sites import Certificate, Sites
from services.runtime.tls import client_tls, server_tls

_END_S = 5.0
"""How long threads of associations may take to see that their sockets are closed."""

_CHILD_LIMITS = SandboxLimits(memory_mib=6_144, cpu_s=120, wall_s=300, output_mib=1_024)
"""Every frame is decoded whole and stored without loss, which takes longer and more room than looking at a few."""

_log = structlog.get_logger()


async def run(settings: NodeSettings) -> None:
    """Run the node until SIGTERM or SIGINT, then let associations finish.

    Raises:
        ConfigError: a setting cannot be met.
        StorageError: the inbox cannot be used.
    """
    admit, tls, gateway, send = _admit(settings), _server_tls(settings), _gateway(settings), _send(settings)
    with ExitStack() as stack:
        inbox = stack.enter_context(closing(Inbox(settings.inbox, settings.inbox_limits)))
        prepare_pynetdicom(str(inbox.incoming))
        clean, registry = _clean(settings, inbox, gateway.limits, stack), CollectorRegistry()
        metrics = NodeMetrics(registry)
        forwarder = Forwarder(
            inbox,
            gateway.ask,
            send,
            gateway.limits,
            clean=clean,
            is_sending_objects=settings.send_objects,
            metrics=metrics,
        )
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, forwarder.woken.set)
        scp = StoreScp(inbox, settings.title, settings.max_pdu_bytes, wake, gateway.limits, metrics=metrics)
        guard = Guard(settings.title, admit, scp.serve, settings.guard_limits, tls, metrics)
        registry.register(InboxCollector(settings.inbox))
        exporter = start_metrics(
            settings.metrics_host, settings.metrics_port, registry, f"{settings.prefix}METRICS_PORT"
        )
        port = await guard.open(settings.host, settings.port)
        counts = {state.lower(): count for state, count in inbox.counts().items()}
        _log.info("node_serving", port=port, metrics_port=exporter.server_port, **counts)
        forwarding = asyncio.create_task(forwarder.run())
        try:
            await told_to_stop()
            _log.info("draining", timeout_s=settings.drain_timeout_s)
        finally:
            await guard.close(settings.drain_timeout_s)
            await asyncio.to_thread(scp.wait, _END_S)
            forwarding.cancel()
            await asyncio.wait([forwarding])
            await asyncio.get_running_loop().shutdown_default_executor()  # a step in hand needs the inbox
            exporter.shutdown()
    _log.info("stopped")


async def check(settings: NodeSettings) -> str:
    """Read what the settings name, without serving; give the title and the port.

    Raises:
        ConfigError: a setting cannot be met.
    """
    _admit(settings), _server_tls(settings), _gateway(settings), _send(settings)
    return f"{settings.title} {settings.port}"


def _gateway(settings: NodeSettings) -> Gateway:
    """Give the way to the gateway."""
    return Gateway(
        connect=partial(Client, settings.gateway_address, gateway_tls(settings), settings.trial),
        naming=Naming(settings.trial, settings.subject_code_attribute, settings.visit_attribute),
        limits=replace(ReadLimits(), max_bytes=settings.max_object_bytes),
        timeout_s=settings.gateway_timeout_s,
    )


def _clean(settings: NodeSettings, inbox: Inbox, limits: ReadLimits, stack: ExitStack) -> Clean | None:
    """Give what takes identities out, in confined processes that end with the stack; None where they are kept."""
    if settings.identity is Identity.KEPT:
        _log.warning(
            "identity_kept", message="Objects and reports hold patients. To take them out set IDENTITY=removed."
        )
        return None
    key = (
        inbox.secret("pseudonym_key") if settings.pseudonym_key_file is None else read_key(settings.pseudonym_key_file)
    )
    sandbox = stack.enter_context(Sandbox(_CHILD_LIMITS, warm_parent=WARM_PARENT))
    return partial(sandbox.do, Deidentify(key, limits))


def _send(settings: NodeSettings) -> Send | None:
    """Give the way to the archive, None where reports stay."""
    if not settings.report_host:
        return None
    tls = None
    if settings.report_ca_file is not None:
        names = f"{settings.prefix}REPORT_CA_FILE, _TLS_CERTIFICATE_FILE and _TLS_KEY_FILE"
        tls = client_tls(names, settings.report_ca_file, settings.tls_certificate_file, settings.tls_key_file)
    return Archive(settings.report_host, settings.report_port, settings.report_title, settings.title, tls).send


def _admit(settings: NodeSettings) -> Admit:
    """Give who is let in; in the demo profile nobody is asked who they are, and the log says so."""
    if settings.sites_file is None:
        _log.warning("demo_profile", message="Anybody on this machine may send. For sites set PROFILE=site.")
        return lambda connection, title: ""
    return listed(Sites.load(settings.sites_file, METHODS))


def listed(sites: Sites) -> Admit:
    """Let in whose certificate names a listed site and whose title is that site's."""

    def admit(connection: ssl.SSLObject | None, title: str) -> str:
        if connection is None:
            raise UnauthenticatedError(found="plain DICOM", expected="TLS", advice="Connect with mutual TLS.")
        site = sites.identify(Certificate.of_connection(connection))
        sites.allow_title(site, title)
        return site

    return admit


def _server_tls(settings: NodeSettings) -> ssl.SSLContext | None:
    """Make what scanners are met with: certificates on both sides."""
    own = settings.tls_certificate_file, settings.tls_key_file
    return None if own[0] is None else server_tls(settings.prefix, own[0], own[1], settings.tls_client_ca_file)
