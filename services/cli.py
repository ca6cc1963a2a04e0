"""The command line `echoplane`. Verbs come from entry points, so that `training` can bring its own."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated

import typer

from services.cine.errors import ConfigError, EchoplaneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.serving import Place

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
    check: Annotated[bool, typer.Option("--check", help="Open models, certificates and lists, then stop.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="gateway, node or console; by default all.")] = None,
) -> None:
    """Serve a site, in the foreground, until Ctrl-C or SIGTERM: gateway, DICOM node and console.

    Settings are environment variables that begin with ECHOPLANE_GATEWAY_, _NODE_ and _CONSOLE_; `--print-config` lists
    them all with their values and meanings. By default everything listens on this machine alone: gRPC on port 50051,
    Prometheus metrics on 9464 and 9465, DICOM on 11112 (AE title ECHOPLANE), the page on http://127.0.0.1:8080/; models
    come from ./model_repository.

    A wrong setting of any of them ends all: exit code 2. A part that ends for another reason is started again.
    """
    from services import serving  # the verbs stay quick to list

    places = serving.plan(only or [], os.environ)
    if print_config:
        for place in places:
            for name, described in type(place.settings).model_fields.items():
                print(f"{place.name(name)}={getattr(place.settings, name)}  # {described.description}")
        return
    if check:
        import asyncio

        from services.runtime.logs import configure_logs

        configure_logs("error")
        print(*asyncio.run(serving.check(places)), sep="\n")
        return
    if len(places) == 1:  # signals then reach it itself
        command = [sys.executable, "-m", places[0].part.module]
        os.execve(command[0], command, places[0].environment)  # noqa: S606 - our own interpreter
    _run(places)


def _run(places: Sequence[Place]) -> None:
    import asyncio

    from services import serving
    from services.runtime.logs import configure_logs

    def show() -> None:
        listed = places[0].settings.profile == "site"
        print(
            f"Echoplane serves {'listed sites' if listed else 'this machine alone'}; Ctrl-C ends it.", file=sys.stderr
        )
        for place in places:
            for number, line in enumerate(place.lines):
                print(f"  {'' if number else place.part.name:9}{line}", file=sys.stderr)

    serving.check_ports(places)
    configure_logs("info")
    sys.exit(asyncio.run(serving.Supervisor(places, show).run()))
