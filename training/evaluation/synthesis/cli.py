"""The verbs `echoplane evaluate synthesis`, `steps` and `swaps`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli import told_clearly


def synthesis(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    batch: Annotated[str, typer.Argument(help="Folder or URL of a batch: what `echoplane synthesize` named.")],
    teacher: Annotated[Path, typer.Option(help="Folder of the generator's run of `train diffusion`.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder of the report.", file_okay=False)] = Path("out/synthesis_report"),
    model_repository: Annotated[
        Path,
        typer.Option(
            help="Where the view classifier is, in whose features pictures are compared, and the generator, to see what"
            " it makes without the copy filter."
        ),
    ] = Path("model_repository"),
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    steps: Annotated[
        Path | None, typer.Option(help="Folder that `evaluate steps` wrote: quality against evaluations.")
    ] = None,
    use_steps: Annotated[
        int, typer.Option(min=0, help="Of each classifier trained on the batch and its controls; 0 trains none.")
    ] = 400,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each of them.")] = 3,
    loss: Annotated[bool, typer.Option(help="Ask the generator's own loss who was trained on.")] = True,
    inception: Annotated[
        Path | None, typer.Option(help="Weights of torchvision's inception_v3, for distances in its features too.")
    ] = None,
) -> None:
    """Measure a synthetic batch against what its generator was trained on, and write a page about it.

    Distances (Frechet, kernel), precision, recall, density and coverage by view, with intervals over subjects, beside
    what training pictures reach; copies of training pictures and how many subjects came back, in the batch and in what
    its generator makes without the copy filter; whether one can tell who was trained on; extraction of canaries where
    the run planted some; how its pictures came about in training, and quality against evaluations; what a classifier
    learns from the batch, and from the nearest training picture of each of its images instead. Writes index.html,
    report.json, figures, and card.md: the batch's card.

    Example: echoplane evaluate synthesis out/synthetic/batch-0123456789ab --teacher runs/diffusion-cpu
    """
    with told_clearly():
        from training.diffusion.recipe import load_denoiser
        from training.evaluation.synthesis.made_batch import read_batch
        from training.evaluation.synthesis.report import Batch, Task, write_report
        from training.evaluation.synthesis.trained import draw_unfiltered, load_trained

        checkpoint = _read_teacher(teacher)
        trained = load_trained(checkpoint, cache)
        made = read_batch(batch, trained.styles)
        unfiltered = draw_unfiltered(model_repository, made.model_sha256, len(trained.styles))
        task = Task(
            out=out,
            models=model_repository,
            trained_on=trained.trained_on,
            run=teacher,
            denoise=load_denoiser(checkpoint, teacher) if loss else None,
            inception=inception,
            steps=steps,
            use_steps=use_steps,
            use_seeds=tuple(range(1, seeds + 1)) if use_steps else (),
        )
        pictures = Batch(
            made=made.pictures,
            training=trained.training,
            held_out=trained.held_out,
            styles=trained.styles,
            canaries=trained.canaries,
            unfiltered=unfiltered,
            replaced=made.replaced,
        )
        write_report(pictures, trained.index(made.model_sha256, unfiltered), task)
        typer.echo(f"Report: {out / 'index.html'}", err=True)


def steps(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs of `train diffusion` and `train distil`.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the tables and figures.", file_okay=False)] = Path("out/steps"),
    model_repository: Annotated[Path, typer.Option(help="Where the view classifier is.")] = Path("model_repository"),
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    pictures: Annotated[int, typer.Option(min=40, help="Drawn for each row, a quarter of each view.")] = 960,
    use_steps: Annotated[
        int, typer.Option(min=0, help="Of each classifier trained on a row's pictures; 0 trains none.")
    ] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each of them.")] = 3,
) -> None:
    """Say what each evaluation of the network is worth: generators in 1 to 32 evaluations, students in their own.

    Distances to held-out pictures, speckle, views as asked for, and with --use-steps the macro AUPRC of classifiers
    trained on the pictures. Several generators beside one another tell which recipe is better. Writes steps.csv,
    steps.md, the curves, and a row of pictures from the same noise for each way.

    Example: echoplane evaluate steps runs/diffusion-cpu runs/distil-cpu --use-steps 400
    """
    with told_clearly():
        from training.evaluation.synthesis.steps import Task, measure_steps

        use_seeds = tuple(range(1, seeds + 1)) if use_steps else ()
        task = Task(model_repository, cache, out, pictures, use_steps=use_steps, use_seeds=use_seeds)
        measure_steps(runs, task)
        typer.echo((out / "steps.md").read_text(), err=True)


def swaps(
    teacher: Annotated[Path, typer.Option(help="Folder of a run of `train diffusion`.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder of the tables and the figure.", file_okay=False)] = Path(
        "out/swaps"
    ),
    model_repository: Annotated[Path, typer.Option(help="Where the view classifier is.")] = Path("model_repository"),
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
    pictures: Annotated[int, typer.Option(min=4, help="Made of each cell, and simulated beside.")] = 100,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 1,
) -> None:
    """Ask a generator for each view in the style of a source that never had it, and hold it to the simulator.

    For generators of the preset confounded, whose sources show the views that they show in the thesis. Says how many
    made pictures the served classifier gives the view, a linear probe of simulated pictures the style, and how far they
    lie from true pictures of that cell and from the nearest wrong one. Writes swaps.csv, swaps.md and swaps.png.

    Example: echoplane train diffusion --preset confounded, then:
    echoplane evaluate swaps --teacher runs/diffusion-confounded
    """
    with told_clearly():
        from training.configuration import build_config
        from training.diffusion.config import DiffusionConfig
        from training.diffusion.recipe import load_denoiser
        from training.evaluation.synthesis.swaps import Task, measure_swaps

        checkpoint = _read_teacher(teacher)
        config = build_config(checkpoint["config"], DiffusionConfig)
        task = Task(model_repository, cache, out, pictures, workers)
        measure_swaps(load_denoiser(checkpoint, teacher), config, task)
        typer.echo((out / "swaps.md").read_text(), err=True)


def _read_teacher(folder: Path) -> dict[str, Any]:
    """Read what a finished run of `train diffusion` says of itself.

    Raises:
        ConfigError: the folder holds no such run.
    """
    from services.cine.errors import ConfigError
    from training.diffusion.recipe import TEACHER
    from training.run_folder import read_checkpoint

    checkpoint = read_checkpoint(folder)
    if checkpoint["model"] != TEACHER:
        raise ConfigError(
            found=f"a run of {checkpoint['model']} in {folder}",
            expected="a finished run of `train diffusion`",
            advice="Name its folder; a distilled run has the same pictures as its teacher.",
        )
    return checkpoint
