"""PEM files of the settings, and the TLS of servers and clients made of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cine.errors import ConfigError


def read_pem(path: Path) -> bytes:
    """Read a PEM file that a setting names.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            found=f"no readable {path}", expected="a PEM file", advice="Check the TLS settings."
        ) from error


def server_tls(prefix: str, certificate: Path, key: Path | None, authority: Path | None) -> ssl.SSLContext:
    """Make what clients are met with, TLS 1.2 or later (PS3.15 annex B, BCP 195).

    Args:
        prefix: of the settings, for the error.
        certificate: the server's own, PEM.
        key: of it, PEM.
        authority: of the clients' certificates, PEM; without one they are not asked for theirs.

    Raises:
        ConfigError: a file cannot be read, or they do not fit together.
    """
    with _said_of_files(f"{prefix}TLS_CERTIFICATE_FILE, _TLS_KEY_FILE and _TLS_CLIENT_CA_FILE"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        if authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority)
        return context


def client_tls(settings: str, authority: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Make what a server is met with, whose name is held to its certificate.

    Args:
        settings: names of those that hold the files, for the error.
        authority: of the server's certificate, PEM.
        certificate: the client's own, PEM, where it has one.
        key: of it, PEM.

    Raises:
        ConfigError: a file cannot be read, or they do not fit together.
    """
    with _said_of_files(settings):
        context = ssl.create_default_context(cafile=authority)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context


@contextmanager
def _said_of_files(settings: str) -> Iterator[None]:
    """Turn what OpenSSL says of files into an error that names their settings."""
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        said = getattr(error, "reason", None) or error.strerror
        raise ConfigError(
            found=f"TLS files that cannot be read or do not fit ({said})",
            expected="a certificate, its own key, and an authority, as PEM",
            advice=f"Check {settings}.",
        ) from error
