"""Starts the DICOM node: `python -m services.acquisition`, settings from the environment."""

from __future__ import annotations

import asyncio
import sys

import structlog

from services.acquisition.node import run
from services.acquisition.settings import NodeSettings
from services.cine.errors import ConfigError, EchoplaneError
from services.runtime.logs import configure_logs


def main() -> int:
    """Run the node; 0 stopped cleanly, 1 the inbox cannot be used, 2 a setting is wrong."""
    try:
        settings = NodeSettings.load()
        configure_logs(settings.log_level)
        asyncio.run(run(settings))
    except ConfigError as error:
        print(f"echoplane: {error}", file=sys.stderr)
        return 2
    except EchoplaneError as error:
        structlog.get_logger().error("cannot_start", reason=error.reason, message=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
