"""The verb `echoplane evaluate synthesis`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli import told_clearly


def synthesis(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    batch: Annotated[str, typer.Argument(help="Folder or URL of a batch: what `echoplane synthesize` named.")],
    teacher: Annotated[Path, typer.Option(help="Folder of the generator's run of `train diffusion`.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder of the report.", file_okay=False)] = Path("out/synthesis_report"),
    model_repository: Annotated[
        Path, typer.Option(help="Where the view classifier is, in whose features pictures are compared.")
    ] = Path("model_repository"),
    cache: Annotated[Path, typer.Option(help="Where rendered frames are kept between runs.")] = Path("runs/frames"),
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
    what training pictures reach; copies of training pictures and how many subjects came back; whether one can tell who
    was trained on; extraction of canaries where the run planted some; what a classifier learns from the batch, and from
    the nearest training picture of each of its images instead. Writes index.html, report.json, figures, and card.md:
    the batch's card.

    Example: echoplane evaluate synthesis out/synthetic/batch-0123456789ab --teacher runs/diffusion-cpu
    """
    with told_clearly():
        from services.cine.errors import ConfigError
        from training.diffusion.recipe import TEACHER, load_denoiser
        from training.evaluation.synthesis.made_batch import read_batch
        from training.evaluation.synthesis.report import Batch, Task, write_report
        from training.evaluation.synthesis.trained import load_trained
        from training.run_folder import read_checkpoint

        checkpoint = read_checkpoint(teacher)
        if checkpoint["model"] != TEACHER:
            raise ConfigError(
                found=f"a run of {checkpoint['model']} in {teacher}",
                expected="a finished run of `train diffusion`",
                advice="Name its folder; a distilled run has the same pictures as its teacher.",
            )
        trained = load_trained(checkpoint, cache)
        made = read_batch(batch, trained.styles)
        task = Task(
            out=out,
            models=model_repository,
            trained_on=trained.trained_on,
            denoise=load_denoiser(checkpoint, teacher) if loss else None,
            inception=inception,
            use_steps=use_steps,
            use_seeds=tuple(range(1, seeds + 1)) if use_steps else (),
        )
        pictures = Batch(made, trained.training, trained.held_out, trained.styles, trained.canaries)
        write_report(pictures, trained.index(), task)
        typer.echo(f"Report: {out / 'index.html'}", err=True)
