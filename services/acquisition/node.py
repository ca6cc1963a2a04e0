"""Puts the DICOM node together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import ssl

import structlog

from services.acquisition.guard import Admit, Guard
from services.acquisition.inbox import Inbox
from services.acquisition.settings import NodeSettings
from services.acquisition.store_scp import StoreScp, prepare_pynetdicom
from services.cine.errors import ConfigError
from services.runtime.access import METHODS
from services.runtime.sites import Certificate, Sites

_END_S = 5.0
"""How long threads of associations may take to see that their sockets are closed."""

_log = structlog.get_logger()


async def run(settings: NodeSettings) -> None:
    """Run the node until SIGTERM or SIGINT, then let associations finish.

    Raises:
        ConfigError: a setting cannot be met.
        StorageError: the inbox cannot be used.
    """
    admit, tls = _admit(settings), _server_tls(settings)
    inbox = Inbox(settings.inbox, settings.inbox_limits)
    try:
        prepare_pynetdicom(str(inbox.incoming))
        scp = StoreScp(inbox, settings.title, settings.max_pdu_bytes)
        guard = Guard(settings.title, admit, scp.serve, settings.guard_limits, tls)
        port = await guard.open(settings.host, settings.port)
        _log.info("node_serving", port=port, **{state.lower(): count for state, count in inbox.counts().items()})
        try:
            await _told_to_stop()
            _log.info("draining", timeout_s=settings.drain_timeout_s)
        finally:
            await guard.close(settings.drain_timeout_s)
            scp.wait(_END_S)
    finally:
        inbox.close()
    _log.info("stopped")


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
            raise ConfigError(found="plain DICOM", expected="TLS", advice="Set the TLS files of the node.")
        site = sites.identify(Certificate.of_connection(connection))
        sites.allow_title(site, title)
        return site

    return admit


def _server_tls(settings: NodeSettings) -> ssl.SSLContext | None:
    """Make what scanners are met with: certificates on both sides, TLS 1.2 or later (PS3.15 annex B, BCP 195)."""
    if settings.tls_certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
        context.load_verify_locations(settings.tls_client_ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            found="TLS files that cannot be read or do not fit",
            expected="a certificate, its own key, and an authority, as PEM",
            advice="Check ECHOPLANE_NODE_TLS_CERTIFICATE_FILE, _TLS_KEY_FILE and _TLS_CLIENT_CA_FILE.",
        ) from error
    return context


async def _told_to_stop() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
