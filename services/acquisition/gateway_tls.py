"""The way to a gateway that uses TLS, for the node and the console alike."""

from __future__ import annotations

from services.acquisition.console.settings import ConsoleSettings
from services.acquisition.settings import NodeSettings
from services.client import Tls
from services.runtime.tls import client_tls, read_pem


def gateway_tls(settings: NodeSettings | ConsoleSettings) -> Tls | None:
    """Read what the gateway is met with; None is plain text.

    Raises:
        ConfigError: a file cannot be read, or they do not fit together, of which gRPC says nothing.
    """
    authority, own = settings.gateway_ca_file, (settings.tls_certificate_file, settings.tls_key_file)
    if authority is None:
        return None
    names = f"{settings.prefix}GATEWAY_CA_FILE, _TLS_CERTIFICATE_FILE and _TLS_KEY_FILE"
    client_tls(names, authority, *own)
    return Tls(read_pem(authority), *(None if path is None else read_pem(path) for path in own))
