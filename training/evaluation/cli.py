"""The verbs `echoplane evaluate ...`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from training.evaluation import classifier_cli
from training.evaluation.synthesis import cli as synthesis_cli

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
    from training.evaluation.workers import measure_all

    measured = measure_all(measurement.measure, measurement.plan(cines, seed), workers, "finding sectors")
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


@app.command()
def findings(
    cines: Annotated[int, typer.Option(min=1, help="How many; 378 show every kind in every style.")] = 378,
    out: Annotated[Path, typer.Option(help="Folder for cines.csv, rules.csv and misses.png.", file_okay=False)] = Path(
        "out/findings"
    ),
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and judge.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Number of the first subject; the same number, same cines.")] = 0,
    variant: Annotated[str, typer.Option(help="Only these cines, b_mode for one; by default all variants.")] = "",
) -> None:
    """Measure how well each rule of validation works.

    Simulates cines of every variant (plain, colour Doppler, split, M-mode, text and so on) in all styles, sends them as
    JPEG DICOM, Motion JPEG AVI and H.264 MP4, takes them in as the service does, and counts for every rule how many of
    those that must get its finding do (sensitivity) and how many others do not (specificity), with 95 % Wilson
    intervals; then how many of each variant were accepted, and of how many a view is told, also of a single frame.
    Writes a line a cine to cines.csv, a line a rule and style to rules.csv, and what was judged wrongly to misses.png.

    Examples: echoplane evaluate findings --cines 126 --workers 2

    echoplane evaluate findings --variant b_mode --cines 240
    """
    import cv2
    from rich.console import Console
    from rich.table import Table

    from training.evaluation import findings as measurement
    from training.evaluation.workers import measure_all

    if variant and variant not in measurement.WANTED:
        raise typer.BadParameter(f"{variant} is none of {', '.join(measurement.WANTED)}", param_hint="--variant")
    variants = [variant] if variant else tuple(measurement.WANTED)
    measured = measure_all(measurement.measure, measurement.plan(cines, seed, variants), workers, "judging cines")
    out.mkdir(parents=True, exist_ok=True)
    measurement.write_cines(measured, out / "cines.csv")
    measurement.write_rules(measured, out / "rules.csv")
    (out / "misses.png").write_bytes(cv2.imencode(".png", measurement.draw_misses(measured))[1].tobytes())
    rules = Table("rule", "sensitivity", "specificity", "specificity on usable views")
    for rule in measurement.RULES:
        rates = (
            measurement.sensitivity(measured, rule),
            measurement.specificity(measured, rule),
            measurement.specificity(measured, rule, usable_only=True),
        )
        rules.add_row(rule, *map(str, rates))
    answers = Table("variant", "accepted", "view told", "view told of a still")
    for shown in variants:
        told = (measurement.told(measured, shown, still) for still in (False, True))
        answers.add_row(shown, str(measurement.accepted(measured, shown)), *map(str, told))
    console = Console(stderr=True)
    console.print(rules)
    console.print(answers)


@app.command()
def colour(
    cines: Annotated[int, typer.Option(min=63, help="How many are drawn; a quarter of them is of use.")] = 756,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and measure.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Number of the first subject; the same number, same cines.")] = 0,
) -> None:
    """Measure the distributions that the colour rule compares with.

    Prints the share of a sector's most coloured hundredth at or under each level of chroma, over B-mode (half of it
    tinted) and over colour Doppler: the constants B_MODE_CDF and FLOW_CDF of services/cine/validation/colour.py.

    Example: echoplane evaluate colour --cines 252 --workers 2
    """
    from rich.console import Console

    from services.cine.validation.colour import LEVELS
    from training.evaluation.colour import measure_references

    means = measure_references(cines, seed, workers)
    console = Console(stderr=True, soft_wrap=True)
    b_mode = (means["b_mode"] + means["tinted"]) / 2
    console.print("LEVELS     " + ", ".join(map(str, LEVELS)))
    console.print("B_MODE_CDF " + ", ".join(f"{share:.2f}" for share in b_mode))
    console.print("FLOW_CDF   " + ", ".join(f"{share:.2f}" for share in means["colour_doppler"]))


@app.command()
def realism(
    cines: Annotated[int, typer.Option(min=1, help="How many; a third for each family of sources.")] = 300,
    out: Annotated[Path, typer.Option(help="Folder for the report and the sheets.", file_okay=False)] = Path(
        "out/realism"
    ),
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and measure.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Number of the first subject; the same number, same cines.")] = 0,
    sheets: Annotated[bool, typer.Option(help="Draw contact sheets as well.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, for programs.")] = False,
) -> None:
    """Measure simulated cines beside real ones.

    Simulates cines in the styles of each family of sources, one frame each (a second of clips), crops them as the
    classifier sees them, and prints what they measure beside statistics of public real images, most at percentiles 10,
    50 and 90, with a mark where the simulated median lies outside the real range: grey levels, texture, spectrum; how
    fast clips change; anatomy, pose and grey levels by region of research A4C. Writes report.md, realism.json, a line
    a value to cines.csv, and contact sheets as PNG.

    Example: echoplane evaluate realism --cines 300 --workers 2
    """
    from training.evaluation.realism import report

    summary = report.run_report(report.Task(cines, seed, workers, out, sheets))
    if as_json:
        print(json.dumps(summary))


for verb in (
    synthesis_cli.synthesis,
    synthesis_cli.steps,
    synthesis_cli.swaps,
    classifier_cli.families,
    classifier_cli.ablation,
    classifier_cli.recalibrate,
    classifier_cli.outlines,
):
    app.command()(verb)
