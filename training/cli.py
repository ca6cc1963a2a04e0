"""The verbs that training brings to `echoplane`: simulate, train, export. What is heavy is imported when used."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from training.simulator.variants import VARIANTS
from training.simulator.views.names import PLANES, VIEW_CLASSES

EXIT_FAILED, EXIT_WRONG_USE = 1, 2
SHOWN, WRITTEN = "What is shown", "How it is written"

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
    preset: Annotated[
        str,
        typer.Option(help="smoke (seconds), small (minutes), cpu (40 minutes), cpu_long (what is shipped) or gpu."),
    ],
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


@train_app.command("diffusion")
def train_diffusion(
    preset: Annotated[
        str,
        typer.Option(help="smoke (seconds), small (minutes), cpu (2 cores, hours), gpu, or thesis (one large GPU)."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default runs/diffusion-PRESET.")] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of your own images with labels.csv (file,view,style,subject); none simulates."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    print_config: Annotated[bool, typer.Option(help="Print the resolved experiment as JSON and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a generator of echocardiogram frames, conditioned on view and source style, on an imbalanced set.

    A run that was stopped goes on where it was when the same command is given again. On several GPUs, or where there is
    only torch, numpy and OpenCV: take the output of --print-config there and see `python -m training.diffusion`.

    Images of your own are cut to their sector already; their styles are the names that labels.csv has, and a view is
    one of A2C, A4C, PLAX, PSAX. About one subject of ten is held out.

    Example: echoplane train diffusion --preset cpu, then: echoplane train distil --teacher runs/diffusion-cpu
    """
    with told_clearly():
        from training.configuration import to_plain
        from training.diffusion.config import DiffusionConfig, load_preset, with_own_images

        config = load_preset(preset, DiffusionConfig)
        if images is not None:
            config = with_own_images(config, images)
        if print_config:
            print(json.dumps(to_plain(config), indent=1))
            return
        from training.diffusion import recipe

        trained = recipe.train_diffusion(config, out or Path("runs") / f"diffusion-{preset}", cache)
        _answer({"run": str(trained.folder), "held_out": trained.report["held_out"]}, as_json)


@train_app.command("distil")
def train_distil(
    teacher: Annotated[Path, typer.Option(help="Folder of a finished run of `train diffusion`.")],
    preset: Annotated[str, typer.Option(help="smoke (seconds), small (minutes), cpu (2 cores, hours), gpu or thesis.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default runs/distil-PRESET.")] = None,
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    print_config: Annotated[bool, typer.Option(help="Print the resolved experiment as JSON and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a trained generator down to at most four evaluations an image, its guidance inside; resumable as well.

    Example: echoplane train distil --teacher runs/diffusion-cpu --preset cpu,
    then: echoplane export --checkpoint runs/distil-cpu
    """
    with told_clearly():
        from training.configuration import to_plain
        from training.diffusion.config import DistilConfig, load_preset

        config = load_preset(preset, DistilConfig)
        if print_config:
            print(json.dumps(to_plain(config), indent=1))
            return
        from training.diffusion import recipe

        trained = recipe.distil_diffusion(config, teacher, out or Path("runs") / f"distil-{preset}", cache)
        _answer({"run": str(trained.folder), "held_out": trained.report["held_out"]}, as_json)


def export(
    checkpoint: Annotated[Path, typer.Option(help="Folder of a finished run of `train`.")],
    repository: Annotated[Path, typer.Option(help="The model repository to write to.")] = Path("model_repository"),
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    as_json: AsJson = False,
) -> None:
    """Write a trained model as ONNX into the model repository, with its card, golden pair and Triton configuration.

    onnxruntime must answer as torch does (a classifier within 1e-4, a synthesizer within 1e-3 of a range of 2), or
    nothing is written and the exit code is 1.

    Beside a synthesizer lies copy_index.npz: with it the service replaces what is a copy of a training image. Where the
    training images are a site's own it is written into the folder of the run instead, for it tells of them: the gateway
    takes it by ECHOPLANE_GATEWAY_SYNTHESIS_COPY_INDEX where it may be used.

    Example: echoplane export --checkpoint runs/classifier-cpu
    """
    with told_clearly():
        from training.export.models import export_run

        folder = export_run(checkpoint, repository, cache)
        _answer({"model": str(folder), "card": str(folder / "card.md")}, as_json)


def _known_variant(name: str) -> str:
    """Give the name back, or stop as wrong use."""
    if name not in VARIANTS:
        raise typer.BadParameter(f"expected one of {', '.join(VARIANTS)}")
    return name


def _known_plane(name: str | None) -> str | None:
    """Give the name back, or stop as wrong use."""
    if name is not None and name not in PLANES:
        raise typer.BadParameter(f"expected one of {', '.join(PLANES)}")
    return name


def _known_shares(text: str) -> str:
    """Give shares of views back, or stop as wrong use."""
    shares = parse_shares(text)
    if not shares or any(view not in VIEW_CLASSES or not 0 <= share < inf for view, share in shares):
        raise typer.BadParameter(f"expected VIEW=SHARE,... of {', '.join(VIEW_CLASSES)}, such as A4C=2,OTHER=1")
    return text


def parse_shares(text: str) -> tuple[tuple[str, float], ...]:
    """Read `VIEW=SHARE,...`; nothing when it is written otherwise."""
    parts = [part.partition("=") for part in text.replace(" ", "").split(",")]
    try:
        return tuple((view.upper(), float(share)) for view, _, share in parts)
    except ValueError:
        return ()


def simulate(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    subjects: Annotated[int, typer.Option(min=1, help="How many hearts; the same number gives the same heart.")],
    out: Annotated[Path, typer.Option(help="Folder for the cines, their manifest.csv and the order.json of the set.")],
    seed: Annotated[int, typer.Option(min=0, help="Number of the first heart.", rich_help_panel=SHOWN)] = 0,
    views: Annotated[
        str,
        typer.Option(
            callback=_known_shares,
            help="Shares of the views among the cines, on any scale: VIEW=SHARE,... of A2C, A4C, PLAX, PSAX, OTHER. The"
            " commonest view is made of every heart; none is made twice of one.",
            rich_help_panel=SHOWN,
        ),
    ] = "A2C=1,A4C=1,PLAX=1,PSAX=1",
    plane: Annotated[
        str | None,
        typer.Option(
            callback=_known_plane,
            help=f"Show this plane, whatever its view: {', '.join(PLANES)}. One cine a heart.",
            rich_help_panel=SHOWN,
        ),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(
            help="Look of the scanner: a name from training/simulator/sources, or random. Give it again for more; each"
            " is as frequent, whatever the view. All sources by default.",
            rich_help_panel=SHOWN,
        ),
    ] = None,
    variant: Annotated[
        str,
        typer.Option(
            callback=_known_variant, help=f"What the cines are: {', '.join(VARIANTS)}.", rich_help_panel=SHOWN
        ),
    ] = "b_mode",
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="How cines are written.", rich_help_panel=WRITTEN)
    ] = FileFormat.NPZ,
    size: Annotated[
        int,
        typer.Option(
            min=0, help="Side of square pictures, px; 0 keeps each source's own screen.", rich_help_panel=WRITTEN
        ),
    ] = 112,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth",
            help="Write the truth too, in the npz or in FILE.truth.npz beside it: masks, contours, landmarks, mitral"
            " valve, displacement, plane angles, label volumes. Four to five times as slow.",
            rich_help_panel=WRITTEN,
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that render; one for each core by default.", rich_help_panel=WRITTEN),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate echocardiogram cines of beating hearts, with all that is true of them known. Needs no torch.

    Every file depends on its heart, its view and the options alone: the same command gives the same bytes, whatever the
    number of workers. A run that was stopped, by Ctrl-C, a kill or a full disk, goes on when the command is given
    again; what is damaged is made again. A folder is bound to its options and to the simulator that began it.

    The manifest tells of each cine its view, plane, style, ejection fraction, end-diastolic and end-systolic frame, and
    the shares of the views in what its plane cuts: its label where a plane lies between two views.

    To begin with:

    - four views of ten hearts, to look at: `echoplane simulate --subjects 10 --out out/cines --format avi`

    - a set to learn from, five classes: `echoplane simulate --subjects 20000 --out data/learn --style random
      --views A2C=18,A4C=18,PLAX=18,PSAX=18,OTHER=28`

    - short axes at the aortic valve, as a site sends them: `echoplane simulate --subjects 50 --out out/aortic
      --plane psax_aortic --format dicom --size 0`

    - masks, contours and motion: `echoplane simulate --subjects 100 --out data/motion --views A4C=1 --truth`
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # a worker a core; read when numpy is loaded
    with told_clearly():
        from training.simulator.sets.commands import SetOrder, simulate_set

        order = SetOrder(
            subjects,
            out,
            file_format.value,
            size or None,
            truth,
            seed,
            variant,
            parse_shares(views),
            tuple(style or ()),
            plane,
        )
        made = simulate_set(order, workers)
        _answer({"folder": str(out), "manifest": str(made.manifest), "cines": made.cines, "found": made.found}, as_json)


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
