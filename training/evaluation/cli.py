"""The verbs `echoplane evaluate ...`."""

from __future__ import annotations

import typer

app = typer.Typer(help="Measure the service on simulated cines whose truth is known.", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure the service on simulated cines whose truth is known."""
