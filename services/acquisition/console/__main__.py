"""Starts the site console: `python -m services.acquisition.console`, settings from the environment."""

from __future__ import annotations

import asyncio
import sys

from services.acquisition.console.server import run
from services.acquisition.console.settings import ConsoleSettings
from services.cine.errors import ConfigError
from services.runtime.logs import configure_logs


def main() -> int:
    """Run the console; 0 stopped cleanly, 2 a setting is wrong."""
    try:
        settings = ConsoleSettings.load()
        configure_logs(settings.log_level)
        asyncio.run(run(settings))
    except ConfigError as error:
        print(f"echoplane: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
