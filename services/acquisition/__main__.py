"""Starts the DICOM node: `python -m services.acquisition`, settings from the environment."""

from __future__ import annotations

import sys

from services.acquisition.node import run
from services.acquisition.settings import NodeSettings
from services.runtime.process import run_process


def main() -> int:
    """Run the node; gives the exit code."""
    return run_process(NodeSettings.load, run)


if __name__ == "__main__":
    sys.exit(main())
