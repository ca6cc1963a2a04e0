"""Figures that other commands left: how a generator came about, and what each evaluation of it is worth."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from services.cine.errors import ConfigError
from training.diffusion.measures import WATCHED_SIGMAS
from training.diffusion.recipe import DRAWN_FOLDER
from training.evaluation.synthesis.figures import draw_curves, write_picture
from training.evaluation.synthesis.steps import CURVES_FILE, PICTURES_FILE
from training.loop import HISTORY_FILE


def draw_training(run: Path, out: Path) -> list[tuple[str, str]]:
    """Draw how a generator came about: pictures from the same noise and errors over its steps; names and captions.

    Args:
        run: what `train diffusion` wrote.
        out: folder for the files.
    """
    history = json.loads((run / HISTORY_FILE).read_text())
    errors = {
        f"noise {sigma}": np.array([(line["step"], line[f"rmse_at_{sigma}"]) for line in history], np.float32)
        for sigma in WATCHED_SIGMAS
    }
    figures = [
        (draw_curves(errors, "training steps", "error of held-out pictures", out / "training.png"), "Denoising.")
    ]
    drawn = sorted((run / DRAWN_FOLDER).glob("*.png"))
    if drawn:
        rows = [np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in drawn]
        steps = ", ".join(f"{int(path.stem):,}" for path in drawn)
        figures.append(
            (write_picture(np.vstack(rows), out / "evolution.png"), f"From the same noise after {steps} steps.")
        )
    return figures


def take_steps(steps: Path, out: Path) -> list[tuple[str, str]]:
    """Take over the figures of quality against evaluations; gives file names and captions.

    Args:
        steps: folder that `evaluate steps` wrote.
        out: folder of the report.

    Raises:
        ConfigError: it holds no such figures.
    """
    captions = {
        CURVES_FILE: "Distance to held-out pictures against evaluations of the network for each image.",
        PICTURES_FILE: "From the same noise, a row for each number of evaluations, the fewest first.",
    }
    for name in captions:
        if not (steps / name).is_file():
            raise ConfigError(
                found=f"no {name} in {steps}",
                expected="the folder that `echoplane evaluate steps` wrote",
                advice="Run that first, or leave --steps out.",
            )
        (out / name).write_bytes((steps / name).read_bytes())
    return list(captions.items())
