"""Starts the site console: `python -m services.acquisition.console`, settings from the environment."""

from __future__ import annotations

import sys

from services.acquisition.console.server import run
from services.acquisition.console.settings import ConsoleSettings
from services.runtime.process import run_process


def main() -> int:
    """Run the console; gives the exit code."""
    return run_process(ConsoleSettings.load, run)


if __name__ == "__main__":
    sys.exit(main())
