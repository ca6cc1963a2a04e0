"""Starts the gateway: `python -m services.gateway`, settings from the environment."""

from __future__ import annotations

import ctypes
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded: its threads give way to nobody

from services.gateway.server import serve
from services.gateway.settings import GatewaySettings
from services.runtime.process import run_process

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 256 * 1024
"""As large as a chunk of a cine: such blocks go back to the system as soon as they are freed."""


def main() -> int:
    """Run the gateway; gives the exit code."""
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):  # else glibc keeps what large cines have once needed
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    return run_process(GatewaySettings.load, serve)


if __name__ == "__main__":
    sys.exit(main())
