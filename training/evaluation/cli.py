"""The verbs `echoplane evaluate ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure the service on simulated cines whose truth is known.", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure the service on simulated cines whose truth is known."""


@app.command()
def sector(
    cines: Annotated[int, typer.Option(min=1, help="How many; 30 show every style through every transport.")] = 500,
    out: Annotated[Path, typer.Option(help="Folder for sector.csv and worst.png.", file_okay=False)] = Path(
        "out/sector"
    ),
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and measure.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Number of the first subject; the same number, same cines.")] = 0,
) -> None:
    """Measure how well the ultrasound sector is found.

    Simulates cines in all styles, sizes and framings, sends them as raw, JPEG and region-naming DICOM, Motion JPEG AVI
    and H.264 MP4, reads them as the service does, and holds the sector it finds against the true one: intersection
    over union (IoU), its median and 5th percentile, and how many were missed; beside that the same from a single
    frame, of which nothing is promised. Writes a line a cine to sector.csv, and the twelve worst to worst.png (true
    outline green, found one red). Exit code 1 when the median over all is under 0.95 or the 5th percentile under 0.85.

    Example: echoplane evaluate sector --cines 60 --workers 2
    """
    import cv2
    from rich.console import Console
    from rich.table import Table

    from training.evaluation import sector as measurement

    measured = measurement.measure_all(measurement.plan(cines, seed), workers)
    out.mkdir(parents=True, exist_ok=True)
    measurement.write_csv(measured, out / "sector.csv")
    (out / "worst.png").write_bytes(cv2.imencode(".png", measurement.draw_worst(measured))[1].tobytes())
    rows = measurement.summarise(measured)
    table = Table("", "cines", "median IoU", "5th percentile", "missed", "one frame: median", "missed")
    for row in rows:
        figures = (row.cines, f"{row.median:.3f}", f"{row.fifth:.3f}", row.missed, f"{row.still_median:.3f}")
        table.add_row(row.name, *map(str, figures), str(row.still_missed), end_section=row is rows[0])
    Console(stderr=True).print(table)
    if not measurement.keeps_promise(rows[0]):
        raise typer.Exit(1)
