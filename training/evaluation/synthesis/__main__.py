"""`python -m training.evaluation.synthesis`: measure a made batch and write its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from training.evaluation.synthesis.indexing import Origin, build_index
from training.evaluation.synthesis.pictures import load_pictures
from training.evaluation.synthesis.report import Batch, Task, write_report


def main(
    made: Annotated[Path, typer.Option(help="npz with the made pictures.", dir_okay=False)],
    training: Annotated[Path, typer.Option(help="npz with what the generator was trained on.", dir_okay=False)],
    held_out: Annotated[Path, typer.Option(help="npz with pictures of other subjects.", dir_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder of the report.", file_okay=False)],
    models: Annotated[Path, typer.Option(help="Model repository with the view classifier.")] = Path("model_repository"),
    trained_on: Annotated[str, typer.Option(help="What stands behind the pictures.")] = "simulated",
    use_steps: Annotated[
        int, typer.Option(min=0, help="Of each classifier trained on made pictures; 0 for none.")
    ] = 400,
) -> None:
    """Measure made pictures and write index.html, report.json, card.md and figures.

    Each npz holds frames [N, 112, 112] uint8, views, styles, subjects and cines [N]. Half of the held-out subjects
    calibrates the copy filter, the other half is compared with.
    """
    parts = [load_pictures(path) for path in (made, training, held_out)]
    subjects = np.unique(parts[2].subjects)
    is_calibrating = np.isin(parts[2].subjects, subjects[::2])
    index = build_index(parts[1], parts[2].take(is_calibrating), Origin("", trained_on, True))
    seeds = (1, 2, 3) if use_steps else ()
    task = Task(out, models, trained_on, use_steps, seeds)
    write_report(Batch(parts[0], parts[1], parts[2].take(~is_calibrating)), index, task)


if __name__ == "__main__":
    typer.run(main)
