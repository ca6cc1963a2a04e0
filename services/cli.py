"""The command line `echoplane`. Verbs come from entry points, so that `training` can bring its own."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer

from services.cine.errors import ConfigError, EchoplaneError

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when a verb loads numpy: no sum may depend on the machine

_HELP = """Name the standard view of echocardiogram cine loops: A2C, A4C, PLAX, PSAX, or none of them.

Not a medical device. Exit codes: 0 done, 1 failed, 2 wrong use or configuration.
"""


def main() -> None:
    """Run the command line."""
    app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")
    for verb in sorted(entry_points(group="echoplane.commands"), key=lambda verb: verb.name):
        command = verb.load()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=verb.name)
        else:
            app.command(verb.name)(command)
    try:
        app()
    except ConfigError as error:
        _fail(error, 2)
    except EchoplaneError as error:
        _fail(error, 1)


def _fail(error: EchoplaneError, code: int) -> None:
    print(f"echoplane: {error}", file=sys.stderr)
    sys.exit(code)


def serve(
    print_config: Annotated[bool, typer.Option("--print-config", help="Show the settings and stop.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Open the model, then stop.")] = False,
) -> None:
    """Serve views over gRPC, in the foreground, until Ctrl-C or SIGTERM.

    Settings are environment variables that begin with ECHOPLANE_GATEWAY_; `--print-config` lists them all with their
    values and meanings. By default: gRPC on 127.0.0.1:50051, Prometheus metrics on 127.0.0.1:9464, models from
    ./model_repository, onnxruntime on the CPU.
    """
    from services.gateway.settings import GatewaySettings  # the verbs stay quick to list

    settings = GatewaySettings.load()
    if print_config:
        for name, field in GatewaySettings.model_fields.items():
            print(f"ECHOPLANE_GATEWAY_{name.upper()}={getattr(settings, name)}  # {field.description}")
        return
    if check:
        import asyncio

        from services.gateway.server import open_backend

        async def look() -> None:
            backend = await open_backend(settings)
            print(f"ok: {backend.identity}")
            await backend.close()

        asyncio.run(look())
        return
    command = [sys.executable, "-m", "services.gateway"]
    os.execv(command[0], command)  # noqa: S606 - our own interpreter; signals then reach the gateway itself
