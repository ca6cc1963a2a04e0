"""The verbs that training brings to `echoplane`: simulate, train, export. What is heavy is imported when used."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from training.simulator.variants import VARIANTS

EXIT_FAILED, EXIT_WRONG_USE = 1, 2

train_app = typer.Typer(help="Train a model that the service can serve.", no_args_is_help=True)


class FileFormat(StrEnum):
    """How simulated cines are written."""

    NPZ = "npz"
    DICOM = "dicom"
    AVI = "avi"
    MP4 = "mp4"


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, for programs.")]


@train_app.callback()
def train() -> None:
    """Train a model that the service can serve; `export` then puts it into the model repository."""


@train_app.command("classifier")
def train_classifier(
    preset: Annotated[str, typer.Option(help="smoke (seconds), cpu (2 cores, 40 minutes) or gpu (one large GPU).")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default runs/classifier-PRESET.")] = None,
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    print_config: Annotated[bool, typer.Option(help="Print the resolved experiment as JSON and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train the view classifier on simulated cines, calibrate it and measure it on subjects it never saw.

    A run that was stopped goes on where it was when the same command is given again. On a machine that has only torch,
    numpy and OpenCV: take the output of --print-config there and run `python -m training.classifier CONFIG.json OUT`.

    Example: echoplane train classifier --preset cpu, then: echoplane export --checkpoint runs/classifier-cpu
    """
    with told_clearly():
        from training.classifier.config import load_preset
        from training.configuration import to_plain

        config = load_preset(preset)
        if print_config:
            print(json.dumps(to_plain(config), indent=1))
            return
        from training.classifier import recipe

        trained = recipe.train_classifier(config, out or Path("runs") / f"classifier-{preset}", cache)
        _answer(_summary(trained.folder, trained.report), as_json)


def export(
    checkpoint: Annotated[Path, typer.Option(help="Folder of a finished run of `train`.")],
    repository: Annotated[Path, typer.Option(help="The model repository to write to.")] = Path("model_repository"),
    as_json: AsJson = False,
) -> None:
    """Write a trained model as ONNX into the model repository, with its card, golden pair and Triton configuration.

    onnxruntime must answer as torch does (within 1e-4), or nothing is written and the exit code is 1.

    Example: echoplane export --checkpoint runs/classifier-cpu
    """
    with told_clearly():
        from training.classifier.export import export_classifier

        folder = export_classifier(checkpoint, repository)
        _answer({"model": str(folder), "card": str(folder / "card.md")}, as_json)


def _known_variant(name: str) -> str:
    """Give the name back, or stop as wrong use."""
    if name not in VARIANTS:
        raise typer.BadParameter(f"expected one of {', '.join(VARIANTS)}")
    return name


def simulate(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    subjects: Annotated[int, typer.Option(min=1, help="How many hearts; each is seen in all four views.")],
    out: Annotated[Path, typer.Option(help="Folder for the cines and their manifest.csv.")],
    file_format: Annotated[FileFormat, typer.Option("--format", help="How cines are written.")] = FileFormat.NPZ,
    size: Annotated[
        int, typer.Option(min=0, help="Side of square pictures, px; 0 keeps each source style's own screen.")
    ] = 112,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 1,
    truth: Annotated[bool, typer.Option("--truth", help="Store the truth of every frame as well (npz only).")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Number of the first subject; the same number, the same heart.")] = 0,
    variant: Annotated[
        str,
        typer.Option(callback=_known_variant, help=f"What the cines are: {', '.join(VARIANTS)}."),
    ] = "b_mode",
    as_json: AsJson = False,
) -> None:
    """Simulate echocardiogram cines of beating hearts, with their views and ejection fractions known. Needs no torch.

    Example: echoplane simulate --subjects 10 --out out/cines --format dicom --size 0 --variant colour_doppler
    """
    if truth and file_format is not FileFormat.NPZ:
        print("Found --truth with a format that cannot hold it; expected --format npz.", file=sys.stderr)
        raise typer.Exit(EXIT_WRONG_USE)
    with told_clearly():
        from training.simulator.commands import SetOrder, simulate_set

        order = SetOrder(subjects, out, file_format.value, size or None, truth, seed, variant)
        paths = simulate_set(order, workers)
        _answer({"folder": str(out), "manifest": str(out / "manifest.csv"), "cines": len(paths)}, as_json)


@contextmanager
def told_clearly() -> Iterator[None]:
    """Turn a failure that is not in Echoplane's own tree into one clear line and exit code 1."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("training", "services"):
            raise
        print(
            f"echoplane: {error.name} is not installed here. Run `make setup`, then use .venv-dev/bin/echoplane",
            file=sys.stderr,
        )
        raise typer.Exit(EXIT_FAILED) from error
    except (RuntimeError, OSError) as error:
        print(f"echoplane: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILED) from error


def _summary(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    groups = {
        name: {"balanced_accuracy": measured["balanced_accuracy"], "interval_95": measured["interval_95"]}
        for name, measured in report["groups"].items()
    }
    return {"run": str(folder), "measured_on": "simulated test subjects", "styles": groups}


def _answer(result: dict[str, Any], as_json: bool) -> None:
    """Print JSON for programs, or a line for each fact for people."""
    if as_json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key}: {json.dumps(value) if isinstance(value, dict) else value}", file=sys.stderr)
