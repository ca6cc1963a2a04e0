"""The verbs of `echoplane evaluate` that train or calibrate the view classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli import told_clearly

Preset = Annotated[str, typer.Option(help="Experiment: small (minutes a training), smoke, cpu or gpu.")]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each family; three at least say how far runs differ.")]
Cache = Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.", file_okay=False)]
Families = Annotated[str, typer.Option(help="Families to leave out, with commas; by default each in turn.")]


def families(
    preset: Preset = "small",
    seeds: Seeds = 3,
    families: Families = "",
    out: Annotated[Path, typer.Option(help="Folder of the tables and trainings.", file_okay=False)] = Path(
        "runs/families"
    ),
    cache: Cache = Path("runs/frames"),
) -> None:
    """Leave one family of styles out after the other: train on the rest, answer for the one left out.

    Neither training, nor the styles drawn at random, nor calibration see the family. Tells the balanced accuracy with
    an interval over seeds and subjects, how many of what is none of the four views are refused, and what the threshold
    of the other families is worth there; writes families.csv (a line a training and subgroup) and families.md, which
    `echoplane export` puts into the card when it lies in the folder of the run. Goes on where it stopped.

    Example: echoplane evaluate families --preset small --seeds 3 --out runs/classifier-cpu
    """
    with told_clearly():
        from training.classifier.config import load_preset
        from training.evaluation.families import leave_each_out, write_results

        config = load_preset(preset)
        runs = leave_each_out(config, _known(families), range(1, seeds + 1), out / "left_out", cache)
        typer.echo(write_results(runs, config, out), err=True)


def ablation(
    preset: Preset = "small",
    seeds: Seeds = 3,
    families: Families = "",
    realism_cines: Annotated[int, typer.Option(min=0, help="Behind the realism statistics of a row; 0: none.")] = 120,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render for realism.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the tables and trainings.", file_okay=False)] = Path(
        "runs/ablation"
    ),
    cache: Cache = Path("runs/frames"),
) -> None:
    """Train again and again, each time without one thing, and say what it costs.

    Left out in turn: moving speckle, specular angle, drop-out, haze, far-field gain, style randomisation, plane jitter
    (from the simulator, in the training cines alone), background mixing and crops (from the augmentation). Judged on
    families left out, always with the whole simulator, and by the realism statistics. Writes ablation.csv (a line a
    training) and ablation.md. Goes on where it stopped.

    Example: echoplane evaluate ablation --families research,portable --seeds 3
    """
    with told_clearly():
        from training.classifier.config import load_preset
        from training.evaluation.ablation import Study, run_study

        chosen, every = _known(families), tuple(range(1, seeds + 1))
        study = Study(load_preset(preset), chosen, every, realism_cines, workers, out, cache)
        typer.echo(run_study(study), err=True)


def recalibrate(
    folder: Annotated[Path, typer.Argument(help="Folder of the labelled cines.", exists=True, file_okay=False)],
    labels: Annotated[Path, typer.Option(help="CSV with columns `file` (below the folder) and `view`.")],
    wrong: Annotated[float, typer.Option(min=0.005, max=0.5, help="Most cines that may get a wrong name, 0-1.")] = 0.05,
    model_repository: Annotated[Path, typer.Option(help="Folder of the models.")] = Path("model_repository"),
    out: Annotated[Path, typer.Option(help="JSON file for the service.", dir_okay=False)] = Path("recalibration.json"),
) -> None:
    """Fit confidence and threshold to a site's own cines: 100 to 200 of them, each with its view known.

    The weights stay as they are. Says how many of further such cines get a wrong name at most, and how sure that is.
    The gateway takes the file by ECHOPLANE_GATEWAY_RECALIBRATION_FILE, `predict` by --recalibration.

    Example: echoplane evaluate recalibrate cines/ --labels views.csv
    """
    with told_clearly():
        from services.models.onnx_backend import OnnxBackend
        from services.models.spec import VIEW_CLASSIFIER
        from training.evaluation import recalibration

        backend = OnnxBackend(model_repository, VIEW_CLASSIFIER)
        labelled = recalibration.ask(recalibration.read_labels(labels), folder, backend)
        result = recalibration.recalibrate(labelled, wrong, backend.identity.sha256)
        recalibration.write(result, out)
        typer.echo(f"{recalibration.say(result)}\nWritten: {out}", err=True)


def outlines(
    preset: Preset = "smoke",
    cache: Cache = Path("runs/frames"),
) -> None:
    """Ask a linear probe for the view of training frames of which it sees nothing but the sector's outline.

    As rendered the outline tells a little, because the service finds it by what moves and shines. Exit code 1 when the
    probe does better than chance on frames as training changes them.

    Example: echoplane evaluate outlines --preset small
    """
    with told_clearly():
        from training.classifier.config import load_preset
        from training.classifier.dataset import load_frames
        from training.classifier.splits import Split
        from training.evaluation.outlines import probe_outlines

        config = load_preset(preset)
        frames = load_frames(Split.TRAIN, config, cache)
        probes = {"as rendered": None, "as trained on": config.augmentation}
        found = {name: probe_outlines(frames, changes, config.loop.seed) for name, changes in probes.items()}
        for name, one in found.items():
            typer.echo(f"{name}: {one.accuracy:.3f} of views named, chance .250 ± {one.margin:.3f}", err=True)
        if not found["as trained on"].is_at_chance:
            raise typer.Exit(1)


def _known(names: str) -> tuple[str, ...]:
    """Give the families that were named, or all.

    Raises:
        typer.BadParameter: there is no such family.
    """
    from training.classifier.simulation import families as known

    chosen = tuple(name for name in names.split(",") if name) or tuple(known())
    if wrong := [name for name in chosen if name not in known()]:
        raise typer.BadParameter(f"{', '.join(wrong)}: expected some of {', '.join(known())}")
    return chosen
