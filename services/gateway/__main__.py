"""Starts the gateway: `python -m services.gateway`, settings from the environment."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded: its threads give way to nobody

import structlog

from services.cine.errors import ConfigError, EchoplaneError
from services.gateway.server import serve
from services.gateway.settings import GatewaySettings
from services.runtime.logs import configure_logs

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 256 * 1024
"""As large as a chunk of a cine: such blocks go back to the system as soon as they are freed."""


def main() -> int:
    """Run the gateway; 0 stopped cleanly, 1 the model is not there, 2 a setting is wrong."""
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):  # else glibc keeps what large cines have once needed
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    try:
        settings = GatewaySettings.load()
        configure_logs(settings.log_level)
        asyncio.run(serve(settings))
    except ConfigError as error:
        print(f"echoplane: {error}", file=sys.stderr)
        return 2
    except EchoplaneError as error:
        structlog.get_logger().error("cannot_start", reason=error.reason, message=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
